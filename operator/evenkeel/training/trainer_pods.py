"""What the pods of a training say: the trainer's report, its last failure, why none starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evenkeel.pods.diagnosis import ended, pod_diagnosis

Json = Mapping[str, Any]


def report(pods: Iterable[Json], trainer: str) -> str | None:
    """The termination message of the newest pod that succeeded; None without such a pod.

    trainer: name of the container whose message it is.
    """
    done = _in_phase(pods, "Succeeded")
    if not done:
        return None
    return str(_terminated(max(done, key=_age), trainer).get("message") or "")


def last_failure(pods: Iterable[Json], trainer: str) -> str:
    """Exit code and last words of the newest pod that failed; empty without such a pod."""
    failed = _in_phase(pods, "Failed")
    if not failed:
        return ""
    pod = max(failed, key=_age)
    status = pod["status"]
    state = _terminated(pod, trainer)
    if "exitCode" not in state:
        return str(status.get("message") or status.get("reason") or "the pod failed")[:1000]
    return ended(state)


def waiting(pods: Iterable[Json]) -> str:
    """Why a pod does not start, such as ImagePullBackOff or Unschedulable; empty if all do."""
    return next(filter(None, map(pod_diagnosis, _in_phase(pods, "Pending"))), "")


def _in_phase(pods: Iterable[Json], phase: str) -> list[Json]:
    return [p for p in pods if (p.get("status") or {}).get("phase") == phase]


def _terminated(pod: Json, trainer: str) -> Json:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    for container in statuses:
        if container.get("name") == trainer:
            state: Json = (container.get("state") or {}).get("terminated") or {}
            return state
    return {}


def _age(pod: Json) -> tuple[str, str]:
    meta = pod.get("metadata") or {}
    return str(meta.get("creationTimestamp", "")), str(meta.get("name", ""))
