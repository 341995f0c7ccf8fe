"""Occurrences: times of triggers' clocks that are due, missed or yet to come."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.meta.objects import Event
from evenkeel.meta.times import timestamp
from evenkeel.retraining.accounts import Book
from evenkeel.retraining.admission import Blocked
from evenkeel.retraining.triggers import configured
from evenkeel.retraining.triggers.kind import InvalidTrigger, Occurrence


class Upcoming(NamedTuple):
    """The next time of all clocks, and the field of the trigger whose clock it is."""

    time: datetime
    field: str


def due_occurrences(
    book: Book, schedule: RetrainSchedule, blocked: Blocked | None, now: datetime
) -> list[Occurrence]:
    """Those that wait for a run, oldest first; those past their deadline are written off."""
    if schedule.spec.suspend:
        return []
    due = []
    for name, kind, spec in configured(schedule.spec.triggers):
        if kind.clock is None:
            continue
        try:
            time = kind.clock.due(spec, book.handled[name], now)
        except InvalidTrigger:
            continue
        if time is None:
            continue
        deadline = kind.clock.deadline(spec, time)
        if now <= deadline:
            due.append(Occurrence(name, kind, timestamp(time), time, deadline))
        else:
            _write_off(book, name, time, deadline, blocked)
    return by_age(due)


def by_age(occurrences: Iterable[Occurrence]) -> list[Occurrence]:
    """The oldest first."""
    return sorted(occurrences, key=lambda o: (o.time, o.trigger))


def _write_off(
    book: Book, trigger: str, missed: datetime, deadline: datetime, blocked: Blocked | None
) -> None:
    book.handled[trigger] = missed
    why = f"{blocked.reason}: {blocked.message}" if blocked else "the operator did not run in time"
    book.events.append(
        Event(
            "Warning",
            "MissedSchedule",
            f"trigger {trigger} had no run at {timestamp(missed)} within "
            f"startingDeadlineSeconds {(deadline - missed).total_seconds():.0f}: {why}",
        )
    )


def upcoming(schedule: RetrainSchedule, now: datetime) -> Upcoming | None:
    """The next time that a trigger's clock comes to."""
    if schedule.spec.suspend:
        return None
    times = []
    for _, kind, spec in configured(schedule.spec.triggers):
        if kind.clock is not None:
            try:
                times.append(Upcoming(kind.clock.upcoming(spec, now), kind.field))
            except InvalidTrigger:
                continue
    return min(times, default=None)
