"""Which objects a change concerns: a table from kinds to the keys to reconcile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evenkeel.api import labels
from evenkeel.kube.store import Key, Store

JSON = dict[str, Any]

OWN = ("ModelDeployment", "RetrainSchedule", "TrainingRun", "ModelVersion")


class Dependents:
    """Keys by changed object, found with the store's indexes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, kind: str, obj: JSON) -> Iterator[Key]:
        """The keys that a change of `obj` concerns, itself included."""
        meta = obj["metadata"]
        namespace, own = meta.get("namespace", ""), meta.get("labels") or {}
        if kind in OWN:
            yield Key(kind, namespace, meta["name"])
        match kind:
            case "TrainingRun":
                if schedule := obj["spec"].get("schedule"):
                    yield Key("RetrainSchedule", namespace, schedule)
                for replaced in obj["spec"].get("replaces") or ():
                    yield Key("TrainingRun", namespace, replaced)
            case "RetrainSchedule":
                status = obj.get("status", {})
                last = status.get("lastRun", {}).get("name")
                # The last run may have ended while alerts were still counted on it.
                for name in {*(status.get("active") or ()), *([last] if last else ())}:
                    yield Key("TrainingRun", namespace, name)
            case "ModelVersion":
                yield from self._of_version(obj)
            case "ServingRuntime" | "ClusterServingRuntime":
                for md in self._store.all("ModelDeployment", namespace or None):
                    yield Key(
                        "ModelDeployment", md["metadata"]["namespace"], md["metadata"]["name"]
                    )
            case _:
                if name := own.get(labels.DEPLOYMENT):
                    yield Key("ModelDeployment", namespace, name)
                if name := own.get(labels.RUN):
                    yield Key("TrainingRun", namespace, name)

    def _of_version(self, version: JSON) -> Iterator[Key]:
        meta, spec = version["metadata"], version["spec"]
        namespace = meta["namespace"]
        for md in self._store.all("ModelDeployment", namespace):
            model = md["spec"]["model"]
            if model.get("follow") == spec["model"] or model.get("version") == meta["name"]:
                yield Key("ModelDeployment", namespace, md["metadata"]["name"])
        if run := spec.get("trainingRun"):
            yield Key("TrainingRun", namespace, run)
