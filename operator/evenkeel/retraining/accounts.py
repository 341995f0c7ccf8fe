"""The accounts of a RetrainSchedule: no alert is lost, no run is entered twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from evenkeel.api.cause import Alert
from evenkeel.api.retrainschedule import LastRun, Pending, RetrainSchedule
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.objects import Event
from evenkeel.meta.times import parse, timestamp
from evenkeel.retraining.runs import NewRun, alert_run_name, occurrence_run_name
from evenkeel.retraining.triggers import MatchedAlert, configured
from evenkeel.training.restored import created

KEPT_ALERTS = 10


@dataclass(slots=True)
class Book:
    """The accounts that one reconcile moves: received = answered by runs + pending + suppressed.

    `received` and `handled` (the newest time of its clock that is settled) are by trigger.
    """

    received: dict[str, int]
    handled: dict[str, datetime]
    last: LastRun | None
    pending: Pending | None
    suppressed: int
    events: list[Event] = field(default_factory=list)

    def receive(self, alerts: Sequence[MatchedAlert]) -> tuple[MatchedAlert, ...]:
        """Counts the alerts, and returns those whose trigger still exists."""
        known = tuple(a for a in alerts if a.trigger in self.received)
        for alert in known:
            self.received[alert.trigger] += 1
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
        if run.occurrence is not None:
            self.handled[run.occurrence.trigger] = run.occurrence.time
        message = f"TrainingRun {run.name}: {run.cause.message}"
        self.events.append(Event("Normal", "RunCreated", message))

    def count_on_last(self, number: int) -> None:
        if self.last is not None and number:
            more = self.last.alert_count + number
            self.last = self.last.model_copy(update={"alert_count": more})

    def wait(self, alerts: Sequence[MatchedAlert], now: datetime) -> None:
        if not alerts:
            return
        known = self.pending
        since = _began(a.alert for a in alerts) or now
        self.pending = Pending(
            trigger=known.trigger if known else alerts[0].trigger,
            since=timestamp(min(since, parse(known.since)) if known else since),
            alert_count=(known.alert_count if known else 0) + len(alerts),
            alerts=((known.alerts if known else ()) + tuple(a.alert for a in alerts))[:KEPT_ALERTS],
        )


def open_book(schedule: RetrainSchedule, now: datetime) -> Book:
    """The accounts as the status has them."""
    status = schedule.status
    before = {t.name: t for t in status.triggers}
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
        received={
            t.name: before[t.name].received if t.name in before else 0
            for t in schedule.spec.triggers
        },
        handled=handled,
        last=status.last_run,
        pending=status.pending,
        suppressed=status.suppressed,
    )


def adopt(book: Book, schedule: RetrainSchedule, runs: Sequence[TrainingRun]) -> set[str]:
    """Enters runs that were created although the status after them was never written; their names.

    Such a run took all that was pending, and the alerts on top of that were not yet received.
    """
    by_name = {r.metadata.name: r for r in runs}
    found: list[TrainingRun] = []
    times: dict[str, datetime] = {}
    last = book.last.name if book.last else ""
    while (run := by_name.pop(alert_run_name(schedule, last), None)) is not None:
        found.append(run)
        last = run.metadata.name
    kinds = {name: kind for name, kind, _ in configured(schedule.spec.triggers) if kind.clock}
    for run in by_name.values():
        trigger, kind = run.spec.cause.trigger, kinds.get(run.spec.cause.trigger)
        time = _cause_time(run)
        if (
            kind is not None
            and time is not None
            and time > book.handled[trigger]
            and run.metadata.name
            == occurrence_run_name(schedule, kind.field, trigger, timestamp(time))
        ):
            found.append(run)
            times[run.metadata.name] = time
    for run in sorted(found, key=lambda r: (created(r), r.metadata.name)):
        cause = run.spec.cause
        waited = book.pending.alert_count if book.pending else 0
        if cause.trigger in book.received:
            book.received[cause.trigger] += max(0, cause.alert_count - waited)
        if (settled := times.get(run.metadata.name)) is not None:
            book.handled[cause.trigger] = max(settled, book.handled[cause.trigger])
        book.pending = None
        book.last = LastRun(
            name=run.metadata.name,
            trigger=cause.trigger,
            time=run.metadata.creation_timestamp,
            alert_count=max(cause.alert_count, waited),
        )
    return {run.metadata.name for run in found}


def _cause_time(run: TrainingRun) -> datetime | None:
    try:
        return parse(run.spec.cause.time or "")
    except ValueError:
        return None


def _began(alerts: Iterable[Alert]) -> datetime | None:
    """When the first of the alerts began to fire, as far as their times can be read."""
    times = []
    for alert in alerts:
        try:
            time = parse(alert.starts_at)
        except ValueError:
            continue
        if time.year >= 1970:
            times.append(time)
    return min(times, default=None)
