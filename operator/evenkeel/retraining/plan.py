"""Plans a RetrainSchedule: which run it starts, and how every alert is accounted for.

The inbox is taken whole by one reconcile (group commit), so that a storm of alerts makes one run.
Names of runs are deterministic: a cron time names its run, and an alert run is named after the run
before it. A crash between the creation of the run and the write of the status, a repeated webhook
or a second leader thus arrive at the same name, where AlreadyExists is success.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from evenkeel.api.base import API_VERSION
from evenkeel.api.cause import Cause, cause_text
from evenkeel.api.labels import MANAGED_BY, MANAGER, MODEL, SCHEDULE, owner_reference
from evenkeel.api.retrainschedule import (
    LastRun,
    RecentRun,
    RetrainSchedule,
    RetrainScheduleStatus,
    TriggerStatus,
)
from evenkeel.api.trainingrun import TrainingRun, TrainingRunSpec
from evenkeel.meta.conditions import Observation, find, merge, readiness
from evenkeel.meta.objects import Event, Manifest, Ref
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import parse, timestamp
from evenkeel.retraining import triggers
from evenkeel.retraining.accounts import Book, adopt, alert_run_name, cron_run_name, open_book
from evenkeel.retraining.admission import Hold, hold
from evenkeel.retraining.admission.budget import within_window
from evenkeel.retraining.admission.concurrency import answered_by
from evenkeel.retraining.admission.failure_backoff import Failures, streak
from evenkeel.retraining.history import expired
from evenkeel.retraining.triggers import MatchedAlert, cron
from evenkeel.training import template as training_template
from evenkeel.training.run_state import created, finished, outcomes

UNSEEN_SECONDS = 60
"""For so long a recorded run that the snapshot lacks counts as active: a list may be stale."""


@dataclass(frozen=True, slots=True)
class ScheduleSnapshot:
    """`runs`: all with the schedule's label. `alerts`: the whole inbox, in order of arrival."""

    schedule: RetrainSchedule
    runs: tuple[TrainingRun, ...]
    alerts: tuple[MatchedAlert, ...]
    now: datetime


class _Due(NamedTuple):
    """A cron time that waits for its run."""

    trigger: str
    time: datetime
    deadline: datetime


def plan_schedule(snapshot: ScheduleSnapshot) -> Plan:
    """Starts at most one run; the same snapshot gives the same plan. Never raises for bad input."""
    schedule, runs, now = snapshot.schedule, snapshot.runs, snapshot.now
    spec = schedule.spec
    known = {t.name for t in spec.triggers}
    alerts = tuple(a for a in snapshot.alerts if a.trigger in known)
    book = open_book(schedule, now)
    adopt(book, schedule, runs)
    for alert in alerts:
        book.received[alert.trigger] += 1

    starts = _starts(book, schedule, runs)
    active, unseen_until = _active(book, schedule, runs, now)
    failures = streak(outcomes(runs))
    unusable = training_template.problem(spec.training)
    held = _hold(schedule, unusable, starts, active, failures, now)
    due = _due(book, schedule, held, now)

    creates: tuple[Manifest, ...] = ()
    cause = _decide(book, snapshot, alerts, due, held, active)
    if cause is not None:
        name = (
            cron_run_name(schedule, cause.trigger, due[0].time)
            if cause.type == "Cron"
            else alert_run_name(schedule, book.last.name if book.last else "")
        )
        creates = (_run(schedule, name, cause, active),)
        book.last = LastRun(
            name=name,
            trigger=cause.trigger,
            time=timestamp(now),
            alert_count=cause.alert_count,
        )
        book.pending = None
        if cause.type == "Cron":
            book.handled[cause.trigger] = due.pop(0).time
        book.events.append(Event("Normal", "RunCreated", f"TrainingRun {name}: {cause.message}"))
        starts = _starts(book, schedule, runs)
        active = sorted({*active, name})
        held = _hold(schedule, unusable, starts, active, failures, now)

    upcoming = _upcoming(schedule, now)
    conditions = merge(
        schedule.status.conditions,
        _observe(book, schedule, unusable, held, active, upcoming),
        schedule.metadata.generation,
        now,
    )
    _announce(book, schedule, conditions[0].reason, conditions[0].message)
    recent = within_window(starts, spec.budget, now) if spec.budget else {}
    status = RetrainScheduleStatus(
        observed_generation=schedule.metadata.generation,
        conditions=conditions,
        active=tuple(active[:64]),
        last_run=book.last,
        pending=book.pending,
        triggers=tuple(
            TriggerStatus(
                name=t.name,
                received=book.received[t.name],
                last_schedule_time=(
                    timestamp(book.handled[t.name]) if t.name in book.handled else None
                ),
            )
            for t in spec.triggers
        ),
        suppressed=book.suppressed,
        recent_runs=tuple(RecentRun(name=n, time=timestamp(t)) for n, t in recent.items()),
        consecutive_failures=failures.number,
        next_schedule_time=timestamp(upcoming) if upcoming else None,
    )
    moments = [held.until if held else None, upcoming, unseen_until]
    moments += [d.deadline + timedelta(seconds=1) for d in due]
    wake = min((m for m in moments if m is not None and m > now), default=None)
    return Plan(
        status=status,
        creates=creates,
        deletes=tuple(
            Ref(API_VERSION, r.kind, r.metadata.namespace, r.metadata.name, r.metadata.uid)
            for r in expired(runs, spec.history, spec.failure_policy)
        ),
        events=tuple(book.events),
        requeue_after=(wake - now).total_seconds() if wake else None,
    )


def _starts(
    book: Book, schedule: RetrainSchedule, runs: Sequence[TrainingRun]
) -> dict[str, datetime]:
    """When each known run was created; runs that are gone by what the status remembers."""
    starts = {r.metadata.name: created(r) for r in runs}
    starts |= {r.name: parse(r.time) for r in schedule.status.recent_runs}
    if book.last is not None:
        starts[book.last.name] = parse(book.last.time)
    return starts


def _active(
    book: Book, schedule: RetrainSchedule, runs: Sequence[TrainingRun], now: datetime
) -> tuple[list[str], datetime | None]:
    """The unfinished runs, and until when one of them is only presumed."""
    active = {r.metadata.name for r in runs if not finished(r)}
    last = book.last
    if last is None or last.name in {r.metadata.name for r in runs}:
        return sorted(active), None
    until = parse(last.time) + timedelta(seconds=UNSEEN_SECONDS)
    if last.name in schedule.status.active and now < until:
        return sorted({*active, last.name}), until
    return sorted(active), None


def _hold(
    schedule: RetrainSchedule,
    unusable: str | None,
    starts: dict[str, datetime],
    active: Sequence[str],
    failures: Failures,
    now: datetime,
) -> Hold | None:
    if schedule.metadata.deletion_timestamp is not None:
        return Hold("Terminating", "the schedule is being deleted")
    if unusable is not None:
        return Hold("InvalidTemplate", unusable)
    return hold(schedule.spec, starts=starts, active=active, failures=failures, now=now)


def _due(book: Book, schedule: RetrainSchedule, held: Hold | None, now: datetime) -> list[_Due]:
    """Cron times that wait for a run, oldest first; those past their deadline are written off."""
    if schedule.spec.suspend:
        return []
    due = []
    for trigger in schedule.spec.triggers:
        if trigger.cron is None:
            continue
        try:
            time = cron.due_time(trigger.cron, book.handled[trigger.name], now)
        except cron.InvalidCron:
            continue
        if time is None:
            continue
        end = cron.deadline(trigger.cron, time)
        if now <= end:
            due.append(_Due(trigger.name, time, end))
            continue
        book.handled[trigger.name] = time
        why = f"{held.reason}: {held.message}" if held else "the operator did not run in time"
        book.events.append(
            Event(
                "Warning",
                "MissedSchedule",
                f"trigger {trigger.name} had no run at {timestamp(time)} within "
                f"startingDeadlineSeconds {trigger.cron.starting_deadline_seconds}: {why}",
            )
        )
    return sorted(due, key=lambda d: (d.time, d.trigger))


def _decide(
    book: Book,
    snapshot: ScheduleSnapshot,
    alerts: Sequence[MatchedAlert],
    due: Sequence[_Due],
    held: Hold | None,
    active: Sequence[str],
) -> Cause | None:
    """The cause of a new run, which takes everything that waits; or None, with each alert put to
    the active run, to those that wait or to the suppressed ones."""
    policy = snapshot.schedule.spec.concurrency_policy
    running = book.last if book.last is not None and book.last.name in active else None
    fresh = alerts
    if running is not None:
        began = _created(running, snapshot.runs)
        fresh = tuple(a for a in alerts if not answered_by(a.alert.starts_at, began))
    if held is None and (due or book.pending or (fresh if running else alerts)):
        return _cause(book, alerts, due[0] if due else None, snapshot.now)
    if policy == "Queue" and (held is None or held.reason not in ("Suspended", "Terminating")):
        book.count_on_last(len(alerts) - len(fresh))
        book.wait(fresh, snapshot.now)
    elif running is not None:
        book.count_on_last(len(alerts))
    else:
        book.suppressed += len(alerts)
    return None


def _created(running: LastRun, runs: Sequence[TrainingRun]) -> datetime:
    """When the run was created, rounded up, since the API server cuts fractions off."""
    times = [created(r) for r in runs if r.metadata.name == running.name]
    return max([*times, parse(running.time)]) + timedelta(seconds=1)


def _cause(book: Book, alerts: Sequence[MatchedAlert], due: _Due | None, now: datetime) -> Cause:
    gathered = replace(book)
    gathered.wait(alerts, now)
    waiting = gathered.pending
    cause = Cause(
        type="Cron" if due else "Alert",
        trigger=due.trigger if due else (waiting.trigger if waiting else ""),
        time=timestamp(due.time) if due else (waiting.since if waiting else None),
        alert_count=waiting.alert_count if waiting else 0,
        alerts=waiting.alerts if waiting else (),
    )
    summary = cause.alerts[0].summary if cause.alerts else ""
    text = cause_text(cause) + (f": {summary}" if summary else "")
    return cause.model_copy(update={"message": text[:1024]})


def _run(schedule: RetrainSchedule, name: str, cause: Cause, active: Sequence[str]) -> Manifest:
    spec, meta = schedule.spec, schedule.metadata
    run = TrainingRunSpec(
        model=spec.model,
        schedule=meta.name,
        cause=cause,
        replaces=tuple(active[:16]) if spec.concurrency_policy == "Replace" else (),
        training=spec.training,
        gates=spec.gates,
        approval=spec.approval,
    )
    return {
        "apiVersion": API_VERSION,
        "kind": TrainingRun.kind,
        "metadata": {
            "name": name,
            "namespace": meta.namespace,
            "labels": {MANAGED_BY: MANAGER, SCHEDULE: meta.name, MODEL: spec.model},
            "ownerReferences": [owner_reference(schedule.kind, meta)],
        },
        "spec": run.wire(),
    }


def _upcoming(schedule: RetrainSchedule, now: datetime) -> datetime | None:
    """The next cron time of all triggers."""
    if schedule.spec.suspend:
        return None
    times = []
    for trigger in schedule.spec.triggers:
        if trigger.cron is not None:
            try:
                times.append(cron.next_time(trigger.cron, now))
            except cron.InvalidCron:
                continue
    return min(times, default=None)


def _observe(
    book: Book,
    schedule: RetrainSchedule,
    unusable: str | None,
    held: Hold | None,
    active: Sequence[str],
    upcoming: datetime | None,
) -> tuple[Observation, ...]:
    """Ready is False only for what a person must mend."""
    faults = triggers.problems(schedule.spec.triggers)
    if unusable is not None:
        return readiness("False", "InvalidTemplate", unusable, stalled=True)
    if held is not None and held.reason == "CircuitOpen":
        return readiness("False", held.reason, held.message, stalled=True)
    if faults:
        text = "; ".join(faults) + "; the other triggers work"
        return readiness("False", "InvalidTrigger", text, stalled=True)
    reason, parts = "Scheduled", ["waiting for a trigger"]
    if active:
        reason, parts = "Active", [f"TrainingRun {', '.join(active[:3])} is active"]
    if held is not None and held.reason != "Active":
        reason = held.reason if held.reason == "Suspended" or not active else reason
        until = f"next run not before {timestamp(held.until)}: " if held.until else ""
        parts = [*(parts if active else ()), f"{until}{held.message}"]
    if book.pending is not None:
        parts.append(f"{book.pending.alert_count} alerts wait for the next run")
    counted = sum(book.received.values())
    if counted:
        parts.append(f"{counted} alert{'' if counted == 1 else 's'} counted")
    if upcoming is not None:
        parts.append(f"next cron time {timestamp(upcoming)}")
    return readiness("True", reason, "; ".join(parts))


def _announce(book: Book, schedule: RetrainSchedule, reason: str, message: str) -> None:
    """An event when the schedule begins to stall."""
    before = find(schedule.status.conditions, "Ready")
    if reason in ("CircuitOpen", "InvalidTrigger", "InvalidTemplate") and (
        before is None or before.reason != reason
    ):
        book.events.append(Event("Warning", reason, message))
