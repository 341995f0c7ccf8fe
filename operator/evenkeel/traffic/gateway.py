"""Division by weights of a Gateway API HTTPRoute: one Service a revision behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.traffic import CookieAffinity, Gateway
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import HTTP_ROUTE, Watch
from evenkeel.serving.children import child
from evenkeel.serving.ports import Ports
from evenkeel.traffic.matches import header_matches, with_cookies
from evenkeel.traffic.preview import preview_hostnames, preview_name, preview_services
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


class Side(NamedTuple):
    """A revision that requests go to, and its ModelVersion, if it has one."""

    revision: str
    version: str


def http_route(md: ModelDeployment, division: Division) -> Manifest:
    """The HTTPRoute that divides the requests so.

    A revision without a share is left out, so that no gateway waits for its endpoints.
    """
    stable = Side(division.stable, division.stable_version)
    shares = {stable: 100 - division.weight}
    canary = None if division.canary is None else Side(division.canary, division.canary_version)
    first: list[Manifest] = []
    if canary is not None:
        shares[canary] = division.weight
        if division.baseline is not None:
            shares[stable] -= division.weight
            shares[Side(division.baseline, division.stable_version)] = division.weight
        if division.matches:
            first.append(_rule(md, {canary: 100}, matches=header_matches(division.matches)))
    shares = {side: share for side, share in shares.items() if share > 0}
    sticky = _cookie(md) if len(shares) > 1 else None
    if sticky is not None:
        first += [_rule(md, {side: 100}, matches=[_staying(sticky, side)]) for side in shares]
    rules = [*first, _rule(md, shares, sticky)]
    return _route(md, md.metadata.name, _gateway(md).hostnames, rules)


def preview_route(md: ModelDeployment, division: Division) -> Manifest | None:
    """The HTTPRoute by which a preview's host names lead to the canary; None without them."""
    hostnames = preview_hostnames(md)
    if division.canary is None or not division.preview or not hostnames:
        return None
    # The revision's own Service, since gateways count by it.
    rules = [_rule(md, {Side(division.canary, division.canary_version): 100})]
    return _route(md, preview_name(md), hostnames, rules)


def _route(
    md: ModelDeployment, name: str, hostnames: tuple[str, ...], rules: list[Manifest]
) -> Manifest:
    parents = [parent.wire() for parent in _gateway(md).parent_refs]
    spec: dict[str, Any] = {"parentRefs": parents, "rules": rules}
    if hostnames:
        spec["hostnames"] = list(hostnames)
    return child(md, HTTP_ROUTE.api_version, HTTP_ROUTE.kind, name, spec)


def _rule(
    md: ModelDeployment,
    shares: Mapping[Side, int],
    sticky: CookieAffinity | None = None,
    *,
    matches: list[Manifest] | None = None,
) -> Manifest:
    """sticky: the cookie by which each answer tells its client whom to come back to."""
    told = _gateway(md).revision_headers
    backends = [
        {"name": side.revision, "port": HTTP_PORT, "weight": share, **_filters(side, sticky, told)}
        for side, share in shares.items()
    ]
    rule: Manifest = {"backendRefs": backends}
    return rule if matches is None else {"matches": matches, **rule}


def _filters(side: Side, sticky: CookieAffinity | None, told: bool) -> dict[str, Any]:
    """Filters by which answers tell whose they are; told: in headers of their own."""
    modifier: dict[str, Any] = {}
    if told:
        headers = {REVISION_HEADER: side.revision, VERSION_HEADER: side.version}
        modifier["set"] = [{"name": n, "value": v} for n, v in headers.items() if v]
    if sticky is not None:
        value = f"{sticky.name}={side.revision}; Path=/; Max-Age={sticky.max_age_seconds}"
        # Added, since the model's own answers may set cookies, too.
        modifier["add"] = [{"name": "Set-Cookie", "value": value}]
    if not modifier:
        return {}
    return {"filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}]}


def _gateway(md: ModelDeployment) -> Gateway:
    gateway = md.spec.traffic.gateway
    assert gateway is not None, "spec.traffic.gateway chooses this strategy"
    return gateway


def _cookie(md: ModelDeployment) -> CookieAffinity | None:
    affinity = md.spec.traffic.affinity
    return None if affinity is None else affinity.cookie


def _staying(sticky: CookieAffinity, side: Side) -> Manifest:
    """The requests of clients that have the side's cookie."""
    return {"headers": [with_cookies({sticky.name: side.revision})]}


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
            f"{_expressions(route)}"
        )
    whole = [c for c in taken if c.get("PartiallyInvalid", {}).get("status") != "True"]
    if not whole:
        told = _words([c["PartiallyInvalid"] for c in taken])
        return f"the Gateway leaves out rules of the HTTPRoute ({told}){_expressions(route)}"
    unresolved = [c["ResolvedRefs"] for c in whole if "ResolvedRefs" in c]
    if not unresolved or any(c["status"] != "False" for c in unresolved):
        return ""
    return (
        f"the Gateway does not send requests to the revisions ({_words(unresolved)}); if it does "
        "not know filters of backendRefs, remove traffic.gateway.revisionHeaders and "
        "traffic.affinity.cookie"
    )


def _expressions(route: Mapping[str, Any]) -> str:
    """What to do without where a gateway knows no expressions, if the route has any."""
    rules = (route.get("spec") or {}).get("rules") or ()
    entries = (entry for rule in rules for entry in rule.get("matches") or ())
    headers = (header for entry in entries for header in entry.get("headers") or ())
    if all(header.get("type") != "RegularExpression" for header in headers):
        return ""
    return (
        "; if it does not take RegularExpression matches of headers, which cookies need, match "
        "headers with type: Exact, and remove traffic.affinity.cookie"
    )


def _words(conditions: list[Mapping[str, Any]]) -> str:
    return "; ".join(f"{c.get('reason', '')}: {c.get('message', '')}" for c in conditions)


def _objects(md: ModelDeployment, ports: Ports, division: Division) -> list[Manifest]:
    """Clients inside the cluster, which pass the Gateway by, stay with one revision."""
    preview = preview_route(md, division)
    return [
        model_service(md, ports, division.undivided),
        *(revision_service(md, revision, ports) for revision in division.revisions),
        *preview_services(md, ports, division),
        http_route(md, division),
        *([] if preview is None else [preview]),
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
