"""Division by weights of a Gateway API HTTPRoute: one Service a revision behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import HTTP_ROUTE, Watch
from evenkeel.serving.children import child
from evenkeel.serving.ports import Ports
from evenkeel.traffic.services import (
    HTTP_PORT,
    WATCH,
    model_service,
    revision_service,
    service_url,
)
from evenkeel.traffic.strategy import Division, Strategy

REVISION_HEADER = "Evenkeel-Revision"
VERSION_HEADER = "Evenkeel-Version"


def http_route(md: ModelDeployment, division: Division) -> Manifest:
    """The HTTPRoute with the division's weights.

    A revision without a share is left out, so that no gateway waits for its endpoints.
    """
    gateway = md.spec.traffic.gateway
    assert gateway is not None, "spec.traffic.gateway chooses this strategy"
    sides = [(division.stable, division.stable_version, 100 - division.weight)]
    if division.canary is not None:
        sides.append((division.canary, division.canary_version, division.weight))
    backends = [
        {
            "name": revision,
            "port": HTTP_PORT,
            "weight": share,
            **(_told(revision, version) if gateway.revision_headers else {}),
        }
        for revision, version, share in sides
        if share > 0
    ]
    spec: dict[str, Any] = {
        "parentRefs": [parent.wire() for parent in gateway.parent_refs],
        "rules": [{"backendRefs": backends}],
    }
    if gateway.hostnames:
        spec["hostnames"] = list(gateway.hostnames)
    return child(md, HTTP_ROUTE.api_version, HTTP_ROUTE.kind, md.metadata.name, spec)


def _told(revision: str, version: str) -> dict[str, Any]:
    """Filters by which answers tell whose they are."""
    headers = {REVISION_HEADER: revision, VERSION_HEADER: version}
    told = [{"name": name, "value": value} for name, value in headers.items() if value]
    modifier = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": told}}
    return {"filters": [modifier]}


def route_diagnosis(route: Mapping[str, Any]) -> str:
    """Why no Gateway takes the route, from its status as Gateway API v1 has it; "" if one does."""
    parents = (route.get("status") or {}).get("parents") or ()
    conditions = [{c["type"]: c for c in p.get("conditions") or ()} for p in parents]
    accepted = [c["Accepted"] for c in conditions if "Accepted" in c]
    taken = [c for c in conditions if c.get("Accepted", {}).get("status") == "True"]
    if not taken:
        told = _words(accepted) or "nor refused it"
        return (
            f"no Gateway has accepted the HTTPRoute ({told}); check "
            "traffic.gateway's parentRefs and hostnames, and what the listener allows"
        )
    unresolved = [c["ResolvedRefs"] for c in taken if "ResolvedRefs" in c]
    if not unresolved or any(c["status"] != "False" for c in unresolved):
        return ""
    return (
        f"the Gateway does not send requests to the revisions ({_words(unresolved)}); if it does "
        "not know filters of backendRefs, remove traffic.gateway.revisionHeaders"
    )


def _words(conditions: list[Mapping[str, Any]]) -> str:
    return "; ".join(f"{c.get('reason', '')}: {c.get('message', '')}" for c in conditions)


def _objects(md: ModelDeployment, ports: Ports, division: Division) -> list[Manifest]:
    """Clients inside the cluster, which pass the Gateway by, stay with one revision."""
    return [
        model_service(md, ports, division.undivided),
        *(revision_service(md, revision, ports) for revision in division.revisions),
        http_route(md, division),
    ]


def _url(md: ModelDeployment) -> str:
    gateway = md.spec.traffic.gateway
    if gateway is not None and gateway.hostnames:
        return f"http://{gateway.hostnames[0]}"
    return service_url(md)


GATEWAY = Strategy(
    field="gateway",
    watches=(WATCH, Watch(HTTP_ROUTE, kept=("rules",), optional=True)),
    objects=_objects,
    kinds=frozenset({"Service", HTTP_ROUTE.kind}),
    revision_kinds=frozenset({"Service"}),
    url=_url,
    diagnoses={HTTP_ROUTE.kind: route_diagnosis},
)
