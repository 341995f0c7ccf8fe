"""What the pods of a training say: the trainer's report, its last failure, why none starts.

A pod is judged by the trainer's container, known by its name: proxies, log shippers and agents that
run beside it, whoever put them there, neither succeed nor fail for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from evenkeel.meta.times import parse
from evenkeel.pods.diagnosis import disruption, ended, own_excess, pod_diagnosis

Json = Mapping[str, Any]

_OVER = ("Succeeded", "Failed")
TAKEN_AWAY = "the pod was taken away, which does not count"


def reporting(pods: Iterable[Json], trainer: str) -> Json | None:
    """The newest pod whose trainer ended with 0, however its other containers fare.

    One that was taken away may have stopped early and still end with 0: only a message counts then.
    trainer: name of the container.
    """
    done = [
        pod
        for pod in pods
        if _phase(pod) == "Succeeded"
        or (_exit_code(pod, trainer) == 0 and (_message(pod, trainer) or not _taken_away(pod)))
    ]
    return max(done, key=age, default=None)


def report(pods: Iterable[Json], trainer: str) -> str | None:
    """The termination message of `reporting`, empty if it left none; None without such a pod."""
    pod = reporting(pods, trainer)
    return None if pod is None else _message(pod, trainer)


def last_report(pods: Iterable[Json], trainer: str) -> str:
    """The message of the container that ended last with 0 and left one; empty without such a pod.

    Of trainings with several steps, of which one reports.
    """
    told = [p for p in pods if _exit_code(p, trainer) == 0 and _message(p, trainer)]
    last = max(told, key=lambda p: (end_time(p, trainer) or "", age(p)), default=None)
    return "" if last is None else _message(last, trainer)


def last_failure(pods: Iterable[Json], trainer: str) -> str:
    """Exit code and last words of the newest pod that failed; empty without such a pod.

    A pod that is deleted, for instance since its Job is suspended, has not failed, unless its node
    or the scheduler took it away; that is said then.
    """
    newest = max((p for p in pods if failed(p, trainer)), key=age, default=None)
    return "" if newest is None else failure(newest, trainer)


def failure(pod: Json, trainer: str, taken_away: str = TAKEN_AWAY) -> str:
    """Exit code and last words of a pod that has failed. taken_away: what that means for it."""
    state, status = _terminated(pod, trainer), pod["status"]
    if own_excess(status):
        return f"{status['reason']}: {status.get('message', '')}"[:1000]
    if (why := _disruption(pod)) is not None:
        return f"{taken_away} ({why})"
    if "exitCode" not in state:
        told = status.get("message") or status.get("reason") or "the pod failed"
        return _initializer(status) or str(told)[:1000]
    return ended(state)


def _initializer(status: Json) -> str:
    """Of the init container that failed; empty if none did."""
    for container in status.get("initContainerStatuses") or ():
        state = (container.get("state") or {}).get("terminated") or {}
        if state.get("exitCode"):
            return f"container {container.get('name')}: {ended(state)}"
    return ""


def failed(pod: Json, trainer: str) -> bool:
    """Whether the pod has, or the scheduler or its node took it away before it had ended."""
    if _disruption(pod) is not None:
        return _phase(pod) == "Failed" or _leaving(pod)
    if _leaving(pod):
        return False
    return _phase(pod) == "Failed" or _exit_code(pod, trainer) not in (0, None)


def waiting(pods: Iterable[Json]) -> str:
    """Why a pod does not start, such as ImagePullBackOff or Unschedulable; empty if all do."""
    pending = (p for p in pods if _phase(p) == "Pending" and not _leaving(p))
    return next(filter(None, map(pod_diagnosis, pending)), "")


def leaving(pods: Iterable[Json]) -> str:
    """Of a pod that is on its way out: by what; empty without one. No other starts before."""
    going = [p for p in pods if _leaving(p) and _phase(p) not in _OVER]
    return f"pod {going[0]['metadata'].get('name')} is ending" if going else ""


def unfinished(pod: Json) -> bool:
    """Whether something of it may still run."""
    return _phase(pod) not in _OVER


def running(pods: Iterable[Json]) -> bool:
    """Whether a pod runs."""
    return any(_phase(pod) == "Running" and not _leaving(pod) for pod in pods)


def left_behind(pod: Json, trainer: str) -> tuple[str, ...]:
    """Containers that run on though the trainer has ended; the kubelet ends native sidecars."""
    if _phase(pod) in _OVER or _leaving(pod) or _exit_code(pod, trainer) is None:
        return ()
    return tuple(
        str(c.get("name"))
        for c in (pod.get("status") or {}).get("containerStatuses") or ()
        if not (c.get("state") or {}).get("terminated")
    )


def end_time(pod: Json, trainer: str) -> str | None:
    """When the trainer ended (RFC 3339), if that is known."""
    finished: str | None = _terminated(pod, trainer).get("finishedAt")
    return finished


def seconds_since_end(pod: Json, trainer: str, now: datetime) -> float:
    """How long ago the trainer ended; infinite if nobody knows."""
    finished = _terminated(pod, trainer).get("finishedAt")
    return (now - parse(finished)).total_seconds() if finished else float("inf")


def lost(pod: Json) -> bool:
    """Whether its Job has to try again, or would if it could."""
    return _phase(pod) == "Failed" or (_leaving(pod) and _phase(pod) not in _OVER)


def _taken_away(pod: Json) -> bool:
    return _leaving(pod) or _disruption(pod) is not None


def evicted_for_own_excess(pods: Iterable[Json]) -> int:
    """Pods that used more than their limits; the Job does not count what the kubelet evicts."""
    return sum(_phase(pod) == "Failed" and own_excess(pod["status"]) for pod in pods)


def _disruption(pod: Json) -> str | None:
    return disruption(pod.get("status") or {})


def _phase(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def _leaving(pod: Json) -> bool:
    return (pod.get("metadata") or {}).get("deletionTimestamp") is not None


def _exit_code(pod: Json, trainer: str) -> int | None:
    code: int | None = _terminated(pod, trainer).get("exitCode")
    return code


def _message(pod: Json, trainer: str) -> str:
    return str(_terminated(pod, trainer).get("message") or "")


def _terminated(pod: Json, trainer: str) -> Json:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    for container in statuses:
        if container.get("name") == trainer:
            state: Json = (container.get("state") or {}).get("terminated") or {}
            return state
    return {}


def age(pod: Json) -> tuple[str, str]:
    """Orders pods, the newest last."""
    meta = pod.get("metadata") or {}
    return str(meta.get("creationTimestamp", "")), str(meta.get("name", ""))
