"""The Job engine: a pod template in a batch/v1 Job, and how that Job stands.

Its report is the termination message of the trainer, the first container of the pod template.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from evenkeel.api.common import TrainingTemplate
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.admission import explained
from evenkeel.meta.objects import Manifest, Ref
from evenkeel.meta.resources import JOB, POD, READ, Watch
from evenkeel.meta.times import parse
from evenkeel.pods.security import restricted
from evenkeel.pods.slim import slim
from evenkeel.training.engine import Engine, Observed, State, labels_of, metadata
from evenkeel.training.environment import environment
from evenkeel.training.trainer_pods import (
    evicted_for_own_excess,
    last_failure,
    leaving,
    left_behind,
    lost,
    report,
    reporting,
    running,
    seconds_since_end,
    waiting,
)

Json = Mapping[str, Any]

QUEUE = "kueue.x-k8s.io/queue-name"
"""Kueue's label on a Job that waits for its turn."""
LEFT_BEHIND_SECONDS = 10.0
"""For so long other containers may run on after the trainer's end."""
LOOK_SOON = 2.0
LOOK_AGAIN = 15.0
"""Seconds after which it is asked again why there is no pod; nothing tells of a change."""
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
            "suspend": training.suspend,
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
    """How the Job stands: by its trainer's end where there is one, then by its conditions."""
    job, trainer = observed.main or {}, _trainer(run)
    pods = [pod for pod in observed.of(POD.kind) if _is_of(job, pod)]
    status = job.get("status") or {}
    conditions = {c.get("type"): c for c in status.get("conditions") or ()}
    over = _true(conditions.get("Complete")) or _true(conditions.get("Failed"))
    if (pod := reporting(pods, trainer)) is not None:
        return _succeeded(pod, trainer, now, over=over)
    if _true(conditions.get("Complete")):
        return _without_report(conditions["Complete"], now)
    failure = last_failure(pods, trainer) or run.status.last_failure
    if _true(conditions.get("Failed")):
        return _failed(conditions["Failed"], failure, observed.refusal)
    if _true(conditions.get("FailureTarget")):
        reason = conditions["FailureTarget"].get("reason", "")
        return State("Running", f"the Job is ending: {reason}", failure=failure)
    if (job.get("spec") or {}).get("suspend", _true(conditions.get("Suspended"))):
        return State("Suspended", _why_suspended(run, job), failure=failure)
    return _going_on(run, observed, pods, failure, now)


def _going_on(
    run: TrainingRun, observed: Observed, pods: Sequence[Json], failure: str, now: datetime
) -> State:
    job, trainer = observed.main or {}, _trainer(run)
    evicted = evicted_for_own_excess(pods)
    failed = int((job.get("status") or {}).get("failed") or 0) + evicted
    limit = int((job.get("spec") or {}).get("backoffLimit", 6)) + 1
    if evicted and failed >= limit:
        # The Job would go on until its time is over.
        return State("Failed", f"BackoffLimitExceeded: {failure}", failure=failure, stop=True)
    attempt = f"attempt {min(failed + 1, limit)} of {limit}"
    stuck = [(pod, names) for pod in pods if (names := left_behind(pod, trainer))]
    if stuck:
        return _stuck(run, attempt, stuck, failure, now)
    if failed or failure:
        attempt += f"; the one before: {failure or 'no pod is left'}"
    if words := waiting(pods):
        return State("Pending", f"{attempt}: {words}", failure=failure)
    if running(pods):
        return State("Running", attempt, failure=failure)
    if words := leaving(pods):
        return State("Pending", f"{attempt}: {words}; another follows", failure=failure)
    if observed.refusal:
        words = f"no pod can be created: {explained(observed.refusal)}"
        return State("Pending", f"{attempt}: {words}", failure=failure, requeue_after=LOOK_AGAIN)
    if not int((job.get("status") or {}).get("active") or 0):
        words = "no pod yet; the Job's Events say why if that lasts"
        return State("Pending", f"{attempt}: {words}", failure=failure, requeue_after=LOOK_SOON)
    return State("Pending", f"{attempt}: waiting for the pod to start", failure=failure)


def _stuck(
    run: TrainingRun,
    attempt: str,
    stuck: Sequence[tuple[Json, tuple[str, ...]]],
    failure: str,
    now: datetime,
) -> State:
    """Attempts whose trainer has failed while other containers keep the pod from ending.

    The Job counts the failure once the pod is gone.
    """
    left = {pod["metadata"]["name"]: _patience(pod, _trainer(run), now) for pod, _ in stuck}
    names = ", ".join(dict.fromkeys(name for _, names in stuck for name in names))
    namespace = run.metadata.namespace
    return State(
        "Running",
        f"{attempt} has failed: {failure}; container {names} still runs and is stopped",
        failure=failure,
        requeue_after=max(left.values()) or None,
        ends=tuple(
            Ref(POD.api_version, POD.kind, namespace, meta["name"], meta.get("uid", ""))
            for pod, _ in stuck
            if left[(meta := pod["metadata"])["name"]] <= 0
        ),
    )


def _succeeded(pod: Json, trainer: str, now: datetime, *, over: bool) -> State:
    """The trainer's report; a Job that others keep going is stopped after a while, and at once
    where it would try again."""
    found, again = report([pod], trainer), lost(pod)
    if over or not (again or left_behind(pod, trainer)):
        return State("Succeeded", "", found)
    left = 0.0 if again else _patience(pod, trainer, now)
    return State("Succeeded", "", found, stop=left <= 0, requeue_after=left or None)


def _patience(pod: Json, trainer: str, now: datetime) -> float:
    """Seconds that the other containers still have to end by themselves; never negative."""
    return max(0.0, LEFT_BEHIND_SECONDS - seconds_since_end(pod, trainer, now))


def _without_report(condition: Json, now: datetime) -> State:
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


def _failed(condition: Json, failure: str, refusal: str) -> State:
    reason = condition.get("reason", "")
    if reason == "DeadlineExceeded":
        words = f"no pod could be created: {explained(refusal)}" if refusal else failure
        return State("TimedOut", words)
    return State("Failed", f"{reason}: {failure or 'no pod is left'}")


def _why_suspended(run: TrainingRun, job: Json) -> str:
    labels = (job.get("metadata") or {}).get("labels") or {}
    if queue := labels.get(QUEUE):
        return f"the Job waits in Kueue's queue {queue}"
    if run.spec.training.suspend:
        return (
            "the Job starts suspended, as training.suspend asks; whoever sets its spec.suspend to "
            "false lets it start"
        )
    return "the Job is suspended, for instance by a quota queue"


def _is_of(job: Json, pod: Json) -> bool:
    """Whether the pod is this Job's, and not that of an earlier one of the same name."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return not owners or any(o.get("uid") == job["metadata"]["uid"] for o in owners)


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
        Watch(POD, verbs=(*READ, "delete"), slim=slim),
    ),
    problem=problem,
    manifest=training_job,
    state=job_state,
)
