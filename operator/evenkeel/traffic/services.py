"""The Services that lead to a model's pods."""

from __future__ import annotations

from typing import Any

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import SERVICE, Watch
from evenkeel.serving.children import child, selector
from evenkeel.serving.ports import GRPC, HTTP, Ports

HTTP_PORT = 80
"""Port of every Service for HTTP, whatever the container listens on."""
WATCH = Watch(SERVICE, kept=("selector", "ports"))


def model_service(md: ModelDeployment, ports: Ports, revision: str | None) -> Manifest:
    """The Service that clients call, named as the ModelDeployment.

    revision: the only revision that gets requests; None sends them to all pods alike.
    """
    return _service(md, md.metadata.name, ports, revision, own=None)


def revision_service(md: ModelDeployment, revision: str, ports: Ports) -> Manifest:
    """The Service of one revision, a backend of a route; it is named as the revision."""
    return _service(md, revision, ports, revision, own=revision)


def preview_service(md: ModelDeployment, name: str, revision: str, ports: Ports) -> Manifest:
    """The Service of whichever revision is on trial."""
    return _service(md, name, ports, revision, own=None)


def revision_url(md: ModelDeployment, revision: str) -> str:
    """That Service, from within the cluster."""
    return f"http://{revision}.{md.metadata.namespace}.svc"


def service_url(md: ModelDeployment) -> str:
    """The model's Service, from within the cluster."""
    return f"http://{md.metadata.name}.{md.metadata.namespace}.svc"


def _service(
    md: ModelDeployment, name: str, ports: Ports, selected: str | None, own: str | None
) -> Manifest:
    entries: list[dict[str, Any]] = [
        {
            "name": HTTP,
            "port": HTTP_PORT,
            "targetPort": HTTP,
            "protocol": "TCP",
            "appProtocol": "http",
        }
    ]
    if ports.grpc is not None:
        entries.append(
            {
                "name": GRPC,
                "port": ports.grpc,
                "targetPort": GRPC,
                "protocol": "TCP",
                "appProtocol": "kubernetes.io/h2c",
            }
        )
    spec = {"type": "ClusterIP", "selector": selector(md, selected), "ports": entries}
    return child(md, "v1", "Service", name, spec, own)
