"""The Kubernetes objects that serve a ModelDeployment, each built from plain values."""

from __future__ import annotations

from typing import Any

from evenkeel.api.labels import DEPLOYMENT, MANAGED_BY, MANAGER, REVISION, owner_reference
from evenkeel.api.modeldeployment import ModelDeployment, ModelDeploymentSpec
from evenkeel.api.rollout import Rollout
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import DEPLOYMENT as DEPLOYMENTS
from evenkeel.meta.resources import HPA, PDB, Watch
from evenkeel.serving.pod_template import APP
from evenkeel.serving.progress_deadline import progress_deadline

WATCHES = (
    Watch(DEPLOYMENTS, kept=("replicas", "progressDeadlineSeconds")),
    Watch(HPA, kept=("scaleTargetRef",)),
    Watch(PDB),
)


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
        "template": template,
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return child(md, "apps/v1", "Deployment", revision, spec, revision)


def _rolling_update(rollout: Rollout) -> dict[str, Any]:
    """No pod goes before its successor is ready, unless the user has no room for that."""
    surge, unavailable = rollout.max_surge, rollout.max_unavailable
    return {
        "maxUnavailable": 0 if unavailable is None else unavailable,
        "maxSurge": "25%" if surge is None else surge,
    }


def hpa(md: ModelDeployment, revision: str) -> Manifest | None:
    """The HorizontalPodAutoscaler on the stable revision; None without spec.autoscaling."""
    wanted = md.spec.autoscaling
    if wanted is None:
        return None
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
        "minReplicas": wanted.min_replicas,
        "maxReplicas": wanted.max_replicas,
        "metrics": list(wanted.metrics) or [cpu],
    }
    if wanted.behavior is not None:
        spec["behavior"] = wanted.behavior
    return child(md, "autoscaling/v2", "HorizontalPodAutoscaler", md.metadata.name, spec)


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


def child(
    md: ModelDeployment,
    api_version: str,
    kind: str,
    name: str,
    spec: dict[str, Any],
    revision: str | None = None,
) -> Manifest:
    """An object owned by the ModelDeployment, of one revision or of all."""
    labels = {APP: md.metadata.name, MANAGED_BY: MANAGER, **selector(md, revision)}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": md.metadata.namespace,
            "labels": labels,
            "ownerReferences": [owner_reference(md.kind, md.metadata)],
        },
        "spec": spec,
    }
