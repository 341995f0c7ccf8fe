"""InferencePools behind the HTTPRoute, one a revision: an endpoint picker chooses among its pods.

A pool leads to ports by number. A revision whose number is not known yet has its Service behind
the route, as without pools.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.traffic import REVISION_PLACEHOLDER, InferencePool
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import HTTP_ROUTE, INFERENCE_POOL, SERVICE, Watch
from evenkeel.serving.children import child, selector
from evenkeel.serving.ports import Ports
from evenkeel.traffic.gateway import GATEWAY
from evenkeel.traffic.strategy import Division

PICKER = "picker"
"""The port of a revision's Service that leads to an endpoint picker in its pods."""


def inference_pool(md: ModelDeployment, revision: str, number: int) -> Manifest:
    """The pool of a revision's pods, named as the revision; number: of the port for HTTP."""
    picker = _wished(md).endpoint_picker_ref
    spec = {
        "selector": {"matchLabels": selector(md, revision)},
        "targetPorts": [{"number": number}],
        "endpointPickerRef": {
            "name": picker.name.replace(REVISION_PLACEHOLDER, revision),
            "port": {"number": picker.port.number},
            "failureMode": picker.failure_mode,
        },
    }
    return child(
        md, INFERENCE_POOL.api_version, INFERENCE_POOL.kind, revision, spec, revision=revision
    )


def backend_ref(backend: Mapping[str, Any]) -> dict[str, Any]:
    """A route's reference to a revision's Service as one to its pool."""
    own = {key: value for key, value in backend.items() if key != "port"}
    return {"group": INFERENCE_POOL.group, "kind": INFERENCE_POOL.kind, **own}


def pool_port(pool: Mapping[str, Any]) -> int | None:
    """The number of the port that an observed pool leads to."""
    targets = pool.get("spec", {}).get("targetPorts") or ()
    return next((target.get("number") for target in targets), None)


def pool_diagnosis(pool: Mapping[str, Any]) -> str:
    """Why a Gateway does not use the pool, as its status tells; "" unless one says so.

    A Gateway has nothing to say of a pool that no route has weight for.
    """
    parents = (pool.get("status") or {}).get("parents") or ()
    refused = [
        f"{condition.get('reason', '')}: {condition.get('message', '')}"
        for parent in parents
        for condition in parent.get("conditions") or ()
        if condition.get("type") in ("Accepted", "ResolvedRefs")
        and condition.get("status") == "False"
    ]
    if not refused:
        return ""
    return (
        f"the Gateway does not use the InferencePool {pool['metadata']['name']} "
        f"({'; '.join(refused)}); check traffic.gateway.inferencePool's endpointPickerRef, and "
        "that the Gateway knows InferencePools"
    )


def _wished(md: ModelDeployment) -> InferencePool:
    gateway = md.spec.traffic.gateway
    assert gateway is not None
    assert gateway.inference_pool is not None, "spec.traffic.gateway chooses this strategy"
    return gateway.inference_pool


def _objects(md: ModelDeployment, ports: Ports, division: Division) -> list[Manifest]:
    pooled = {r: ports.http[r] for r in division.revisions if r in ports.http}
    made = [_led_to(md, each, pooled) for each in GATEWAY.objects(md, ports, division)]
    return [*made, *(inference_pool(md, r, number) for r, number in pooled.items())]


def _led_to(md: ModelDeployment, made: Manifest, pooled: Mapping[str, int]) -> Manifest:
    """An object of the route's strategy, with pools and pickers instead of Services and pods."""
    spec = made["spec"]
    if made["kind"] == HTTP_ROUTE.kind:
        rules = [_divided(rule, pooled) for rule in spec["rules"]]
        return {**made, "spec": {**spec, "rules": rules}}
    picker = _wished(md).endpoint_picker_ref
    if made["kind"] == SERVICE.kind and _own_picker(picker.name, made, pooled):
        port = {
            "name": PICKER,
            "port": picker.port.number,
            "targetPort": picker.port.number,
            "protocol": "TCP",
            "appProtocol": "kubernetes.io/h2c",
        }
        return {**made, "spec": {**spec, "ports": [*spec["ports"], port]}}
    return made


def _divided(rule: Mapping[str, Any], pooled: Mapping[str, int]) -> dict[str, Any]:
    """A rule of the route that leads to pools, as far as there are any."""
    backends = rule.get("backendRefs", ())
    led = [backend_ref(b) if b["name"] in pooled else b for b in backends]
    return {**rule, "backendRefs": led} if led else dict(rule)


def _own_picker(name: str, service: Manifest, pooled: Mapping[str, int]) -> bool:
    """Whether a Service is a revision's that leads to the picker in its pods, too."""
    return name == REVISION_PLACEHOLDER and service["metadata"]["name"] in pooled


POOLS = dataclasses.replace(
    GATEWAY,
    watches=(*GATEWAY.watches, Watch(INFERENCE_POOL, kept=("targetPorts",), optional=True)),
    objects=_objects,
    revision_kinds=GATEWAY.revision_kinds | {INFERENCE_POOL.kind},
    diagnoses={**GATEWAY.diagnoses, INFERENCE_POOL.kind: pool_diagnosis},
)
"""The gateway's strategy where `inferencePool` is set."""
