"""The reconcile of a ModelRegistry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.controllers.kind import Context, Kind
from evenkeel.controllers.modelversion import HANDED_OUT, UNREGISTERED
from evenkeel.controllers.trainingrun import REPORTED
from evenkeel.kube.index import Entry, Index
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.plan import Plan
from evenkeel.registries.plan import plan_registry, question

JSON = dict[str, Any]

SERVED = "deployments with a model or an alias of a registry"


CONCERNED = {
    SERVED: "ModelDeployment",
    UNREGISTERED: "ModelVersion",
    HANDED_OUT: "ModelVersion",
    REPORTED: "TrainingRun",
}
"""By index the kind of objects that name a registry."""


async def reconcile(context: Context, key: Key, obj: JSON, invalid: str | None) -> Plan:
    """What to write for the ModelRegistry, which is asked for as long as it is there."""
    registry = ModelRegistry.model_validate(obj)
    if registry.metadata.deletion_timestamp is not None:
        context.polls.want(key, {})
        return Plan(status=registry.status)
    seen = context.polls.want(key, {"registry": question(registry)})["registry"]
    return plan_registry(registry, seen, datetime.now(UTC))


def concerns(store: Store, registry: JSON) -> Iterator[Key]:
    """Whom its answers and its Secret concern."""
    meta = registry["metadata"]
    for index, kind in CONCERNED.items():
        for obj in store.found(index, kind, meta["namespace"], meta["name"]):
            yield Key(kind, meta["namespace"], obj["metadata"]["name"])


def _by_registry(deployment: JSON) -> Iterator[Entry]:
    spec = deployment["spec"]
    named = (spec["model"].get("registry"), spec.get("servedAlias"))
    yield from {Entry(found["registry"]) for found in named if found}


KIND = Kind(
    ModelRegistry,
    reconcile=reconcile,
    concerns=concerns,
    indices=lambda: (Index(SERVED, "ModelDeployment", _by_registry),),
)
