"""The Kubernetes objects that serve a ModelDeployment, each built from plain values."""

from __future__ import annotations

from typing import Any

from evenkeel.api.common import ChildMetadata
from evenkeel.api.labels import DEPLOYMENT, MANAGED_BY, MANAGER, REVISION, owner_reference
from evenkeel.api.modeldeployment import ModelDeployment, ModelDeploymentSpec
from evenkeel.api.rollout import Rollout
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import DEPLOYMENT as DEPLOYMENTS
from evenkeel.meta.resources import HPA, PDB, POD, READ, SERVICE, Watch
from evenkeel.pods.slim import slim
from evenkeel.serving.pod_template import APP
from evenkeel.serving.progress_deadline import progress_deadline

WATCHES = (
    Watch(DEPLOYMENTS, kept=("replicas", "progressDeadlineSeconds")),
    Watch(HPA, kept=("scaleTargetRef",)),
    Watch(PDB),
    Watch(POD, verbs=(*READ, "patch"), slim=slim),
)


_METADATA = {
    DEPLOYMENTS.kind: "deployment",
    SERVICE.kind: "service",
    HPA.kind: "autoscaler",
    PDB.kind: "disruption_budget",
}
"""By kind the field of spec.childMetadata; `route` is that of what else divides requests."""


def unwanted_kinds(spec: ModelDeploymentSpec) -> set[str]:
    """Kinds of children that the spec does not ask for."""
    optional = {HPA.kind: spec.autoscaling, PDB.kind: spec.disruption_budget}
    return {kind for kind, wanted in optional.items() if wanted is None}


def deployment(
    md: ModelDeployment, revision: str, template: Manifest, replicas: int | None
) -> Manifest:
    """The Deployment of a revision.

    template: of `pod_template`, or that of the observed Deployment to keep it as it is.
    replicas: None leaves the number to the HorizontalPodAutoscaler.
    """
    spec: dict[str, Any] = {
        "selector": {"matchLabels": selector(md, revision)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": _rolling_update(md.spec.rollout),
        },
        "progressDeadlineSeconds": progress_deadline(md, template),
        "revisionHistoryLimit": 2,
        "template": {**template, "metadata": _without_empty_maps(template["metadata"])},
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return child(md, "apps/v1", "Deployment", revision, spec, revision)


def _without_empty_maps(metadata: Manifest) -> Manifest:
    """An empty map would be owned whole, so that others' annotations would be taken out."""
    return {key: value for key, value in metadata.items() if value != {}}


def _rolling_update(rollout: Rollout) -> dict[str, Any]:
    """No pod goes before its successor is ready, unless the user has no room for that."""
    surge, unavailable = rollout.max_surge, rollout.max_unavailable
    if rollout.stop_first and surge is None and not unavailable:
        surge, unavailable = 0, 1
    return {
        "maxUnavailable": 0 if unavailable is None else unavailable,
        "maxSurge": "25%" if surge is None else surge,
    }


def hpa(
    md: ModelDeployment, revision: str, least: int | None = None, *, own: bool = False
) -> Manifest | None:
    """The HorizontalPodAutoscaler on a revision; None without spec.autoscaling.

    least: replicas at least, where not minReplicas. own: whether it is the revision's own, named
    as it, instead of the model's.
    """
    wanted = md.spec.autoscaling
    if wanted is None:
        return None
    low = wanted.min_replicas if least is None else max(1, least)
    cpu = {
        "type": "Resource",
        "resource": {
            "name": "cpu",
            "target": {
                "type": "Utilization",
                "averageUtilization": wanted.target_cpu_utilization_percentage,
            },
        },
    }
    spec: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": revision},
        "minReplicas": low,
        "maxReplicas": max(wanted.max_replicas, low),
        "metrics": list(wanted.metrics) or [cpu],
    }
    if wanted.behavior is not None:
        spec["behavior"] = wanted.behavior
    name = revision if own else md.metadata.name
    of = revision if own else None
    return child(md, "autoscaling/v2", "HorizontalPodAutoscaler", name, spec, of)


def pdb(md: ModelDeployment) -> Manifest | None:
    """The PodDisruptionBudget over all revisions' pods; None without spec.disruptionBudget.

    Pods that are not ready never block a drain, since they serve nobody.
    """
    wanted = md.spec.disruption_budget
    if wanted is None:
        return None
    spec: dict[str, Any] = {
        **wanted.wire(),
        "selector": {"matchLabels": selector(md, None)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return child(md, "policy/v1", "PodDisruptionBudget", md.metadata.name, spec)


def selector(md: ModelDeployment, revision: str | None) -> dict[str, str]:
    """Selects the pods of a revision, or of all revisions."""
    labels = {DEPLOYMENT: md.metadata.name}
    return labels if revision is None else {**labels, REVISION: revision}


def own_labels(md: ModelDeployment, revision: str | None) -> dict[str, str]:
    """The labels of every object of a revision, or of those of all."""
    return {APP: md.metadata.name, MANAGED_BY: MANAGER, **selector(md, revision)}


def child(
    md: ModelDeployment,
    api_version: str,
    kind: str,
    name: str,
    spec: dict[str, Any],
    revision: str | None = None,
) -> Manifest:
    """An object owned by the ModelDeployment, of one revision or of all."""
    of_kind = getattr(md.spec.child_metadata, _METADATA.get(kind, "route"), None)
    given = of_kind or ChildMetadata()
    metadata: Manifest = {
        "name": name,
        "namespace": md.metadata.namespace,
        "labels": {**given.labels, **own_labels(md, revision)},
        "ownerReferences": [owner_reference(md.kind, md.metadata)],
    }
    if given.annotations:
        metadata["annotations"] = dict(given.annotations)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
