"""The Job engine: a pod template in a batch/v1 Job, and how that Job stands.

Its report is the termination message of the pod's first container, the trainer.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from evenkeel.api.common import TrainingTemplate
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import JOB, POD, READ, Watch
from evenkeel.meta.times import parse
from evenkeel.pods.security import restricted
from evenkeel.pods.slim import slim
from evenkeel.training.engine import Engine, Observed, State, labels_of, metadata
from evenkeel.training.environment import environment
from evenkeel.training.trainer_pods import last_failure, report, waiting

Json = Mapping[str, Any]

POD_WAIT_SECONDS = 60
"""For so long a finished Job's pod may be missing from the snapshot, which can lag behind."""


def problem(training: TrainingTemplate) -> str | None:
    """What in the pod template would keep the Job from working; None if nothing does."""
    pod = training.pod_template.spec
    containers, init = pod.get("containers"), pod.get("initContainers") or []
    if not isinstance(containers, list) or not containers:
        return "training.podTemplate.spec.containers needs the trainer as its first container"
    if not isinstance(init, list) or not all(map(_shaped, (*containers, *init))):
        return (
            "training.podTemplate.spec: containers must be objects and their env lists of objects "
            "with a name"
        )
    if pod.get("restartPolicy", "Never") != "Never":
        return (
            "training.podTemplate.spec.restartPolicy must be Never or left out; "
            "training.retries says how often a failed pod is tried again"
        )
    return None


def _shaped(container: Any) -> bool:
    env = container.get("env") or [] if isinstance(container, dict) else None
    return isinstance(env, list) and all(
        isinstance(e, dict) and isinstance(e.get("name"), str) for e in env
    )


def training_job(run: TrainingRun, champion: ModelVersion | None = None) -> Manifest:
    """The Job; the template must have no `problem`.

    It has no time to live of its own: the run deletes it once the result is in its status.
    """
    training, template = run.spec.training, run.spec.training.pod_template
    meta = template.metadata
    spec = copy.deepcopy(template.spec)
    spec["restartPolicy"] = "Never"
    trainer = spec["containers"][0]
    trainer["env"] = environment(run, champion, trainer.get("env") or [])
    # On success only the file counts; on failure the end of the log tells more than nothing.
    trainer.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    return {
        "apiVersion": JOB.api_version,
        "kind": JOB.kind,
        "metadata": metadata(run),
        "spec": {
            "backoffLimit": training.retries,
            "activeDeadlineSeconds": training.timeout_seconds,
            # A drained or preempted node is not the trainer's failure.
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    }
                ]
            },
            "template": {
                "metadata": {
                    "labels": {**(meta.labels if meta else {}), **labels_of(run)},
                    "annotations": dict(meta.annotations) if meta else {},
                },
                "spec": restricted(spec),
            },
        },
    }


def job_state(run: TrainingRun, observed: Observed, now: datetime) -> State:
    """How the Job stands, from its conditions and pods."""
    job, pods, trainer = observed.main or {}, observed.of(POD.kind), _trainer(run)
    status = job.get("status") or {}
    conditions = {c.get("type"): c for c in status.get("conditions") or ()}
    if _true(conditions.get("Complete")):
        return _succeeded(status, conditions["Complete"], pods, trainer, now)
    if _true(conditions.get("Failed")):
        return _failed(conditions["Failed"], pods, trainer)
    if _true(conditions.get("Suspended")):
        return State("Suspended", "the Job is suspended, for instance by a quota queue")
    failed = int(status.get("failed") or 0)
    limit = int((job.get("spec") or {}).get("backoffLimit", 6)) + 1
    attempt = f"attempt {min(failed + 1, limit)} of {limit}"
    if failed:
        attempt += f"; the one before: {last_failure(pods, trainer) or 'no pod is left'}"
    if words := waiting(pods):
        return State("Pending", f"{attempt}: {words}")
    if not int(status.get("active") or 0):
        return State("Pending", f"{attempt}: no pod yet; the Job's Events say why if that lasts")
    if not any((pod.get("status") or {}).get("phase") == "Running" for pod in pods):
        return State("Pending", f"{attempt}: waiting for the pod to start")
    return State("Running", attempt)


def _succeeded(
    status: Json, condition: Json, pods: Sequence[Json], trainer: str, now: datetime
) -> State:
    found = report(pods, trainer)
    if found is not None:
        return State("Succeeded", "", found, status.get("completionTime"))
    since = condition.get("lastTransitionTime")
    if since and (now - parse(since)).total_seconds() < POD_WAIT_SECONDS:
        return State(
            "Running",
            "the Job is complete; waiting for its pod's report",
            requeue_after=float(POD_WAIT_SECONDS),
        )
    return State(
        "ReportLost",
        "the Job is complete, but its pod was deleted before the report in its termination "
        "message was read",
    )


def _failed(condition: Json, pods: Sequence[Json], trainer: str) -> State:
    reason, words = condition.get("reason", ""), last_failure(pods, trainer)
    if reason == "DeadlineExceeded":
        return State("TimedOut", words)
    return State("Failed", f"{reason}: {words or 'no pod is left'}")


def _trainer(run: TrainingRun) -> str:
    """Name of the container that trains: the first."""
    return str(run.spec.training.pod_template.spec["containers"][0].get("name", ""))


def _true(condition: Json | None) -> bool:
    return condition is not None and condition.get("status") == "True"


JOB_ENGINE = Engine(
    field="pod_template",
    type=JOB,
    watches=(
        Watch(JOB, kept=("backoffLimit", "suspend")),
        Watch(POD, verbs=READ, slim=slim),
    ),
    problem=problem,
    manifest=training_job,
    state=job_state,
)
