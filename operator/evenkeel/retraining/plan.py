"""Plans a RetrainSchedule: which run it starts, and how every alert is accounted for.

The inbox is taken whole by one reconcile (group commit), so that a storm of alerts makes one run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from evenkeel.api.base import API_VERSION
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.retrainschedule import (
    RecentRun,
    RetrainSchedule,
    RetrainScheduleStatus,
    TriggerStatus,
)
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.conditions import Condition, merge
from evenkeel.meta.objects import Manifest, Ref
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import timestamp
from evenkeel.retraining import production
from evenkeel.retraining.accounts import Book, adopt, known_triggers, open_book
from evenkeel.retraining.admission import Blocked, Request, first_block
from evenkeel.retraining.admission.budget import within_window
from evenkeel.retraining.admission.failure_backoff import streak
from evenkeel.retraining.conditions import announcement, observations
from evenkeel.retraining.counted import note, sort
from evenkeel.retraining.decision import decide
from evenkeel.retraining.earlier_life import awaited_until, record
from evenkeel.retraining.history import expired
from evenkeel.retraining.occurrences import Upcoming, by_age, due_occurrences, upcoming
from evenkeel.retraining.runs import (
    active_runs,
    known_starts,
    manifest,
    revisions_in_training,
)
from evenkeel.retraining.sources import Sightings, changes, failure
from evenkeel.retraining.triggers import Matched
from evenkeel.retraining.triggers.kind import Occurrence
from evenkeel.training import template as training_template
from evenkeel.training.run_state import outcomes


@dataclass(frozen=True, slots=True)
class ScheduleSnapshot:
    """`runs`: all with the schedule's label. `alerts`: the whole inbox, in order of arrival.

    left_behind: runs that the schedule created in an earlier life. sightings: by trigger what is
    known of its source. champion: the version in production. decays: by trigger what is shown of
    its metrics, and decays_due: when there will be more to ask. drifts: by trigger what
    is shown of its drift.
    """

    schedule: RetrainSchedule
    runs: tuple[TrainingRun, ...]
    alerts: tuple[Matched, ...]
    now: datetime
    left_behind: tuple[Ref, ...] = ()
    sightings: Sightings = field(default_factory=dict)
    champion: ModelVersion | None = None
    decays: production.Decays = field(default_factory=dict)
    decays_due: datetime | None = None
    drifts: production.Drifts = field(default_factory=dict)


def plan_schedule(snapshot: ScheduleSnapshot) -> Plan:
    """Starts at most one run; the same snapshot gives the same plan. Never raises for bad input."""
    schedule, runs, now = snapshot.schedule, snapshot.runs, snapshot.now
    book = open_book(schedule, now)
    adopt(book, schedule, runs)
    told = sort(book.counted, snapshot.alerts)
    alerts = book.receive(told.fresh, now)

    request, presumed_until = _request(book, snapshot)
    blocked = first_block(request)
    due = _due(book, blocked, snapshot)
    run = decide(book, request, blocked, due, alerts, runs)
    if run is None and blocked is None and not request.active:
        # What was counted long ago and fires still is a cause again.
        alerts = book.receive(told.repeated, now)
        run = decide(book, request, blocked, due, alerts, runs)

    creates: tuple[Manifest, ...] = ()
    uncreated = None
    if run is not None:
        creates = (manifest(schedule, run, request.active, now, note(alerts, now)),)
        uncreated = _waiting(book, alerts, schedule.status, now)
        book.enter(run, now)
        due = [o for o in due if o is not run.occurrence]
        request = _after(request, run.name, book, snapshot)
        blocked = first_block(request)

    coming = (upcoming(schedule, now), production.upcoming(schedule, snapshot.champion, now))
    following = min(filter(None, coming), default=None)
    conditions = merge(
        schedule.status.conditions,
        observations(book, request, blocked, following, snapshot.sightings),
        schedule.metadata.generation,
        now,
    )
    moments = [blocked.until if blocked else None, presumed_until, snapshot.decays_due]
    moments += [following.time if following else None]
    moments += [o.deadline + timedelta(seconds=1) for o in due if o.deadline is not None]
    status = _status(book, request, conditions, following, snapshot)
    return Plan(
        status=status,
        creates=creates,
        adopts=snapshot.left_behind,
        deletes=_deletes(schedule, runs),
        annotations=record(schedule, status),
        events=(*book.events, *announcement(schedule, conditions)),
        requeue_after=_requeue_after(moments, now),
        uncreated=uncreated,
    )


def _due(book: Book, blocked: Blocked | None, snapshot: ScheduleSnapshot) -> list[Occurrence]:
    """What is to be answered by a run, the oldest first."""
    schedule, runs, now = snapshot.schedule, snapshot.runs, snapshot.now
    due = due_occurrences(book, schedule, blocked, now)
    due += changes(book, schedule, runs, snapshot.sightings, now)
    shown = snapshot.decays, snapshot.drifts
    due += production.occasions(book, schedule, runs, snapshot.champion, *shown, now)
    return by_age(due)


def _waiting(
    book: Book, alerts: Sequence[Matched], status: RetrainScheduleStatus, now: datetime
) -> RetrainScheduleStatus:
    """The status while the API server refuses the run: its alerts wait for the next attempt."""
    held = replace(book)
    held.wait(alerts, now)
    seen = known_triggers(status, held.kinds)
    return status.model_copy(
        update={
            "pending": held.pending,
            "counted": held.counted,
            "suppressed": held.suppressed,
            "last_run": held.last,
            "triggers": tuple(
                (seen.get(name) or _trigger_status(book, name)).model_copy(
                    update={"received": number}
                )
                for name, number in held.received.items()
            ),
        }
    )


def _request(book: Book, snapshot: ScheduleSnapshot) -> tuple[Request, datetime | None]:
    """What admission is asked, and until when a run that it names is only presumed."""
    schedule, runs, now = snapshot.schedule, snapshot.runs, snapshot.now
    active, presumed_until = active_runs(book.last, schedule, runs, now)
    last_is_back = book.last is None or book.last.name in {r.metadata.name for r in runs}
    request = Request(
        schedule=schedule,
        starts=known_starts(book.last, schedule, runs),
        active=active,
        failures=streak(outcomes(runs)),
        unusable=training_template.problem(schedule.spec.training),
        now=now,
        restored_until=None if last_is_back else awaited_until(book.last, schedule),
        revisions=revisions_in_training(active, book.last, schedule, runs),
    )
    return request, presumed_until


def _after(request: Request, started: str, book: Book, snapshot: ScheduleSnapshot) -> Request:
    """The request for the run after the one that has just been entered."""
    schedule, runs = snapshot.schedule, snapshot.runs
    active = sorted({*request.active, started})
    return replace(
        request,
        starts=known_starts(book.last, schedule, runs),
        active=active,
        revisions=revisions_in_training(active, book.last, schedule, runs),
    )


def _status(
    book: Book,
    request: Request,
    conditions: tuple[Condition, ...],
    following: Upcoming | None,
    snapshot: ScheduleSnapshot,
) -> RetrainScheduleStatus:
    spec = request.spec
    triggers = tuple(
        _trigger_status(book, t.name).model_copy(
            update={
                "failure": failure(request.schedule, t.name, snapshot.sightings),
                "decay": snapshot.decays.get(t.name),
            }
        )
        for t in spec.triggers
    )
    recent = within_window(request.starts, spec.budget, request.now) if spec.budget else {}
    return RetrainScheduleStatus(
        observed_generation=request.schedule.metadata.generation,
        conditions=conditions,
        active=tuple(request.active[:64]),
        last_run=book.last,
        pending=book.pending,
        triggers=triggers,
        counted=book.counted,
        suppressed=book.suppressed,
        recent_runs=tuple(RecentRun(name=n, time=timestamp(t)) for n, t in recent.items()),
        consecutive_failures=request.failures.number,
        next_schedule_time=timestamp(following.time) if following else None,
    )


def _trigger_status(book: Book, name: str) -> TriggerStatus:
    handled = book.handled.get(name)
    return TriggerStatus(
        name=name,
        kind=book.kinds.get(name),
        received=book.received[name],
        last_schedule_time=timestamp(handled) if handled else None,
        last_revision=book.revisions.get(name),
    )


def _deletes(schedule: RetrainSchedule, runs: Sequence[TrainingRun]) -> tuple[Ref, ...]:
    done = expired(runs, schedule.spec.history, schedule.spec.failure_policy)
    return tuple(
        Ref(API_VERSION, r.kind, r.metadata.namespace, r.metadata.name, r.metadata.uid)
        for r in done
    )


def _requeue_after(moments: Iterable[datetime | None], now: datetime) -> float | None:
    """Seconds until the first of the moments that are still to come."""
    following = min((m for m in moments if m is not None and m > now), default=None)
    return (following - now).total_seconds() if following else None
