"""Windows of time that are asked about one after the other, each once it is over.

A status keeps when the last one ended, so that none is asked about twice or left out.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evenkeel.meta.times import parse, timestamp

LAG = 60
"""Seconds until the last samples of a window can be read, at most."""
BEHIND = timedelta(days=7)
"""Windows that ended earlier are not asked about any more."""


def aligned(now: datetime, seconds: int) -> str:
    """When the first whole window begins, as all of that length do."""
    return time_text(-(-now.timestamp() // seconds) * seconds)


def lag(seconds: int) -> int:
    """Seconds until the last samples of a window of that length can be read: a window spans ten
    scrapes, so that as long again is time enough."""
    return min(LAG, seconds)


def end_after(until: str, seconds: int) -> int:
    """When the window after that time ends, Unix seconds."""
    return int(parse(until).timestamp()) + seconds


def too_old(until: str, seconds: int, now: datetime) -> int:
    """How many windows after that time ended too long ago."""
    return max(0, (now - BEHIND - parse(until)) // timedelta(seconds=seconds))


def ahead(until: str, seconds: int, now: datetime) -> bool:
    """Whether that time is further ahead than clocks are apart: written by a clock that was wrong,
    or by hand, and no window would be asked about for long."""
    return parse(until) - now > timedelta(seconds=2 * seconds)


def later(until: str, number: int, seconds: int) -> str:
    """The time so many windows later."""
    return timestamp(parse(until) + number * timedelta(seconds=seconds))


def time_of(seconds: float) -> datetime:
    """Unix seconds as a time."""
    return datetime.fromtimestamp(seconds, UTC)


def time_text(seconds: float) -> str:
    """Unix seconds as a status has them."""
    return timestamp(time_of(seconds))
