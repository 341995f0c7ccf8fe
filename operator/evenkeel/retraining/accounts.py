"""The accounts of a RetrainSchedule: no alert is lost, no run is entered twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from evenkeel.api import labels
from evenkeel.api.cause import Alert, Record
from evenkeel.api.cloudevent import CloudEvent
from evenkeel.api.retrainschedule import (
    LastRun,
    Pending,
    RetrainSchedule,
    RetrainScheduleStatus,
    SettledRevision,
    TriggerStatus,
)
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.objects import Event
from evenkeel.meta.times import parse, timestamp
from evenkeel.retraining.counted import Counted, from_run, note, remember
from evenkeel.retraining.revisions import NOTHING, identity, settled
from evenkeel.retraining.runs import NewRun, alert_run_name, occurrence_run_name
from evenkeel.retraining.triggers import Matched, configured
from evenkeel.retraining.triggers.kind import Revision
from evenkeel.training.restored import created

KEPT_ALERTS = 10


@dataclass(slots=True)
class Book:
    """The accounts that one reconcile moves: received = answered by runs + pending + suppressed.

    `kinds`, `received`, `handled` (the newest time of its clock that is settled) and `revisions`
    (that of its source, or of the version in production) are by trigger.
    """

    kinds: Mapping[str, str]
    received: dict[str, int]
    handled: dict[str, datetime]
    last: LastRun | None
    pending: Pending | None
    suppressed: int
    counted: Counted = ()
    revisions: dict[str, SettledRevision] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def receive(self, alerts: Sequence[Matched], now: datetime) -> tuple[Matched, ...]:
        """Counts and remembers the alerts, and returns those whose trigger still exists."""
        known = tuple(a for a in alerts if a.trigger in self.received)
        for alert in known:
            self.received[alert.trigger] += 1
        if (noted := note(known, now)) is not None:
            self.counted = remember(self.counted, noted, now)
        return known

    def enter(self, run: NewRun, now: datetime) -> None:
        """The run takes all that waits, and its occurrence is settled."""
        self.last = LastRun(
            name=run.name,
            trigger=run.cause.trigger,
            time=timestamp(now),
            alert_count=run.cause.alert_count,
        )
        self.pending = None
        if (met := run.occurrence) is not None:
            self.settle(met.trigger, met.revision or met.time, now)
        message = f"TrainingRun {run.name}: {run.cause.message}"
        self.events.append(Event("Normal", "RunCreated", message))

    def settle(self, trigger: str, met: datetime | Revision, now: datetime) -> None:
        """A time of its clock, or a revision of its source, needs no run any more."""
        if isinstance(met, Revision):
            self.revisions[trigger] = settled(self.revisions.get(trigger), met, now)
        else:
            self.handled[trigger] = max(met, self.handled.get(trigger, met))

    def count_on_last(self, number: int) -> None:
        if self.last is not None and number:
            more = self.last.alert_count + number
            self.last = self.last.model_copy(update={"alert_count": more})

    def wait(self, alerts: Sequence[Matched], now: datetime) -> None:
        if not alerts:
            return
        known = self.pending
        since = _began(a.record for a in alerts) or now
        told = [a.record for a in alerts]
        fired = tuple(r for r in told if isinstance(r, Alert))
        events = tuple(r for r in told if isinstance(r, CloudEvent))
        self.pending = Pending(
            trigger=known.trigger if known else alerts[0].trigger,
            since=timestamp(min(since, parse(known.since)) if known else since),
            alert_count=(known.alert_count if known else 0) + len(alerts),
            alerts=((known.alerts if known else ()) + fired)[:KEPT_ALERTS],
            events=((known.events if known else ()) + events)[:KEPT_ALERTS],
        )


def known_triggers(
    status: RetrainScheduleStatus, kinds: Mapping[str, str]
) -> dict[str, TriggerStatus]:
    """By name what is known of the triggers, which have these kinds, but not of former ones."""
    return {t.name: t for t in status.triggers if t.kind in (None, kinds.get(t.name))}


def open_book(schedule: RetrainSchedule, now: datetime) -> Book:
    """The accounts as the status has them."""
    status = schedule.status
    kinds = {name: kind.name for name, kind, _ in configured(schedule.spec.triggers)}
    before = known_triggers(status, kinds)
    handled: dict[str, datetime] = {}
    for name, kind, _ in configured(schedule.spec.triggers):
        if kind.clock is None:
            continue
        seen = before.get(name)
        if seen is not None and seen.last_schedule_time:
            handled[name] = parse(seen.last_schedule_time)
            if schedule.had_earlier_life:
                # As new: not all schedules of a cluster at once, for times before the restore.
                created = parse(schedule.metadata.creation_timestamp)
                handled[name] = max(handled[name], created)
        elif status.observed_generation == 0 and schedule.metadata.creation_timestamp:
            handled[name] = parse(schedule.metadata.creation_timestamp)
        else:
            # Added later: times before it was first seen are none of its business.
            handled[name] = now
    return Book(
        kinds=kinds,
        received={
            t.name: before[t.name].received if t.name in before else 0
            for t in schedule.spec.triggers
        },
        handled=handled,
        last=status.last_run,
        pending=status.pending,
        suppressed=status.suppressed,
        counted=status.counted,
        revisions={
            name: revision
            for name, kind, _ in configured(schedule.spec.triggers)
            if kind.by_revision
            and (revision := before[name].last_revision if name in before else None) is not None
        },
    )


def adopt(book: Book, schedule: RetrainSchedule, runs: Sequence[TrainingRun]) -> None:
    """Enters runs that were created although the status after them was never written.

    Such a run took all that was pending, and the alerts on top of that were not yet received.
    """
    by_name = {r.metadata.name: r for r in runs}
    entered = _last_entered(book, by_name)
    found = _chain(schedule, book.last.name if book.last else "", by_name)
    met: dict[str, datetime | Revision] = {}
    for name, run in [*by_name.items()]:
        fresh = entered is None or created(run) > entered
        if (unsettled := _unsettled(book, schedule, run, fresh=fresh)) is not None:
            met[name] = unsettled
            found += [run, *_chain(schedule, name, by_name)]
    # Of runs of the same second, which are found in their order, the last one stays the last.
    for run in sorted(found, key=created):
        cause = run.spec.cause
        waited = book.pending.alert_count if book.pending else 0
        if cause.trigger in book.received:
            book.received[cause.trigger] += max(0, cause.alert_count - waited)
        if (one := met.get(run.metadata.name)) is not None:
            if isinstance(one, Revision) and cause.trigger not in book.revisions:
                first = settled(None, NOTHING, created(run), first=(cause.change or 1) - 1)
                book.revisions[cause.trigger] = first
            book.settle(cause.trigger, one, created(run))
        book.pending = None
        noted = from_run(run.metadata.annotations.get(labels.COUNTED, ""))
        if noted is not None:
            book.counted = remember(book.counted, noted, created(run))
        book.last = LastRun(
            name=run.metadata.name,
            trigger=cause.trigger,
            time=run.metadata.creation_timestamp,
            alert_count=max(cause.alert_count, waited),
        )


def _chain(
    schedule: RetrainSchedule, last: str, by_name: dict[str, TrainingRun]
) -> list[TrainingRun]:
    """The runs for alerts and events that were created one after the other after `last`; they are
    taken out of the runs."""
    found: list[TrainingRun] = []
    while (run := by_name.pop(alert_run_name(schedule, last), None)) is not None:
        found.append(run)
        last = run.metadata.name
    return found


def _last_entered(book: Book, runs: Mapping[str, TrainingRun]) -> datetime | None:
    """When the last run that was entered was created; None if none was."""
    if book.last is None:
        return None
    known = runs.get(book.last.name)
    return parse(book.last.time) if known is None else created(known)


def _unsettled(
    book: Book, schedule: RetrainSchedule, run: TrainingRun, *, fresh: bool
) -> datetime | Revision | None:
    """What the run is for, a time or a revision of a source, if that is not settled yet.

    fresh: whether no run was entered after it was created.
    """
    cause = run.spec.cause
    for name, kind, _ in configured(schedule.spec.triggers):
        if name != cause.trigger:
            continue
        own = partial(occurrence_run_name, schedule, kind.field, name)
        time = _cause_time(run)
        if kind.clock is not None and time is not None and time > book.handled[name]:
            return time if run.metadata.name == own(timestamp(time)) else None
        if (revision := kind.told(cause)) is not None:
            known = book.revisions.get(name)
            if known is not None:
                newer = (cause.change or 0) > known.change
            else:
                # What looks at production may begin a run when it is first seen. Any other run, and
                # any other trigger's that counts from nothing, is of when it had the name before.
                newer = fresh and kind.overseer is not None
            return revision if newer and run.metadata.name == own(identity(revision)) else None
    return None


def _cause_time(run: TrainingRun) -> datetime | None:
    try:
        return parse(run.spec.cause.time or "")
    except ValueError:
        return None


def _began(records: Iterable[Record]) -> datetime | None:
    """When the first of them began, as far as their times can be read."""
    times = []
    for text in {record.began for record in records}:
        try:
            time = parse(text)
        except ValueError:
            continue
        if time.year >= 1970:
            times.append(time)
    return min(times, default=None)
