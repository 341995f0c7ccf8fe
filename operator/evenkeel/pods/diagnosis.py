"""Why a pod is not ready, in the words of the scheduler and the kubelet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = Mapping[str, Any]

STARTING = ("", "ContainerCreating", "PodInitializing")
LINES = 12
"""Of last words; an error of XGBoost has ten of a stack below it."""
MOST = 1000
"""Characters of a message."""
WORDS = MOST - 100
"""Characters of last words, which stand at a message's end and tell most at theirs."""
ROOM_FOR_OTHERS = "The node was low on resource"
"""How the kubelet begins if a pod had to make room; one beyond its own limits `exceeds` or has
`exceeded` them."""


def pod_diagnosis(pod: Json) -> str:
    """Such as `Unschedulable: ...` or `ImagePullBackOff: ...`; empty if it is just starting."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"[:MOST]
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or ():
            if diagnosis := _container_diagnosis(container):
                return diagnosis[:MOST]
    return ""


def first_diagnosis(pods: Iterable[Json]) -> str:
    """Of the first pod that is not ready and has one; a pod that is going has none."""
    for pod in pods:
        leaving = (pod.get("metadata") or {}).get("deletionTimestamp") is not None
        if not leaving and not _ready(pod) and (diagnosis := pod_diagnosis(pod)):
            return diagnosis
    return ""


def disruption(status: Json) -> str | None:
    """Why the scheduler, the node or an eviction took the pod away; None if none did."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            words = (condition.get("reason"), condition.get("message"))
            return ": ".join(filter(None, words)) or "disrupted"
    return None


def own_excess(status: Json) -> bool:
    """Whether a pod that is taken away has used more than its own limits."""
    message = str(status.get("message") or "")
    if status.get("reason") == "Evicted":
        return ROOM_FOR_OTHERS not in message and "exceed" in message
    return disruption(status) is None and status.get("reason") == "OOMKilled"


def ended(state: Json) -> str:
    """Exit code and last words of a terminated container."""
    reason = state.get("reason", "Error")
    why = "" if reason in ("Error", "Completed") else f" ({reason})"
    words = "\n".join(str(state.get("message") or "").strip().splitlines()[-LINES:])[-WORDS:]
    return f"exit code {state['exitCode']}{why}{': ' + words if words else ''}"


def _container_diagnosis(container: Json) -> str:
    waiting = (container.get("state") or {}).get("waiting") or {}
    last = (container.get("lastState") or {}).get("terminated") or {}
    name, reason = container.get("name", ""), waiting.get("reason", "")
    if "exitCode" in last and not container.get("ready"):
        # The words of the end tell more than those of the back-off.
        return f"{reason or 'Restarted'}: container {name}: {ended(last)}"
    return "" if reason in STARTING else f"{reason}: {waiting.get('message', '')}"


def _ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
