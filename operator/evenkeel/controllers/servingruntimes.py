"""ServingRuntime and ClusterServingRuntime, which are read only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evenkeel.api.servingruntime import ClusterServingRuntime, ServingRuntime
from evenkeel.controllers.kind import Kind
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key


def concerns(store: Store, runtime: dict[str, Any]) -> Iterator[Key]:
    """Every ModelDeployment that may use it."""
    for md in store.all("ModelDeployment", runtime["metadata"].get("namespace") or None):
        yield Key("ModelDeployment", md["metadata"]["namespace"], md["metadata"]["name"])


NAMESPACED = Kind(ServingRuntime, concerns=concerns)
CLUSTER = Kind(ClusterServingRuntime, concerns=concerns)
