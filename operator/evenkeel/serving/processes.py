"""The model servers of a revision's pods: when each began, and how often one ended by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from evenkeel.meta.times import parse, seconds_since
from evenkeel.pods.diagnosis import ended as last_words
from evenkeel.pods.diagnosis import own_excess
from evenkeel.pods.slim import MODEL_SERVER

Json = Mapping[str, Any]

OF_THE_NODE = frozenset({"ContainerStatusUnknown", "NodeLost", "NodeShutdown", "Unknown"})
"""Reasons of an end that the node is to blame for."""

OVERDUE = 300.0
"""Seconds after the end of its grace period from which on nobody waits for a pod's end."""


class Process(NamedTuple):
    """One pod's model server.

    started: Unix time in seconds at which the present process began, if it runs. ready: the same
    of when the pod became ready, if it is. crashes: how many
    of the pod's processes ended by their own fault: an exit, a kill for memory, a failed liveness
    probe, more than the pod's own limits; not an eviction for others' sake, a preemption, a node
    that went, or a deletion. ended, last_words: of the latest such end. leaving: the pod is going.
    """

    pod: str
    started: float | None = None
    ready: float | None = None
    leaving: bool = False
    restarts: int = 0
    crashes: int = 0
    ended: float | None = None
    last_words: str = ""


def processes(pods: Iterable[Json]) -> tuple[Process, ...]:
    """The model servers of slim pods."""
    return tuple(_process(pod) for pod in pods)


def holds_room(pod: Json, now: datetime) -> bool:
    """Whether a slim pod keeps CPUs, memory and devices from others: until it has ended.

    One that is long overdue does not count: the kubelet of a lost node never tells of the end.
    """
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    due = pod["metadata"].get("deletionTimestamp")
    return due is None or seconds_since(due, now) < OVERDUE


def _process(pod: Json) -> Process:
    meta, status = pod["metadata"], pod.get("status") or {}
    server = _server(pod, status)
    state, last = server.get("state") or {}, server.get("lastState") or {}
    restarts = int(server.get("restartCount") or 0)
    end = state.get("terminated") or last.get("terminated") or {}
    leaving = meta.get("deletionTimestamp") is not None
    crashes, words = _crashes(status, state, end, restarts, leaving)
    return Process(
        pod=meta["name"],
        started=_unix((state.get("running") or {}).get("startedAt")),
        ready=_ready(status),
        leaving=leaving,
        restarts=restarts,
        crashes=crashes,
        ended=_unix(end.get("finishedAt")) if crashes else None,
        last_words=words if crashes else "",
    )


def _ready(status: Json) -> float | None:
    conditions = status.get("conditions") or ()
    ready = [c for c in conditions if c.get("type") == "Ready" and c.get("status") == "True"]
    return _unix(ready[0].get("lastTransitionTime")) if ready else None


def _server(pod: Json, status: Json) -> Json:
    """The model server's status; of a pod that names none its only container's."""
    statuses: list[Json] = status.get("containerStatuses") or []
    name = pod.get(MODEL_SERVER)
    if name is None:
        return statuses[0] if len(statuses) == 1 else {}
    return next((s for s in statuses if s.get("name") == name), {})


def _crashes(status: Json, state: Json, end: Json, restarts: int, leaving: bool) -> tuple[int, str]:
    """How many processes ended by their own fault, and the last one's words."""
    crashes = restarts
    # An end that no restart has followed yet.
    waits = (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff"
    if waits or ("terminated" in state and not leaving and status.get("phase") != "Failed"):
        crashes += 1
    if crashes and end.get("reason") in OF_THE_NODE:
        crashes -= 1
    words = _words(end)
    if status.get("phase") == "Failed" and not leaving and own_excess(status):
        return crashes + 1, f"{status.get('reason', 'Failed')}: {status.get('message', '')}"
    return crashes, words


def _words(end: Json) -> str:
    return last_words(end) if "exitCode" in end else ""


def _unix(text: str | None) -> float | None:
    return parse(text).timestamp() if text else None
