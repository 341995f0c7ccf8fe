"""Alerts as triggers: Alertmanager's webhook (payload version 4) and its label matchers.

Matchers are =, !=, =~ and !~. Regular expressions run in RE2, as in Alertmanager itself: the same
syntax, always the whole value, and time linear in its length, so that no pattern can hang the
operator.
Sources: https://prometheus.io/docs/alerting/latest/configuration/#matcher and #webhook_config
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Literal

import re2
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from evenkeel.api.cause import Alert
from evenkeel.api.trigger import AlertTrigger, Matcher
from evenkeel.retraining.triggers.kind import (
    Batch,
    InvalidTrigger,
    MalformedBody,
    Receiver,
    TriggerKind,
)

PATH = "/alertmanager/v4"


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


class _Payload(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class NotifiedAlert(_Payload):
    """An alert of a notification, as far as it is read."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: str
    fingerprint: str
    generator_url: str = Field(default="", alias="generatorURL")


class Notification(_Payload):
    """The part of Alertmanager's payload that is read."""

    version: Literal["4"]
    alerts: list[NotifiedAlert]
    truncated_alerts: int = 0


def read(body: bytes) -> Batch[NotifiedAlert]:
    """The firing alerts of a notification. Raises MalformedBody."""
    try:
        notification = Notification.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        found = ": ".join(filter(None, (".".join(map(str, fault["loc"])), fault["msg"])))
        raise MalformedBody(f"not an Alertmanager v4 notification: {found}") from None
    left_out = notification.truncated_alerts
    return Batch(
        tuple(a for a in notification.alerts if a.status == "firing"),
        received=len(notification.alerts),
        warning=(
            f"Alertmanager left out {left_out} alerts; set max_alerts to 0 to have them counted"
            if left_out
            else ""
        ),
    )


def record(alert: NotifiedAlert) -> Alert:
    """The alert as causes keep it."""
    # Cut to what the API keeps: Prometheus' labels have no limits.
    return Alert(
        fingerprint=alert.fingerprint[:64],
        starts_at=alert.starts_at[:64],
        labels={k: v[:1024] for k, v in islice(alert.labels.items(), 64)},
        summary=alert.annotations.get("summary", "")[:1024],
        generator_url=alert.generator_url[:2048],
    )


def _check(spec: AlertTrigger) -> None:
    check(spec.matchers)


def _fires(spec: AlertTrigger, alert: NotifiedAlert) -> bool:
    return matches(spec.matchers, alert.labels)


ALERT = TriggerKind("alert", check=_check, receiver=Receiver(PATH, read, _fires, record))
