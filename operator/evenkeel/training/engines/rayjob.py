"""The RayJob engine: KubeRay makes a Ray cluster for the run and submits the training to it.

The entrypoint runs in a process of Ray, not as a container, so that there is no termination
message: the report is read from where training.resultFrom says.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from evenkeel.api.common import TrainingTemplate
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.admission import explained
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import POD, READ, ResourceType, Watch
from evenkeel.meta.times import sooner
from evenkeel.pods.slim import slim
from evenkeel.training.engine import Engine, Observed, State, labels_of, manifest_of, own_events
from evenkeel.training.environment import environment, extensible
from evenkeel.training.main_object import (
    LOOK_AGAIN,
    LOOK_SOON,
    identity,
    of_its_life,
    seconds_left,
    why_suspended,
)
from evenkeel.training.trainer_pods import running, unfinished, waiting

Json = Mapping[str, Any]
JSON = dict[str, Any]

RAY_JOB = ResourceType("ray.io", "v1", "rayjobs", "RayJob")
GRACE_SECONDS = 30.0
"""For so long after the time is over KubeRay may need to end the RayJob by itself."""
WORDS = 1000
_PATH = "training.rayJob.spec"
_INSTEAD = {
    "suspend": "training.suspend",
    "activeDeadlineSeconds": "training.timeoutSeconds",
    "backoffLimit": "training.retries",
}
_SPEC = ("suspend", "activeDeadlineSeconds", "backoffLimit")
_STATUS = ("jobDeploymentStatus", "jobStatus", "reason", "endTime", "failed", "rayClusterName")


def problem(training: TrainingTemplate) -> str | None:
    """What would keep the RayJob from taking the run's labels and environment."""
    assert training.ray_job is not None
    if training.result_from is None:
        return "training.rayJob needs training.resultFrom: Ray leaves no termination message"
    spec = training.ray_job.spec
    for field, instead in _INSTEAD.items():
        if field in spec:
            return f"{_PATH}: write {instead} in place of {field}"
    if not spec.get("entrypoint"):
        return f"{_PATH}.entrypoint must be the command that trains"
    if "clusterSelector" in spec or "jobId" in spec:
        return (
            f"{_PATH}: a training has a Ray cluster and a Ray job of its own; take "
            "clusterSelector and jobId out"
        )
    try:
        shaped = all(_extensible(group) for group in _groups(spec))
    except (TypeError, KeyError, AttributeError):
        shaped = False
    if not shaped:
        return (
            f"{_PATH}.rayClusterSpec: headGroupSpec and workerGroupSpecs need a template with "
            "containers, and the first one's env must be a list of objects with a name"
        )
    return None


def _extensible(group: JSON) -> bool:
    containers, meta = group["template"]["spec"]["containers"], group["template"].get("metadata")
    labels = (meta or {}).get("labels") or {}
    return isinstance(labels, dict) and bool(containers) and extensible(containers[0])


def _groups(spec: JSON) -> Iterator[JSON]:
    cluster = spec["rayClusterSpec"]
    yield cluster["headGroupSpec"]
    yield from cluster.get("workerGroupSpecs") or ()


def ray_job(run: TrainingRun, champion: ModelVersion | None = None) -> Manifest:
    """The RayJob; the template must have no `problem`."""
    template, training = run.spec.training.ray_job, run.spec.training
    assert template is not None
    spec = copy.deepcopy(template.spec)
    spec["suspend"] = training.suspend
    spec["activeDeadlineSeconds"] = training.timeout_seconds
    spec["backoffLimit"] = training.retries
    if "deletionStrategy" not in spec:
        spec.setdefault("shutdownAfterJobFinishes", True)
    for group in _groups(spec):
        pod = group["template"]
        meta, ray = pod.get("metadata") or {}, pod["spec"]["containers"][0]
        pod["metadata"] = {**meta, "labels": {**(meta.get("labels") or {}), **labels_of(run)}}
        ray["env"] = environment(run, champion, ray.get("env") or [])
    return manifest_of(RAY_JOB, run, spec)


def slim_ray_job(job: JSON) -> JSON:
    """Identity, suspension, deadline and how it stands; of its last words, which may be the end of
    a log, the beginning and the end."""
    spec, status = job.get("spec") or {}, job.get("status") or {}
    kept = {key: status[key] for key in _STATUS if key in status}
    words = str(status.get("message") or "")
    if len(words) > WORDS:
        words = f"{words[: WORDS // 2]} … {words[-WORDS // 2 :]}"
    return {
        "metadata": identity(job),
        "spec": {key: spec[key] for key in _SPEC if key in spec},
        "status": {**kept, "message": words},
    }


def ray_job_state(run: TrainingRun, observed: Observed, now: datetime) -> State:
    """How the RayJob stands: by jobDeploymentStatus, and by the run's clock beside KubeRay's."""
    main = observed.main or {}
    spec, told = main.get("spec") or {}, main.get("status") or {}
    phase, words = told.get("jobDeploymentStatus") or "", str(told.get("message") or "")
    if phase in ("Complete", "Failed"):
        return _over(told, words, run.status.last_failure)
    if phase == "ValidationFailed":
        return State("InvalidTemplate", f"KubeRay refuses the RayJob: {words}; correct {_PATH}")
    failure = words if phase == "Retrying" else run.status.last_failure
    if spec.get("suspend"):
        return State("Suspended", why_suspended(run, RAY_JOB.kind, main), failure=failure)
    pods = [p for p in of_its_life(main, observed.of(POD.kind)) if unfinished(p)]
    going = _going_on(spec, told, pods, failure, observed.refusal)
    # KubeRay's own deadline begins anew with each attempt.
    left = seconds_left(run, now, grace=GRACE_SECONDS)
    if left <= 0:
        unborn = going.message if going.phase == "Pending" else failure
        return State("TimedOut", unborn, stop=True, failure=failure)
    return going._replace(failure=failure, requeue_after=sooner(left, going.requeue_after))


def _over(told: Json, words: str, before: str) -> State:
    outcome, reason = told.get("jobStatus") or "", told.get("reason") or ""
    if told["jobDeploymentStatus"] == "Complete" and outcome == "SUCCEEDED":
        return State("Succeeded", "", completed=told.get("endTime"))
    if reason == "DeadlineExceeded":
        return State("TimedOut", before)
    why = reason or f"the Ray job ended as {outcome or 'nobody knows'}"
    return State("Failed", f"{why}: {words}" if words else why)


def _going_on(spec: Json, told: Json, pods: Sequence[Json], failure: str, refusal: str) -> State:
    phase = told.get("jobDeploymentStatus") or ""
    before = _before(spec, told, failure)
    if not phase and not before:
        return State(
            "Pending",
            "KubeRay has not taken the RayJob up; if that lasts, see whether its operator runs and "
            "watches this namespace",
        )
    if why := waiting(pods):
        return State("Pending" if phase != "Running" else "Running", f"{before}{why}")
    if not pods and refusal:
        why = f"no pod can be created: {explained(refusal)}"
        return State("Pending", f"{before}{why}", requeue_after=LOOK_AGAIN)
    number = sum(running([pod]) for pod in pods)
    started = f"; {number} of {len(pods)} pods run" if pods else ""
    if phase == "Running":
        job = str(told.get("jobStatus") or "").lower() or "being submitted"
        return State("Running", f"{before}the Ray job is {job}{started}")
    # Only Events tell why there is no pod.
    soon = None if pods else LOOK_SOON
    return State("Pending", f"{before}the Ray cluster is being made{started}", requeue_after=soon)


def _before(spec: Json, told: Json, failure: str) -> str:
    failed = int(told.get("failed") or 0)
    if not failed:
        return ""
    limit = int(spec.get("backoffLimit") or 0) + 1
    attempt = f"attempt {min(failed + 1, limit)} of {limit}"
    return f"{attempt}; the one before: {failure}: " if failure else f"{attempt}: "


def _events(main: Json) -> tuple[str, ...]:
    """Those of the RayJob, and of the Ray cluster that makes the pods."""
    cluster = (main.get("status") or {}).get("rayClusterName")
    if not cluster:
        return own_events(main)
    of_the_cluster = f"involvedObject.kind=RayCluster,involvedObject.name={cluster}"
    return (*own_events(main), of_the_cluster)


RAY_JOB_ENGINE = Engine(
    field="ray_job",
    type=RAY_JOB,
    watches=(
        Watch(RAY_JOB, verbs=(*READ, "create", "delete"), slim=slim_ray_job),
        Watch(POD, verbs=READ, slim=slim),
    ),
    problem=problem,
    manifest=ray_job,
    state=ray_job_state,
    events=_events,
    refusals=("FailedToCreateHeadPod", "FailedToCreateWorkerPod", "FailedToCreateRayCluster"),
    integration="rayJob",
)
