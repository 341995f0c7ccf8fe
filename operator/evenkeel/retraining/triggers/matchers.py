"""Alertmanager's label matchers: =, !=, =~ and !~.

Regular expressions run in RE2, as in Alertmanager itself: the same syntax, always the whole value,
and time linear in its length, so that no pattern can hang the operator.
Source: https://prometheus.io/docs/alerting/latest/configuration/#matcher
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import re2

from evenkeel.api.trigger import Matcher


class InvalidMatcher(ValueError):
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


@lru_cache(maxsize=4096)
def _full_match(pattern: str, value: str) -> bool:
    return _compiled(pattern).fullmatch(_valid(value)) is not None


def _valid(text: str) -> str:
    """JSON can carry lone surrogates, which UTF-8 and so RE2 cannot."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def check(matchers: Iterable[Matcher]) -> None:
    """Raises InvalidMatcher for the first regular expression that is not RE2."""
    for matcher in matchers:
        if matcher.operator in ("=~", "!~"):
            _compiled(matcher.value)


def matches(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether all matchers hold; a label that is missing counts as empty.

    Raises InvalidMatcher if a regular expression that is reached is invalid.
    """
    # A loop, since a storm brings every alert to every schedule.
    for matcher in matchers:  # noqa: SIM110
        if not _matches(matcher, labels.get(matcher.name, "")):
            return False
    return True


def _matches(matcher: Matcher, value: str) -> bool:
    match matcher.operator:
        case "=":
            return value == matcher.value
        case "!=":
            return value != matcher.value
        case "=~":
            return _full_match(matcher.value, value)
        case "!~":
            return not _full_match(matcher.value, value)
