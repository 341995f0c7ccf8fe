"""Alerts as triggers, by Alertmanager's label matchers.

Matchers are =, !=, =~ and !~. Regular expressions run in RE2, as in Alertmanager itself: the same
syntax, always the whole value, and time linear in its length, so that no pattern can hang the
operator.
Source: https://prometheus.io/docs/alerting/latest/configuration/#matcher
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Any

import re2

from evenkeel.api.cause import Alert
from evenkeel.api.trigger import AlertTrigger, Matcher
from evenkeel.retraining.triggers.kind import InvalidTrigger, Receiver, TriggerKind
from evenkeel.retraining.triggers.labelled import Labelled
from evenkeel.retraining.triggers.notification import NotifiedAlert, read

_LITERAL = re.compile(r"[^\\.^$*+?{}\[\]|()]*")

PATHS = ("/alerts", "/alertmanager/v4")


class InvalidMatcher(InvalidTrigger):
    """The regular expression is not RE2; the message names the pattern and the fault."""


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    compile_re2: Any = re2.compile
    options = re2.Options()
    options.log_errors = False
    try:
        return compile_re2(_valid(pattern), options)
    except re2.error as problem:
        cause = problem.args[0] if problem.args else problem
        text = cause.decode(errors="replace") if isinstance(cause, bytes) else str(cause)
        raise InvalidMatcher(f"{pattern!r} is not an RE2 regular expression: {text}") from None


def _prefix(pattern: str) -> str:
    """What every match begins with; asked before RE2, which costs more than most values deserve."""
    if "|" in pattern:
        return ""
    prefix = _LITERAL.match(pattern)
    assert prefix is not None
    optional = pattern[prefix.end() : prefix.end() + 1] in ("?", "*", "{")
    return _valid(prefix[0][:-1] if optional else prefix[0])


def _valid(text: str) -> str:
    """JSON can carry lone surrogates, which UTF-8 and so RE2 cannot."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def check(matchers: Iterable[Matcher]) -> None:
    """Raises InvalidMatcher for the first regular expression that is not RE2."""
    for matcher in matchers:
        if matcher.operator in ("=~", "!~"):
            _compiled(matcher.value)


def matches(matchers: Iterable[Matcher], events: Labelled, among: int) -> int:
    """The events, of those in `among`, for which all matchers hold; a missing label is empty.

    Raises InvalidMatcher if a regular expression that is reached is invalid.
    """
    # Comparisons first: they are cheap, and leave regular expressions less to look at.
    for matcher in sorted(matchers, key=lambda m: len(m.operator) + (m.operator != "=")):
        if not among:
            break
        among = _matching(matcher, events, among)
    return among


def _matching(matcher: Matcher, events: Labelled, among: int) -> int:
    match matcher.operator:
        case "=":
            return among & events.equal(matcher.name, matcher.value)
        case "!=":
            return among & ~events.equal(matcher.name, matcher.value)
    full_match, prefix = _compiled(matcher.value).fullmatch, _prefix(matcher.value)
    hits = events.where(
        matcher.name,
        lambda value: value.startswith(prefix) and full_match(_valid(value)) is not None,
        among,
    )
    return hits if matcher.operator == "=~" else among & ~hits


def record(alert: NotifiedAlert) -> Alert:
    """The alert as causes keep it."""
    # Cut to what the API keeps only now, since matchers see the labels whole.
    return Alert.model_construct(
        fingerprint=alert.fingerprint,
        starts_at=alert.starts_at,
        labels={k: v[:1024] for k, v in islice(alert.labels.items(), 64)},
        summary=alert.summary,
        generator_url=alert.generator_url,
    )


def _check(spec: AlertTrigger) -> None:
    check(spec.matchers)


def _fires(spec: AlertTrigger, events: Labelled, among: int) -> int:
    return matches(spec.matchers, events, among)


def _identity(alert: NotifiedAlert) -> tuple[str, ...]:
    return (alert.fingerprint, alert.starts_at)


ALERT = TriggerKind(
    "alert",
    check=_check,
    receiver=Receiver(
        PATHS,
        read,
        lambda a: a.labels,
        _fires,
        record,
        _identity,
        most=32 * 2**20,
        smaller="group alerts, or set max_alerts",
        noun="alert",
        owner="alerts without the label {label} belong to no namespace; give the rule that label",
    ),
)
