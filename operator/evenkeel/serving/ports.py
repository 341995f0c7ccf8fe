"""The ports of a revision's pods that Services lead to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from evenkeel.meta.objects import Manifest

HTTP = "http"
GRPC = "grpc"
MODEL = "model-"
"""What the names of a model server's ports begin with where the meter has taken them."""
METRICS = "metrics"
"""Of the meter's port for Prometheus, unless the runtime's metrics have another."""
METER = "meter"
"""The container that stands in front of the model server, where there is one."""


class Ports(NamedTuple):
    """HTTP is always there; `grpc` is the port number, None without one.

    http: by revision the number of the container port, as far as that is known. Services lead to
    it by its name.
    """

    grpc: int | None = None
    http: Mapping[str, int] = MappingProxyType({})


def template_ports(template: Manifest) -> Ports:
    """The ports of a pod template.

    Clients keep the model server's number where the meter listens on another.
    """
    spec = template["spec"]
    metered = any(container.get("name") == METER for container in spec["containers"])
    number = port_number(spec, f"{MODEL}{GRPC}") if metered else None
    return Ports(number or port_number(spec, GRPC))


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


def scraped_at(number: int | None, path: str) -> dict[str, str]:
    """The customary annotations for Prometheus' pod discovery."""
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(number),
        "prometheus.io/path": path,
    }


def free_port(pod_spec: dict[str, Any], first: int) -> int:
    """The first number from `first` on that no container of the pod has a port of."""
    everyone = [*pod_spec["containers"], *pod_spec.get("initContainers", ())]
    taken = {p.get("containerPort") for c in everyone for p in c.get("ports") or ()}
    return next(port for port in range(first, 65536) if port not in taken)
