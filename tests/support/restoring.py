"""Brings a namespace's objects back as backup tools do: without status, with new identities."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable
from typing import Any, Literal

from tests.support.operating import Namespace
from tests.support.resources import BY_KIND

JSON = dict[str, Any]
Owners = Literal["dropped", "dangling"]

OWN = ("ModelDeployment", "ModelVersion", "RetrainSchedule", "TrainingRun")
"""In the order in which a backup tool restores them: by the alphabet."""
CHILDREN = ("Deployment", "HorizontalPodAutoscaler", "Job", "PodDisruptionBudget", "Service")


def backup(ns: Namespace, kinds: Iterable[str] = (*OWN, *CHILDREN)) -> list[JSON]:
    """The objects as they are now, complete."""
    return [
        {"apiVersion": BY_KIND[kind].api_version, "kind": kind, **obj}
        for kind in sorted(kinds)
        for obj in sorted(ns.all(kind), key=lambda o: str(o["metadata"]["name"]))
    ]


def delete(ns: Namespace, objects: Iterable[JSON]) -> None:
    """Removes them at once, as with their namespace."""
    for obj in objects:
        path = BY_KIND[obj["kind"]].path(ns.name, obj["metadata"]["name"])
        body = {"propagationPolicy": "Background", "gracePeriodSeconds": 0}
        ns.server.http.request("DELETE", path, json=body)


async def quiet(ns: Namespace) -> None:
    """Waits until nothing is written any more."""
    before, now = {"": ""}, ns.versions()
    while before != now:
        await asyncio.sleep(1.5)
        before, now = now, ns.versions()


def restored(obj: JSON, owners: Owners = "dropped", annotations: bool = True) -> JSON:
    """What a backup tool creates: name, labels, annotations and spec."""
    obj = copy.deepcopy(obj)
    meta = obj["metadata"]
    kept = {k: meta[k] for k in ("name", "labels", "annotations") if k in meta}
    if not annotations:
        kept.pop("annotations", None)
    if owners == "dangling" and "ownerReferences" in meta:
        kept["ownerReferences"] = meta["ownerReferences"]
    spec = {k: v for k, v in obj["spec"].items() if k not in ("clusterIP", "clusterIPs")}
    if obj["kind"] == "Job":
        # The controller chooses them anew.
        spec.pop("selector", None)
        labels = spec["template"]["metadata"]["labels"]
        for label in [name for name in labels if name.endswith("controller-uid")]:
            del labels[label]
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": kept, "spec": spec}


def events(ns: Namespace) -> list[str]:
    """Reasons and objects of all Events so far."""
    path = f"/apis/events.k8s.io/v1/namespaces/{ns.name}/events"
    items = ns.server.http.get(path).raise_for_status().json()["items"]
    return [f"{e['reason']} {e['regarding']['name']}" for e in items]
