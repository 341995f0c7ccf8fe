"""The status of a run, as each plan writes it."""

from __future__ import annotations

from datetime import datetime

from evenkeel.api.trainingrun import TrainingResult, TrainingRunStatus
from evenkeel.meta.conditions import Observation, merge, readiness
from evenkeel.meta.text import printable
from evenkeel.meta.times import timestamp
from evenkeel.training.engine import State
from evenkeel.training.restored import WHAT_TO_DO, created
from evenkeel.training.restored import restored as restored_run
from evenkeel.training.run_state import RESTORED, result
from evenkeel.training.snapshot import RunSnapshot


def unfinished(snapshot: RunSnapshot, reason: str, message: str) -> TrainingRunStatus:
    """Of a run that goes on."""
    return _status(snapshot, readiness("Unknown", reason, message))


def begun(snapshot: RunSnapshot, message: str) -> TrainingRunStatus:
    """Of a run whose object is created now."""
    made = unfinished(snapshot, "Pending", message)
    active = None if snapshot.run.spec.training.suspend else timestamp(snapshot.now)
    return made.model_copy(update={"active_time": active})


def progress(snapshot: RunSnapshot, state: State) -> TrainingRunStatus:
    """Of a run whose training goes on, with what its engine has to remember."""
    made = unfinished(snapshot, state.reason or state.phase, state.message)
    known = printable(state.failure)[:2048] or made.last_failure
    active = snapshot.run.status.active_time or timestamp(snapshot.now)
    return made.model_copy(
        update={
            "last_failure": known,
            "cut_short": state.cut_short,
            "active_time": None if state.phase == "Suspended" else active,
        }
    )


def held(snapshot: RunSnapshot, reason: str, message: str) -> TrainingRunStatus:
    """Of a run for which nothing can be done until a person acts; it goes on then."""
    ready = readiness("False", reason, message, stalled=True)
    return _kept(snapshot, (*ready, Observation("Succeeded", "Unknown", reason, message)))


def reported(snapshot: RunSnapshot, report: TrainingResult) -> TrainingRunStatus:
    """Of a run whose report is known, and whose ModelVersion the API server refuses so far."""
    made = unfinished(snapshot, "Running", "the trainer has reported; its ModelVersion comes next")
    return made.model_copy(update={"result": report})


def awaiting(
    snapshot: RunSnapshot, message: str, trained: str, absent: datetime | None
) -> TrainingRunStatus:
    """Of a run whose training has succeeded, and whose report is read outside. trained: when.

    absent: since when that is missing, if it is known to be; what was known of it is kept else.
    """
    made = unfinished(snapshot, "AwaitingResult", message)
    missing = snapshot.run.status.absent_time if absent is None else timestamp(absent)
    return made.model_copy(update={"trained_time": trained, "absent_time": missing})


def succeeded(snapshot: RunSnapshot, report: TrainingResult, version: str) -> TrainingRunStatus:
    """Of a run that ends now with the model version of that name."""
    ready = readiness("True", "Succeeded", f"ModelVersion {version}")
    return _status(snapshot, ready, ended=True, report=report, model_version=version)


def failed(snapshot: RunSnapshot, reason: str, message: str) -> TrainingRunStatus:
    """Of a run that ends now without one."""
    return _status(snapshot, readiness("False", reason, message, stalled=True), ended=True)


def restored(snapshot: RunSnapshot) -> TrainingRunStatus:
    """Of a run that had an earlier life, of which it is not known how it ended."""
    message = f"the run was first created at {timestamp(created(snapshot.run))}: {WHAT_TO_DO}"
    ready = readiness("False", RESTORED, message, stalled=True)
    return _kept(snapshot, (*ready, Observation("Succeeded", "False", RESTORED, message)))


def afterwards(snapshot: RunSnapshot) -> TrainingRunStatus:
    """Of a run that has ended: only the count of alerts still moves.

    Ready tells how it ended, in place of a refused write that it may have told of since.
    """
    run = snapshot.run
    end = result(run)
    assert end is not None
    reason, message = end.reason, end.message
    if restored_run(run) and reason != RESTORED:
        reason, message = RESTORED, f"it had ended: {end.reason}: {end.message}; {WHAT_TO_DO}"
    ready = readiness(end.status, reason, message, stalled=end.status == "False")
    return _kept(snapshot, (*ready, Observation("Succeeded", end.status, end.reason, end.message)))


def _kept(snapshot: RunSnapshot, observations: tuple[Observation, ...]) -> TrainingRunStatus:
    """The status as it stands, with these conditions."""
    run, generation = snapshot.run, snapshot.run.metadata.generation
    return run.status.model_copy(
        update={
            "observed_generation": generation,
            "conditions": merge(run.status.conditions, observations, generation, snapshot.now),
            "creation_time": timestamp(created(run)),
            "alert_count": snapshot.alert_count,
            "run": snapshot.known_as,
        }
    )


def _status(
    snapshot: RunSnapshot,
    observations: tuple[Observation, ...],
    *,
    ended: bool = False,
    report: TrainingResult | None = None,
    model_version: str | None = None,
) -> TrainingRunStatus:
    run, generation = snapshot.run, snapshot.run.metadata.generation
    ready = observations[0]
    record = Observation("Succeeded", ready.status, ready.reason, ready.message)
    unborn = snapshot.observed.main is None and run.status.start_time is None and ended
    now = timestamp(snapshot.now)
    return TrainingRunStatus(
        observed_generation=generation,
        conditions=merge(run.status.conditions, (*observations, record), generation, snapshot.now),
        creation_time=timestamp(created(run)),
        job=None if unborn or snapshot.outside else run.metadata.name,
        run=snapshot.known_as,
        start_time=run.status.start_time or (None if unborn else now),
        active_time=run.status.active_time,
        trained_time=run.status.trained_time,
        completion_time=now if ended else None,
        alert_count=snapshot.alert_count,
        last_failure=run.status.last_failure,
        cut_short=run.status.cut_short,
        data=run.status.data,
        result=report,
        model_version=model_version,
    )
