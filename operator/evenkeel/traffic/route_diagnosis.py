"""Why no Gateway takes an HTTPRoute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def route_trouble(route: Mapping[str, Any]) -> str:
    """Cause and remedy from the route's status, as Gateway API v1 has it; empty if one takes it."""
    parents = (route.get("status") or {}).get("parents") or ()
    accepted = [c for p in parents for c in p.get("conditions") or () if c["type"] == "Accepted"]
    if any(c["status"] == "True" for c in accepted):
        return ""
    told = "; ".join(f"{c['reason']}: {c.get('message', '')}" for c in accepted)
    return (
        f"no Gateway has accepted the HTTPRoute ({told or 'nor refused it'}); check "
        "traffic.gateway's parentRefs and hostnames, and what the listener allows"
    )
