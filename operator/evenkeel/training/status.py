"""The status of a run, as each plan writes it."""

from __future__ import annotations

from evenkeel.api.trainingrun import TrainingResult, TrainingRunStatus
from evenkeel.meta.conditions import Condition, Observation, merge, readiness
from evenkeel.meta.times import timestamp
from evenkeel.training.restored import WHAT_TO_DO, created
from evenkeel.training.restored import restored as restored_run
from evenkeel.training.run_state import RESTORED, result
from evenkeel.training.snapshot import RunSnapshot


def unfinished(snapshot: RunSnapshot, reason: str, message: str) -> TrainingRunStatus:
    """Of a run that goes on."""
    return _status(snapshot, readiness("Unknown", reason, message))


def succeeded(snapshot: RunSnapshot, report: TrainingResult, version: str) -> TrainingRunStatus:
    """Of a run that ends now with the model version of that name."""
    ready = readiness("True", "Succeeded", f"ModelVersion {version}")
    return _status(snapshot, ready, ended=True, report=report, model_version=version)


def failed(snapshot: RunSnapshot, reason: str, message: str) -> TrainingRunStatus:
    """Of a run that ends now without one."""
    return _status(snapshot, readiness("False", reason, message, stalled=True), ended=True)


def restored(snapshot: RunSnapshot) -> TrainingRunStatus:
    """Of a run that had an earlier life, of which it is not known how it ended."""
    run, generation = snapshot.run, snapshot.run.metadata.generation
    message = f"the run was first created at {timestamp(created(run))}: {WHAT_TO_DO}"
    ready = readiness("False", RESTORED, message, stalled=True)
    end = Observation("Succeeded", "False", RESTORED, message)
    return run.status.model_copy(
        update={
            "observed_generation": generation,
            "conditions": merge(run.status.conditions, (*ready, end), generation, snapshot.now),
            "creation_time": timestamp(created(run)),
            "alert_count": snapshot.alert_count,
        }
    )


def afterwards(snapshot: RunSnapshot) -> TrainingRunStatus:
    """Of a run that has ended: only the count of alerts still moves."""
    return snapshot.run.status.model_copy(
        update={
            "observed_generation": snapshot.run.metadata.generation,
            "creation_time": timestamp(created(snapshot.run)),
            "alert_count": snapshot.alert_count,
            "conditions": _restated(snapshot),
        }
    )


def _restated(snapshot: RunSnapshot) -> tuple[Condition, ...]:
    """Ready as the run ended, in place of a refused write that it may have told of since."""
    run = snapshot.run
    end = result(run)
    assert end is not None
    reason, message = end.reason, end.message
    if restored_run(run) and reason != RESTORED:
        reason, message = RESTORED, f"it had ended: {end.reason}: {end.message}; {WHAT_TO_DO}"
    ready = readiness(end.status, reason, message, stalled=end.status == "False")
    return merge(
        run.status.conditions,
        (*ready, Observation("Succeeded", end.status, end.reason, end.message)),
        run.metadata.generation,
        snapshot.now,
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
    unborn = snapshot.observed.main is None and run.status.job is None and ended
    now = timestamp(snapshot.now)
    return TrainingRunStatus(
        observed_generation=generation,
        conditions=merge(run.status.conditions, (*observations, record), generation, snapshot.now),
        creation_time=timestamp(created(run)),
        job=None if unborn else run.metadata.name,
        start_time=run.status.start_time or (None if unborn else now),
        completion_time=now if ended else None,
        alert_count=snapshot.alert_count,
        result=report,
        model_version=model_version,
    )
