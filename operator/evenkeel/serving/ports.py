"""The ports of a revision's pods that Services lead to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evenkeel.meta.objects import Manifest

HTTP = "http"
GRPC = "grpc"


class Ports(NamedTuple):
    """HTTP is always there; `grpc` is the port number, None without one."""

    grpc: int | None = None


def template_ports(template: Manifest) -> Ports:
    """The ports of a pod template."""
    return Ports(port_number(template["spec"], GRPC))


def service_ports(service: Mapping[str, Any]) -> Ports:
    """The ports that an observed Service leads to."""
    ports = service.get("spec", {}).get("ports") or ()
    return Ports(next((p["port"] for p in ports if p.get("name") == GRPC), None))


def port_number(pod_spec: dict[str, Any], name: str) -> int | None:
    """The number of the container port that a Service's `targetPort: name` leads to."""
    return next(
        (
            port.get("containerPort")
            for container in pod_spec["containers"]
            for port in container.get("ports", ())
            if port.get("name") == name
        ),
        None,
    )
