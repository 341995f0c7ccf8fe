"""The age of the version in production as a trigger.

It comes due when the version is as old as it may become, and again each time that it has grown
older by as much, should it be in production still.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from evenkeel.api.trigger import VersionAgeTrigger
from evenkeel.retraining.triggers.kind import (
    InvalidTrigger,
    Occasion,
    Overseer,
    Production,
    TriggerKind,
)


def most(spec: VersionAgeTrigger) -> timedelta:
    """How old a version may become. Raises InvalidTrigger."""
    days, seconds = spec.max_age_days, spec.max_age_seconds
    if days:
        return timedelta(days=days)
    if seconds:
        return timedelta(seconds=seconds)
    raise InvalidTrigger("no age is given; write maxAgeDays or maxAgeSeconds")


def check(spec: VersionAgeTrigger) -> None:
    """Raises InvalidTrigger if there is no age."""
    most(spec)


def occasion(spec: VersionAgeTrigger, version: Production, now: datetime) -> Occasion | None:
    """The newest time at which the version had become too old."""
    age, trained = most(spec), version.trained
    number = (now - trained) // age
    return Occasion(number, trained + number * age) if number > 0 else None


def upcoming(spec: VersionAgeTrigger, version: Production, now: datetime) -> datetime:
    """When it will be too old next."""
    age, trained = most(spec), version.trained
    return trained + (max(0, (now - trained) // age) + 1) * age


VERSION_AGE: TriggerKind[VersionAgeTrigger, None] = TriggerKind(
    "version_age", check=check, overseer=Overseer(occasion, upcoming)
)
