"""RFC 3339 times, as Kubernetes writes them. The clock itself is always an input."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

Timestamp = Annotated[str, Field(max_length=32, json_schema_extra={"format": "date-time"})]
"""RFC 3339 time in UTC."""


def timestamp(moment: datetime) -> str:
    """UTC with whole seconds, such as 2026-01-31T09:00:00Z."""
    # strftime writes the year 1, which is Go's for no time at all, with one digit.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def precise(moment: datetime) -> str:
    """UTC with microseconds, for times that are compared within a second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime:
    """The moment that an RFC 3339 text names. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time without a zone: {text!r}")
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"time beyond all years in UTC: {text!r}") from None
    return moment


def seconds_since(text: str, now: datetime) -> float:
    """Seconds from `text` to `now`."""
    return (now - parse(text)).total_seconds()


def sooner(*seconds: float | None) -> float | None:
    """The shortest of the waits; None if there is none."""
    return min((s for s in seconds if s is not None), default=None)
