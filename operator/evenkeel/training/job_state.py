"""How a training Job stands, read from its conditions and pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from evenkeel.meta.times import parse
from evenkeel.pods.diagnosis import ended, pod_trouble

Json = Mapping[str, Any]

POD_WAIT_SECONDS = 60
"""For so long a finished Job's pod may be missing from the snapshot, which can lag behind."""


class JobState(NamedTuple):
    """`report`: the trainer's termination message, of a succeeded Job."""

    phase: Literal[
        "Pending", "Running", "Suspended", "Succeeded", "TimedOut", "Failed", "ReportLost"
    ]
    message: str
    report: str | None = None


def job_state(job: Json, pods: Sequence[Json], trainer: str, now: datetime) -> JobState:
    """`trainer`: name of the container whose termination message is the report."""
    status = job.get("status") or {}
    conditions = {c.get("type"): c for c in status.get("conditions") or ()}
    if _true(conditions.get("Complete")):
        return _succeeded(conditions["Complete"], pods, trainer, now)
    if _true(conditions.get("Failed")):
        return _failed(conditions["Failed"], pods, trainer)
    if _true(conditions.get("Suspended")):
        return JobState("Suspended", "the Job is suspended, for instance by a quota queue")
    failed = int(status.get("failed") or 0)
    limit = int((job.get("spec") or {}).get("backoffLimit", 6)) + 1
    attempt = f"attempt {min(failed + 1, limit)} of {limit}"
    if failed:
        attempt += f"; the one before: {_last_failure(pods, trainer)}"
    if waiting := _waiting(pods):
        return JobState("Pending", f"{attempt}: {waiting}")
    if not int(status.get("active") or 0):
        return JobState("Pending", f"{attempt}: no pod yet; the Job's Events say why if that lasts")
    if not any((pod.get("status") or {}).get("phase") == "Running" for pod in pods):
        return JobState("Pending", f"{attempt}: waiting for the pod to start")
    return JobState("Running", attempt)


def _succeeded(condition: Json, pods: Sequence[Json], trainer: str, now: datetime) -> JobState:
    done = [p for p in pods if (p.get("status") or {}).get("phase") == "Succeeded"]
    if done:
        state = _terminated(max(done, key=_age), trainer)
        return JobState("Succeeded", "", str(state.get("message") or ""))
    since = condition.get("lastTransitionTime")
    if since and (now - parse(since)).total_seconds() < POD_WAIT_SECONDS:
        return JobState("Running", "the Job is complete; waiting for its pod's report")
    return JobState(
        "ReportLost",
        "the Job is complete, but its pod was deleted before the report in its termination "
        "message was read",
    )


def _failed(condition: Json, pods: Sequence[Json], trainer: str) -> JobState:
    reason = condition.get("reason", "")
    if reason == "DeadlineExceeded":
        return JobState("TimedOut", _last_failure(pods, trainer, default=""))
    return JobState("Failed", f"{reason}: {_last_failure(pods, trainer)}")


def _last_failure(pods: Iterable[Json], trainer: str, default: str = "no pod is left") -> str:
    """Exit code and last words of the newest pod that failed."""
    failed = [p for p in pods if (p.get("status") or {}).get("phase") == "Failed"]
    if not failed:
        return default
    pod = max(failed, key=_age)
    status = pod["status"]
    state = _terminated(pod, trainer)
    if "exitCode" not in state:
        return str(status.get("message") or status.get("reason") or "the pod failed")[:1000]
    return ended(state)


def _terminated(pod: Json, trainer: str) -> Json:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    for container in statuses:
        if container.get("name") == trainer:
            state: Json = (container.get("state") or {}).get("terminated") or {}
            return state
    return {}


def _waiting(pods: Iterable[Json]) -> str:
    """Why a pod does not start, such as ImagePullBackOff or Unschedulable."""
    pending = (p for p in pods if (p.get("status") or {}).get("phase") == "Pending")
    return next((trouble for p in pending if (trouble := pod_trouble(p))), "")


def _true(condition: Json | None) -> bool:
    return condition is not None and condition.get("status") == "True"


def _age(pod: Json) -> tuple[str, str]:
    meta = pod.get("metadata") or {}
    return str(meta.get("creationTimestamp", "")), str(meta.get("name", ""))
