"""The processes in a ModelDeployment's pods, as far as the cluster tells of them."""

from __future__ import annotations

from collections.abc import Mapping

from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key


def processes(
    store: Store, deployment: Key, revisions: tuple[str, ...]
) -> Mapping[str, float | None]:
    """When the model server in each pod of the revisions started, Unix seconds, by the pod's name;
    empty where pods are not watched."""
    return {}
