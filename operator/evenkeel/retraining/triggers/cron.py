"""Cron times as triggers: the newest that was missed, and the next.

Expressions have five fields, and changes to and from daylight saving time go as in Debian's cron:
a time that is skipped runs right after the gap, a time that comes twice runs once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from evenkeel.api.cron_syntax import fields
from evenkeel.api.trigger import CronTrigger
from evenkeel.retraining.triggers.kind import Clock, InvalidTrigger, TriggerKind


class InvalidCron(InvalidTrigger):
    """The expression or the time zone is wrong; the message says which and what is expected."""


def check(cron: CronTrigger) -> None:
    """Raises InvalidCron if the expression or the zone cannot be used."""
    next_time(cron, datetime(2000, 1, 1, tzinfo=UTC))


def next_time(cron: CronTrigger, after: datetime) -> datetime:
    """The first time later than `after`, in UTC. Raises InvalidCron."""
    return next(_times(cron, after))


def due_time(cron: CronTrigger, handled: datetime, now: datetime) -> datetime | None:
    """The newest time in (handled, now], in UTC, or None. Raises InvalidCron.

    Whether it is still within the starting deadline is for the caller: see `deadline`.
    """
    # Searched forwards in growing windows, because cronsim's reverse search places times near a
    # change of the clock differently, and a time must have one identity only.
    newest = None
    for days in (1 / 24, 2, 33, 367):
        start = max(handled, now - timedelta(days=days))
        for time in _times(cron, start):
            if time > now:
                break
            newest = time
        if newest is not None or start == handled:
            break
    return newest


def deadline(cron: CronTrigger, time: datetime) -> datetime:
    """Until when the run of that time may start."""
    return time + timedelta(seconds=cron.starting_deadline_seconds)


def _times(cron: CronTrigger, after: datetime) -> Iterator[datetime]:
    """The times later than `after`, in UTC, oldest first."""
    try:
        expression = fields(cron.schedule)
        if len(expression.split()) != 5:
            raise CronSimError("needs five fields")
        times = CronSim(expression, after.astimezone(_zone(cron.time_zone)))
    except (CronSimError, AssertionError, TypeError) as problem:
        raise InvalidCron(
            f"cron expression {cron.schedule!r}: {str(problem) or 'not understood'}; "
            "expected minute, hour, day of month, month, day of week, such as 0 3 * * *"
        ) from None
    for local in times:
        time = local.astimezone(UTC)
        # An hour that comes twice has run its times the first time round.
        if time > after:
            yield time
    raise InvalidCron(f"cron expression {cron.schedule!r} never occurs")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidCron(
            f"time zone {name!r} is unknown; use an IANA name such as Europe/Berlin or Etc/UTC"
        ) from None


CRON: TriggerKind[CronTrigger, None] = TriggerKind(
    "cron", check=check, clock=Clock(due_time, deadline, next_time)
)
