"""The reconcile of a ModelVersion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from evenkeel.api.modelversion import ModelVersion
from evenkeel.controllers.kind import Context, Kind
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.plan import Plan
from evenkeel.meta.resources import READ
from evenkeel.versions.plan import VersionSnapshot, plan_version

JSON = dict[str, Any]


async def reconcile(context: Context, key: Key, obj: JSON, invalid: str | None) -> Plan:
    """What to write for the ModelVersion."""
    version = ModelVersion.model_validate(obj)
    siblings = tuple(
        v
        for v in versions_of(context.store, key.namespace, version.spec.model)
        if v.metadata.name != key.name
    )
    return plan_version(VersionSnapshot(version, siblings, datetime.now(UTC)))


def versions_of(store: Store, namespace: str, model: str) -> list[ModelVersion]:
    """All versions of a model."""
    return [
        store.parse(ModelVersion, o)
        for o in store.all("ModelVersion", namespace)
        if o["spec"]["model"] == model
    ]


def concerns(store: Store, version: JSON) -> Iterator[Key]:
    """The ModelDeployments that may serve it, and the run that made it."""
    meta, spec = version["metadata"], version["spec"]
    namespace = meta["namespace"]
    for md in store.all("ModelDeployment", namespace):
        model = md["spec"]["model"]
        if model.get("follow") == spec["model"] or model.get("version") == meta["name"]:
            yield Key("ModelDeployment", namespace, md["metadata"]["name"])
    if run := spec.get("trainingRun"):
        yield Key("TrainingRun", namespace, run)


KIND = Kind(ModelVersion, reconcile=reconcile, concerns=concerns, verbs=(*READ, "create", "patch"))
