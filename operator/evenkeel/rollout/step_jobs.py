"""The Job of a step: which one it is, what it is given, and how it stands.

A trial has one a step, once: its name tells the trial, the step and what that asks for, and what
came of it is in the status before it is acted upon. So nobody who deletes the Job makes it run
again, and none passes for another one that an edit asks for.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evenkeel.api.gates import StepJobStatus
from evenkeel.api.labels import MANAGED_BY, MANAGER, STEP, STEP_JOB
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus
from evenkeel.api.rollout import Step
from evenkeel.meta.names import child_name, digest
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import JOB, Watch
from evenkeel.pods.diagnosis import disruption, ended, first_diagnosis
from evenkeel.pods.disruption import NOT_BY_DISRUPTION
from evenkeel.pods.expansion import literal_env
from evenkeel.pods.security import restricted
from evenkeel.rollout.exposure import present_step, step_number
from evenkeel.rollout.probation import after_trial
from evenkeel.serving.children import child
from evenkeel.traffic.services import revision_url

Json = Mapping[str, Any]

WATCH = Watch(JOB)
KEPT_SECONDS = 86400
"""A Job that has ended is there for so long, unless its trial ends before."""


@dataclass(frozen=True, slots=True)
class StepJobs:
    """What is there: Jobs of steps by name, and the slim pods of all of them."""

    jobs: Mapping[str, Json] = field(default_factory=dict)
    pods: tuple[Json, ...] = ()


def with_outcome(md: ModelDeployment, there: StepJobs) -> ModelDeployment:
    """The object with how the present step's Job stands in its status."""
    canary = md.status.canary
    if canary is None or _own(md, canary) is None:
        return md
    name = job_name(md, canary)
    known = canary.job if canary.job is not None and canary.job.name == name else None
    found = _seen(known or StepJobStatus(name=name), there)
    if found == canary.job:
        return md
    one = canary.model_copy(update={"job": found})
    return md.model_copy(update={"status": md.status.model_copy(update={"canary": one})})


def step_job(md: ModelDeployment, canary: CanaryStatus | None) -> Manifest | None:
    """The Job to make now: of a step that has its pods, and has not seen its Job yet."""
    if canary is None or md.status.canary is None or canary.short_since is not None:
        return None
    if not canary.full_replicas:
        return None  # Nobody answers it while spec.replicas is 0, and no pod is missing.
    before = md.status.canary
    # The step's requests are divided once its status is written.
    if (before.start_time, before.stage_time) != (canary.start_time, canary.stage_time):
        return None
    step, seen = _own(md, canary), canary.job
    if step is None or seen is None or seen.uid or seen.outcome != "Running":
        return None
    return _job(md, canary, step)


def kept_jobs(md: ModelDeployment, canary: CanaryStatus | None) -> tuple[str, ...]:
    """Names of the Jobs that stay: those of the trial that goes on."""
    if canary is None or after_trial(canary):
        return ()
    return tuple(_name(md, canary, number) for number in range(1, canary.step + 2))


def job_name(md: ModelDeployment, canary: CanaryStatus) -> str:
    """Name of the Job of the canary's present step."""
    return _name(md, canary, canary.step + 1)


def _name(md: ModelDeployment, canary: CanaryStatus, number: int) -> str:
    steps = md.spec.rollout.steps
    step = steps[min(number, len(steps)) - 1] if steps else None
    # A newer API may have more defaults.
    said = {} if step is None or step.job is None else step.job.model_dump(exclude_defaults=True)
    asked = json.dumps(said, sort_keys=True)
    told = digest(canary.revision, canary.start_time, str(number), asked)
    return child_name(f"{md.metadata.name}-step", told)


def _own(md: ModelDeployment, canary: CanaryStatus) -> Step | None:
    """The present step, if it has a Job."""
    step = present_step(md.spec.rollout, canary)
    return step if canary.stage == "Stepping" and step is not None and step.job else None


def _job(md: ModelDeployment, canary: CanaryStatus, step: Step) -> Manifest:
    assert step.job is not None
    template = step.job.pod_template
    meta, pod = template.metadata, copy.deepcopy(template.spec)
    pod["restartPolicy"] = "Never"
    told = _environment(md, canary)
    marks = {STEP_JOB: md.metadata.name, STEP: str(step_number(md.spec.rollout, canary))}
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        taken = {variable["name"] for variable in told}
        own = [e for e in container.get("env") or () if e.get("name") not in taken]
        container["env"] = [*told, *own]
        container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    spec = {
        "backoffLimit": step.job.backoff_limit,
        "activeDeadlineSeconds": step.job.active_deadline_seconds,
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        # A drained or preempted node is not the model's failure.
        "podFailurePolicy": NOT_BY_DISRUPTION,
        "template": {
            "metadata": {
                "labels": {**(meta.labels if meta else {}), MANAGED_BY: MANAGER, **marks},
                "annotations": dict(meta.annotations) if meta else {},
            },
            "spec": restricted(pod),
        },
    }
    job = child(md, JOB.api_version, JOB.kind, job_name(md, canary), spec, canary.revision)
    job["metadata"]["labels"] |= marks
    return job


def _environment(md: ModelDeployment, canary: CanaryStatus) -> list[dict[str, Any]]:
    stable = md.status.stable
    assert stable is not None, "a trial has a stable revision beside it"
    return literal_env(
        {
            "EVENKEEL_DEPLOYMENT": md.metadata.name,
            "EVENKEEL_REVISION": canary.revision,
            "EVENKEEL_VERSION": canary.version,
            "EVENKEEL_STEP": str(step_number(md.spec.rollout, canary)),
            "EVENKEEL_URL": revision_url(md, canary.revision),
            "EVENKEEL_STABLE_URL": revision_url(md, stable.revision),
        }
    )


def _seen(known: StepJobStatus, there: StepJobs) -> StepJobStatus:
    if known.outcome != "Running":
        return known
    job = there.jobs.get(known.name)
    if job is None:
        if not known.uid:
            return known
        gone = {"outcome": "Unfinished", "message": "its Job was deleted before it ended"}
        return known.model_copy(update=gone)
    uid = str(job["metadata"].get("uid", ""))
    outcome, words = _outcome(job, [pod for pod in there.pods if _is_of(uid, pod)])
    return StepJobStatus(name=known.name, uid=uid, outcome=outcome, message=words[-1024:])


def _outcome(job: Json, pods: list[Json]) -> tuple[Any, str]:
    """By the Job's conditions; whose fault a failure is, by its pods."""
    told = {
        c.get("type"): str(c.get("reason") or c.get("type"))
        for c in (job.get("status") or {}).get("conditions") or ()
        if c.get("status") == "True"
    }
    if "Complete" in told:
        return "Passed", "its Job has succeeded"
    if "Failed" not in told:
        return "Running", first_diagnosis(pods) or "its Job runs"
    why, words = told["Failed"], _last_words(pods)
    if why == "DeadlineExceeded" or (pods and not words):
        known = words or first_diagnosis(pods) or "its pods were taken away"
        return "Unfinished", f"{why}: {known}"
    return "Failed", f"{why}: {words or 'no pod is left'}"


def _last_words(pods: Iterable[Json]) -> str:
    """Of the newest pod that has failed by its own doing; empty without one."""
    failed = [p for p in pods if disruption(p.get("status") or {}) is None and _ends(p)]
    newest = max(failed, key=lambda p: str(p["metadata"].get("creationTimestamp")), default=None)
    return "" if newest is None else ended(_ends(newest)[0])


def _ends(pod: Json) -> list[Json]:
    """How those of its containers ended that have failed."""
    status = pod.get("status") or {}
    both = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    ends = ((c.get("state") or {}).get("terminated") or {} for c in both)
    return [end for end in ends if end.get("exitCode")]


def _is_of(uid: str, pod: Json) -> bool:
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(owner.get("uid") == uid for owner in owners)
