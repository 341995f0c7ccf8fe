"""The conditions of a RetrainSchedule: Ready is False only for what a person must mend."""

from __future__ import annotations

from pydantic.alias_generators import to_camel

from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.meta.conditions import Condition, Observation, find, is_false, is_true, readiness
from evenkeel.meta.objects import Event
from evenkeel.meta.times import timestamp
from evenkeel.retraining import sources
from evenkeel.retraining.accounts import Book
from evenkeel.retraining.admission import Blocked, Request, template
from evenkeel.retraining.admission.concurrency import ACTIVE
from evenkeel.retraining.admission.suspension import SUSPENDED
from evenkeel.retraining.occurrences import Upcoming
from evenkeel.retraining.sources import Sightings
from evenkeel.retraining.triggers import configured, problems


def observations(
    book: Book,
    request: Request,
    blocked: Blocked | None,
    upcoming: Upcoming | None,
    sightings: Sightings,
) -> tuple[Observation, ...]:
    """What can be said of the schedule after the decision."""
    ready = _ready(book, request, blocked, upcoming)
    return (*ready, *sources.observations(request.schedule, sightings))


def _ready(
    book: Book, request: Request, blocked: Blocked | None, upcoming: Upcoming | None
) -> tuple[Observation, ...]:
    stall = template.blocked(request) or (blocked if blocked and blocked.stalled else None)
    if stall is not None:
        return readiness("False", stall.reason, stall.message, stalled=True)
    faults = problems(request.spec.triggers)
    if faults:
        text = "; ".join(faults) + "; the other triggers work"
        return readiness("False", "InvalidTrigger", text, stalled=True)
    return _working(book, request, blocked, upcoming)


def _working(
    book: Book, request: Request, blocked: Blocked | None, upcoming: Upcoming | None
) -> tuple[Observation, ...]:
    active = request.active
    reason, parts = "Scheduled", ["waiting for a trigger"]
    if active:
        reason, parts = ACTIVE, [f"TrainingRun {', '.join(active[:3])} is active"]
    if blocked is not None and blocked.reason != ACTIVE:
        reason = blocked.reason if blocked.reason == SUSPENDED or not active else reason
        until = f"next run not before {timestamp(blocked.until)}: " if blocked.until else ""
        parts = [*(parts if active else ()), f"{until}{blocked.message}"]
    if book.pending is not None:
        parts.append(f"{_told(book.pending.alert_count, request)} wait for the next run")
    counted = sum(book.received.values())
    if counted:
        parts.append(f"{_told(counted, request)} counted")
    if upcoming is not None:
        parts.append(f"next {to_camel(upcoming.field)} time {timestamp(upcoming.time)}")
    return readiness("True", reason, "; ".join(parts))


def _told(number: int, request: Request) -> str:
    """What came by the webhook, such as "3 alerts"."""
    receivers = (c.kind.receiver for c in configured(request.spec.triggers))
    nouns = list(dict.fromkeys(r.noun for r in receivers if r is not None))
    if number == 1 and len(nouns) == 1:
        return f"1 {nouns[0]}"
    return f"{number} {' and '.join(f'{noun}s' for noun in nouns) or 'alerts'}"


def announcement(schedule: RetrainSchedule, planned: tuple[Condition, ...]) -> tuple[Event, ...]:
    """Events when the schedule begins to stall, or a source cannot be read, or another reason."""
    told = []
    for type_, wrong in (
        ("Ready", is_true(planned, "Stalled")),
        (sources.CONDITION, is_false(planned, sources.CONDITION)),
    ):
        before, found = find(schedule.status.conditions, type_), find(planned, type_)
        if found is not None and wrong and (before is None or before.reason != found.reason):
            told.append(Event("Warning", found.reason, found.message))
    return tuple(told)
