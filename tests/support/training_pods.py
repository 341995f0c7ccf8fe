"""Plays the kubelet of training pods, which Kubernetes' own Job controller has made."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from evenkeel.meta.resources import POD
from evenkeel.meta.times import timestamp

from tests.support.operating import Namespace

JSON = dict[str, Any]
REPORT = json.dumps({"uri": "s3://m/1", "format": {"name": "sklearn"}})
MERGE = {"Content-Type": "application/merge-patch+json"}


COMPLETE = {
    "status": {
        "startTime": "2026-01-31T09:00:00Z",
        "completionTime": "2026-01-31T09:01:00Z",
        "succeeded": 1,
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": "2026-01-31T09:01:00Z"}
            for kind in ("SuccessCriteriaMet", "Complete")
        ],
    }
}
"""A merge patch by which a Job is complete."""


def pods(ns: Namespace, run: str) -> list[JSON]:
    """The run's pods, the oldest first."""
    query = {"labelSelector": f"evenkeel.dev/run={run}"}
    found = ns.server.http.get(POD.path(ns.name), params=query).raise_for_status().json()["items"]
    return sorted(found, key=lambda p: p["metadata"]["creationTimestamp"])


def going(ns: Namespace, run: str) -> list[JSON]:
    """Those that are neither over nor leaving."""
    return [
        p
        for p in pods(ns, run)
        if "deletionTimestamp" not in p["metadata"]
        and p.get("status", {}).get("phase") not in ("Succeeded", "Failed")
    ]


def runs(name: str) -> JSON:
    """A container that runs."""
    return status(name, {"running": {"startedAt": _now()}})


def ended(name: str, code: int, message: str = "") -> JSON:
    """A container that has ended."""
    times = {"startedAt": _now(), "finishedAt": _now()}
    why = "Error" if code else "Completed"
    told = {"exitCode": code, "reason": why, "message": message, **times}
    return status(name, {"terminated": told})


def status(name: str, state: JSON) -> JSON:
    ready = "running" in state
    return {
        "name": name,
        "ready": ready,
        "restartCount": 0,
        "image": "x",
        "imageID": "",
        "state": state,
    }


def tell(ns: Namespace, pod: JSON, phase: str, *containers: JSON, **more: Any) -> None:
    """The kubelet's word on the pod."""
    body = {"status": {"phase": phase, "containerStatuses": list(containers), **more}}
    path = POD.path(ns.name, pod["metadata"]["name"], "status")
    ns.server.http.patch(path, content=json.dumps(body), headers=MERGE).raise_for_status()


def gone(ns: Namespace, pod: JSON, phase: str, *containers: JSON, **more: Any) -> None:
    """The kubelet has stopped a pod that somebody deleted."""
    tell(ns, pod, phase, *containers, **more)
    path = POD.path(ns.name, pod["metadata"]["name"])
    ns.server.http.request("DELETE", path, json={"gracePeriodSeconds": 0})


def bind(ns: Namespace, pod: JSON) -> None:
    """Puts the pod on a node, so that it goes only once its kubelet has stopped it."""
    body = {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "n1"}}
    body["metadata"] = {"name": pod["metadata"]["name"]}
    path = POD.path(ns.name, pod["metadata"]["name"], "binding")
    ns.server.http.post(path, json=body).raise_for_status()


def _now() -> str:
    return timestamp(datetime.now(UTC))
