"""The gateway of the cluster."""

from __future__ import annotations

from typing import Any

from e2e.support.world import World

TRAEFIK = "traefik.traefik"
"""Where it takes requests, from within the cluster."""


def gateway(world: World, name: str, **traffic: Any) -> dict[str, Any]:
    """spec.traffic of a model at the host `<name>.example`, whose answers tell their revision."""
    path = "jsonpath={.items[0].metadata.namespace}/{.items[0].metadata.name}"
    namespace, found = world.stack.kubectl("get", "gateways", "-A", "-o", path).split("/")
    return {
        "gateway": {
            "parentRefs": [{"name": found, "namespace": namespace}],
            "hostnames": [f"{name}.example"],
            "revisionHeaders": True,
        },
        **traffic,
    }
