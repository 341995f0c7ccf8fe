"""Pods and statuses as the API server of a real cluster shows them. Times are epoch seconds."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bench.conditions.exposition import OPEN_METRICS
from bench.conditions.servers import Pod

JSON = dict[str, Any]
WORDS = "RuntimeError: CUDA error: an illegal memory access was encountered"


def stamp(seconds: float) -> str:
    """As metav1.Time is written."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dialect(template: JSON) -> str:
    """Whose metric names the pods speak, by their image or their variable METRICS."""
    container = template["spec"]["containers"][0]
    runtime = "triton" if "triton" in container["image"] else "mlserver"
    for variable in container.get("env") or ():
        if variable["name"] == "METRICS":
            value = str(variable["value"])
            return f"{runtime}+{value}" if value == OPEN_METRICS else value
    return runtime


def pod(owner: JSON, template: JSON, name: str, labels: dict[str, str]) -> JSON:
    """A Pod of a Deployment's ReplicaSet."""
    replica_set = name.rsplit("-", 1)[0]
    reference = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": replica_set,
        "uid": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{owner['uid']}/{replica_set}")),
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": template["metadata"].get("annotations", {}),
            "ownerReferences": [reference],
        },
        "spec": {**template["spec"], "nodeName": "node"},
    }


def running(pod: Pod, now: float, after: tuple[float, float] | None = None) -> JSON:
    """A pod whose process runs. after: begin and end of the process before."""
    state = {"running": {"startedAt": stamp(pod.started or now)}}
    return {
        "phase": "Running",
        "podIP": "127.0.0.1",
        "podIPs": [{"ip": "127.0.0.1"}],
        "hostIP": "127.0.0.1",
        "startTime": stamp(pod.started or now),
        "conditions": _conditions(pod.ready, now),
        "containerStatuses": [_container(pod, state, after, ready=pod.ready)],
    }


def crashed(pod: Pod, began: float, now: float) -> JSON:
    """A pod whose process has just ended with a failure."""
    state = {
        "waiting": {
            "reason": "CrashLoopBackOff",
            "message": "back-off 10s restarting failed container",
        }
    }
    return {
        "conditions": _conditions(False, now),
        "containerStatuses": [_container(pod, state, (began, now), ready=False)],
    }


def evicted(now: float) -> JSON:
    """A pod that a drain has chosen, just before it is deleted."""
    return {
        "conditions": [
            {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "EvictionByEvictionAPI",
                "message": "Eviction API: evicting",
                "lastTransitionTime": stamp(now),
            }
        ],
    }


def unschedulable(now: float) -> JSON:
    """A pod for which no node has room."""
    return {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
                "lastTransitionTime": stamp(now),
            }
        ],
    }


def _container(pod: Pod, state: JSON, after: tuple[float, float] | None, *, ready: bool) -> JSON:
    found: JSON = {
        "name": "model",
        "image": "model",
        "imageID": "sha256:0",
        "containerID": f"containerd://{pod.name}-{pod.restarts}",
        "ready": ready,
        "started": "running" in state,
        "restartCount": pod.restarts,
        "state": state,
        "lastState": {},
    }
    if after is not None:
        found["lastState"] = {
            "terminated": {
                "exitCode": 139,
                "reason": "Error",
                "message": WORDS,
                "startedAt": stamp(after[0]),
                "finishedAt": stamp(after[1]),
                "containerID": f"containerd://{pod.name}-{pod.restarts - 1}",
            }
        }
    return found


def _conditions(ready: bool, now: float) -> list[JSON]:
    status = {"Ready": ready, "ContainersReady": ready, "Initialized": True, "PodScheduled": True}
    return [
        {"type": type_, "status": str(value), "lastTransitionTime": stamp(now)}
        for type_, value in status.items()
    ]


def deployment_status(deployment: JSON, pods: Sequence[Pod], now: float) -> JSON:
    """As the Deployment controller writes it, for maxUnavailable 0."""
    wanted = deployment["spec"].get("replicas", 1)
    ready = sum(p.ready for p in pods)
    enough = ready >= wanted
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": len(pods),
        "updatedReplicas": len(pods),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, wanted - ready),
        "conditions": [
            {
                "type": "Available",
                "status": str(enough),
                "reason": f"MinimumReplicas{'Available' if enough else 'Unavailable'}",
                "message": "",
                "lastTransitionTime": stamp(now),
                "lastUpdateTime": stamp(now),
            },
            {
                "type": "Progressing",
                "status": "True",
                "reason": "NewReplicaSetAvailable" if enough else "ReplicaSetUpdated",
                "message": "",
                "lastTransitionTime": stamp(now),
                "lastUpdateTime": stamp(now),
            },
        ],
    }


def same(told: JSON, status: JSON) -> bool:
    """Whether two statuses of a Deployment differ in nothing but their times."""
    return _timeless(told) == _timeless(status)


def keep_times(told: JSON, status: JSON) -> None:
    """A condition that has not changed keeps the time of its last change."""
    before = {c["type"]: c for c in told["conditions"]}
    for condition in status["conditions"]:
        old = before[condition["type"]]
        if old["status"] == condition["status"]:
            condition["lastTransitionTime"] = old["lastTransitionTime"]


def _timeless(status: JSON) -> JSON:
    conditions = [
        {k: v for k, v in c.items() if not k.endswith("Time")} for c in status["conditions"]
    ]
    return {**status, "conditions": conditions}
