"""The processes in a ModelDeployment's pods, as far as the cluster tells of them."""

from __future__ import annotations

from collections.abc import Mapping

from evenkeel.api import labels
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.resources import POD
from evenkeel.serving import processes as serving


def processes(
    store: Store, deployment: Key, revisions: tuple[str, ...]
) -> Mapping[str, float | None]:
    """When the model server in each pod of the revisions started, Unix seconds, by the pod's name;
    empty where there are no Pod objects."""
    found = store.labelled(POD.kind, deployment.namespace, labels.DEPLOYMENT, deployment.name)
    of_revisions = [p for p in found if p["metadata"]["labels"].get(labels.REVISION) in revisions]
    return {p.pod: p.started for p in serving.processes(of_revisions)}
