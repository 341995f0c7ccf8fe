"""The Kubernetes objects that serve a ModelDeployment, each built from plain values."""

from __future__ import annotations

from typing import Any

from evenkeel.api.labels import DEPLOYMENT, MANAGED_BY, MANAGER, REVISION, owner_reference
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.objects import Manifest
from evenkeel.serving.pod_template import APP, GRPC, HTTP, port_number

HTTP_PORT = 80
"""Port of every Service for HTTP, whatever the container listens on."""


def deployment(
    md: ModelDeployment, revision: str, template: Manifest, replicas: int | None
) -> Manifest:
    """The Deployment of a revision.

    template: of `pod_template`, or that of the observed Deployment to keep it as it is.
    replicas: None leaves the number to the HorizontalPodAutoscaler.
    """
    spec: dict[str, Any] = {
        "selector": {"matchLabels": _selector(md, revision)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"},
        },
        "progressDeadlineSeconds": md.spec.rollout.progress_deadline_seconds,
        "revisionHistoryLimit": 2,
        "template": template,
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return _child(md, "apps/v1", "Deployment", revision, spec, revision)


def service(md: ModelDeployment, template: Manifest, revision: str | None) -> Manifest:
    """The Service that clients call, named as the ModelDeployment.

    template: pod template of the stable revision, for its ports. revision: the only revision that
    gets requests; None sends them to the pods of all revisions alike.
    """
    return _service(md, md.metadata.name, template, revision, own=None)


def revision_service(md: ModelDeployment, revision: str, template: Manifest) -> Manifest:
    """The Service of one revision, a backend of the HTTPRoute; it is named as the revision."""
    return _service(md, revision, template, revision, own=revision)


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
    return _child(md, "autoscaling/v2", "HorizontalPodAutoscaler", md.metadata.name, spec)


def pdb(md: ModelDeployment) -> Manifest | None:
    """The PodDisruptionBudget over all revisions' pods; None without spec.disruptionBudget.

    Pods that are not ready never block a drain, since they serve nobody.
    """
    wanted = md.spec.disruption_budget
    if wanted is None:
        return None
    spec: dict[str, Any] = {
        **wanted.wire(),
        "selector": {"matchLabels": _selector(md, None)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return _child(md, "policy/v1", "PodDisruptionBudget", md.metadata.name, spec)


def http_route(
    md: ModelDeployment, stable: str, canary: str | None = None, weight: int = 0
) -> Manifest | None:
    """The HTTPRoute with `weight` percent for the canary; None without spec.traffic.gateway.

    A revision without a share is left out, so that no gateway waits for its endpoints.
    """
    gateway = md.spec.traffic.gateway
    if gateway is None:
        return None
    shares = {stable: 100}
    if canary is not None:
        shares = {stable: 100 - weight, canary: weight}
    backends = [
        {"name": revision, "port": HTTP_PORT, "weight": share}
        for revision, share in shares.items()
        if share > 0
    ]
    spec: dict[str, Any] = {
        "parentRefs": [parent.wire() for parent in gateway.parent_refs],
        "rules": [{"backendRefs": backends}],
    }
    if gateway.hostnames:
        spec["hostnames"] = list(gateway.hostnames)
    return _child(md, "gateway.networking.k8s.io/v1", "HTTPRoute", md.metadata.name, spec)


def _service(
    md: ModelDeployment, name: str, template: Manifest, selected: str | None, own: str | None
) -> Manifest:
    ports = [
        {
            "name": HTTP,
            "port": HTTP_PORT,
            "targetPort": HTTP,
            "protocol": "TCP",
            "appProtocol": "http",
        }
    ]
    if (number := port_number(template["spec"], GRPC)) is not None:
        ports.append(
            {
                "name": GRPC,
                "port": number,
                "targetPort": GRPC,
                "protocol": "TCP",
                "appProtocol": "kubernetes.io/h2c",
            }
        )
    spec = {"type": "ClusterIP", "selector": _selector(md, selected), "ports": ports}
    return _child(md, "v1", "Service", name, spec, own)


def _selector(md: ModelDeployment, revision: str | None) -> dict[str, str]:
    selector = {DEPLOYMENT: md.metadata.name}
    return selector if revision is None else {**selector, REVISION: revision}


def _child(
    md: ModelDeployment,
    api_version: str,
    kind: str,
    name: str,
    spec: dict[str, Any],
    revision: str | None = None,
) -> Manifest:
    labels = {APP: md.metadata.name, MANAGED_BY: MANAGER, **_selector(md, revision)}
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
