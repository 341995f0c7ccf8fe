"""Plans a TrainingRun: its Job, then the ModelVersion that comes out of it.

A run trains at most once. Its Job is created before the status says so; when the Job is later gone
without a result, the run fails instead of training a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from evenkeel.api.base import API_VERSION
from evenkeel.api.modelversion import ApprovalDecision, ModelVersion, ModelVersionSpec
from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.api.trainingrun import TrainingResult, TrainingRun, TrainingRunStatus
from evenkeel.meta.conditions import Condition, Observation, merge, readiness
from evenkeel.meta.names import child_name, digest
from evenkeel.meta.objects import Event, Manifest, Ref
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import parse, timestamp
from evenkeel.training import template as training_template
from evenkeel.training.job import run_labels, trainer_name, training_job
from evenkeel.training.job_state import job_state
from evenkeel.training.result import InvalidResult, parse_result
from evenkeel.training.run_state import REPLACED, ended, finished, replaced, result

UNSEEN_SECONDS = 60
"""For so long a Job that was just created may be missing from the snapshot."""


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """What a run's plan reads.

    `schedule`: the run's RetrainSchedule, for the alerts counted since. `job`: the Job of the run's
    name. `pods`: its pods. `replaced_by`: name of a run whose spec.replaces names this one.
    `champion`: the version in production. `rejection`: the API server's answer if it refused the
    Job as invalid (422).
    """

    run: TrainingRun
    schedule: RetrainSchedule | None
    job: dict[str, Any] | None
    pods: tuple[dict[str, Any], ...]
    replaced_by: str | None
    version_exists: bool
    now: datetime
    rejection: str | None = None
    champion: ModelVersion | None = None


def version_name(run: TrainingRun) -> str:
    """The ModelVersion of a run: the model and a digest of the run."""
    return child_name(run.spec.model, digest(run.metadata.uid))


def plan_run(snapshot: RunSnapshot) -> Plan:
    """The next step of the run; the same snapshot gives the same plan. Never raises for bad input.

    An unfinished run without a Job gets one; a finished Job becomes a ModelVersion or a failure.
    """
    run, job = snapshot.run, snapshot.job
    if finished(run):
        return _afterwards(snapshot)
    if run.metadata.deletion_timestamp is not None:
        return Plan(status=run.status)
    fault = training_template.problem(run.spec.training)
    if fault is not None:
        return _failure(snapshot, "InvalidTemplate", fault)
    if job is not None and not _owned(run, job):
        return _failure(
            snapshot,
            "JobConflict",
            f"a Job {run.metadata.name} of another owner exists; delete it, and create another "
            "TrainingRun",
        )
    if job is not None:
        state = job_state(job, snapshot.pods, trainer_name(run), snapshot.now)
        if state.report is not None:
            return _reported(snapshot, state.report)
        if state.phase == "TimedOut":
            limit = run.spec.training.timeout_seconds
            text = f"the training took longer than timeoutSeconds {limit}"
            return _failure(
                snapshot, "TimedOut", f"{text}: {state.message}" if state.message else text
            )
        if state.phase == "Failed":
            return _failure(snapshot, "TrainerFailed", state.message)
        if state.phase == "ReportLost":
            return _failure(snapshot, "ReportLost", state.message)
    if snapshot.replaced_by is not None:
        return _failure(
            snapshot, REPLACED, f"TrainingRun {snapshot.replaced_by} replaced this run", stop=True
        )
    if job is not None:
        return _progress(snapshot, state.phase, state.message)
    if snapshot.rejection is not None:
        return _failure(
            snapshot,
            "InvalidTemplate",
            f"the API server refused the Job: {snapshot.rejection}; correct training.podTemplate",
        )
    return _without_job(snapshot)


def _without_job(snapshot: RunSnapshot) -> Plan:
    run, now = snapshot.run, snapshot.now
    if run.status.start_time is None:
        return _progress(
            snapshot,
            "Pending",
            f"Job {run.metadata.name} is being created",
            creates=(training_job(run, snapshot.champion),),
            events=(Event("Normal", "JobCreated", f"Job {run.metadata.name}"),),
        )
    seen_by = parse(run.status.start_time) + timedelta(seconds=UNSEEN_SECONDS)
    if now < seen_by:
        return _progress(
            snapshot,
            "Pending",
            f"Job {run.metadata.name} was created",
            requeue_after=(seen_by - now).total_seconds(),
        )
    return _failure(
        snapshot,
        "JobLost",
        f"Job {run.metadata.name} was deleted before its result was read; create another "
        "TrainingRun, or let the schedule's next trigger do so",
    )


def _reported(snapshot: RunSnapshot, message: str) -> Plan:
    try:
        report = parse_result(message)
    except InvalidResult as problem:
        return _failure(snapshot, "InvalidResult", str(problem))
    name = version_name(snapshot.run)
    return Plan(
        status=_status(
            snapshot,
            readiness("True", "Succeeded", f"ModelVersion {name}"),
            completion_time=timestamp(snapshot.now),
            report=report,
            model_version=name,
        ),
        creates=() if snapshot.version_exists else (_version(snapshot, name, report),),
        events=(Event("Normal", "Succeeded", f"ModelVersion {name} from {report.uri}"),),
        requeue_after=float(snapshot.run.spec.training.ttl_seconds_after_finished),
    )


def _version(snapshot: RunSnapshot, name: str, report: TrainingResult) -> Manifest:
    """The record outlives run and schedule, so it has no owner."""
    run = snapshot.run
    spec = ModelVersionSpec(
        model=run.spec.model,
        uri=report.uri,
        format=report.format,
        digest=report.digest,
        data_revision=report.data_revision,
        code_revision=report.code_revision,
        parameters=run.spec.training.parameters,
        metrics=report.metrics,
        slices=report.slices,
        training_run=run.metadata.name,
        cause=run.spec.cause.model_copy(update={"alert_count": _alert_count(snapshot)}),
        gates=run.spec.gates,
        approval=ApprovalDecision(mode=run.spec.approval),
    )
    return {
        "apiVersion": API_VERSION,
        "kind": ModelVersion.kind,
        "metadata": {
            "name": name,
            "namespace": run.metadata.namespace,
            "labels": run_labels(run),
        },
        "spec": spec.wire(),
    }


def _failure(snapshot: RunSnapshot, reason: str, message: str, *, stop: bool = False) -> Plan:
    """A final failure; `stop` deletes the Job at once instead of after its time to live."""
    return Plan(
        status=_status(
            snapshot,
            readiness("False", reason, message, stalled=True),
            completion_time=timestamp(snapshot.now),
        ),
        deletes=_delete_job(snapshot) if stop else (),
        events=(Event("Normal" if reason == REPLACED else "Warning", reason, message),),
        requeue_after=float(snapshot.run.spec.training.ttl_seconds_after_finished),
    )


def _progress(
    snapshot: RunSnapshot,
    reason: str,
    message: str,
    *,
    creates: tuple[Manifest, ...] = (),
    events: tuple[Event, ...] = (),
    requeue_after: float | None = None,
) -> Plan:
    # A complete Job whose pod is not seen yet is looked at again.
    waits = snapshot.job is not None and reason == "Running" and _complete(snapshot.job)
    return Plan(
        status=_status(snapshot, readiness("Unknown", reason, message)),
        creates=creates,
        events=events,
        requeue_after=float(UNSEEN_SECONDS) if waits else requeue_after,
    )


def _afterwards(snapshot: RunSnapshot) -> Plan:
    """Of a finished run only the count of alerts still moves, and its Job is deleted in the end."""
    run = snapshot.run
    left = 0.0
    if not replaced(run):
        life = timedelta(seconds=run.spec.training.ttl_seconds_after_finished)
        left = (ended(run) + life - snapshot.now).total_seconds()
    over = left <= 0
    return Plan(
        status=run.status.model_copy(
            update={"alert_count": _alert_count(snapshot), "conditions": _restated(snapshot)}
        ),
        deletes=_delete_job(snapshot) if over else (),
        requeue_after=None if over or snapshot.job is None else left,
    )


def _restated(snapshot: RunSnapshot) -> tuple[Condition, ...]:
    """Ready as the run ended, in place of a refused write that it may have told of since."""
    run = snapshot.run
    end = result(run)
    assert end is not None
    ready = readiness(end.status, end.reason, end.message, stalled=end.status == "False")
    return merge(
        run.status.conditions,
        (*ready, Observation("Succeeded", end.status, end.reason, end.message)),
        run.metadata.generation,
        snapshot.now,
    )


def _delete_job(snapshot: RunSnapshot) -> tuple[Ref, ...]:
    job = snapshot.job
    if job is None or not _owned(snapshot.run, job) or job["metadata"].get("deletionTimestamp"):
        return ()
    meta = job["metadata"]
    return (Ref("batch/v1", "Job", snapshot.run.metadata.namespace, meta["name"], meta["uid"]),)


def _owned(run: TrainingRun, job: dict[str, Any]) -> bool:
    owners = job["metadata"].get("ownerReferences") or ()
    return any(owner.get("uid") == run.metadata.uid for owner in owners)


def _complete(job: dict[str, Any]) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Complete" and c.get("status") == "True" for c in conditions)


def _alert_count(snapshot: RunSnapshot) -> int:
    """The schedule counts further alerts on its newest run."""
    run, schedule = snapshot.run, snapshot.schedule
    counts = [run.spec.cause.alert_count, run.status.alert_count]
    last = schedule.status.last_run if schedule is not None else None
    if last is not None and last.name == run.metadata.name:
        counts.append(last.alert_count)
    return max(counts)


def _status(
    snapshot: RunSnapshot,
    observations: tuple[Observation, ...],
    *,
    completion_time: str | None = None,
    report: TrainingResult | None = None,
    model_version: str | None = None,
) -> TrainingRunStatus:
    run, generation = snapshot.run, snapshot.run.metadata.generation
    ready = observations[0]
    record = Observation("Succeeded", ready.status, ready.reason, ready.message)
    no_job = snapshot.job is None and run.status.job is None and completion_time is not None
    return TrainingRunStatus(
        observed_generation=generation,
        conditions=merge(run.status.conditions, (*observations, record), generation, snapshot.now),
        job=None if no_job else run.metadata.name,
        start_time=run.status.start_time or (None if no_job else timestamp(snapshot.now)),
        completion_time=completion_time,
        alert_count=_alert_count(snapshot),
        result=report,
        model_version=model_version,
    )
