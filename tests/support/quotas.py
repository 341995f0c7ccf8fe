"""A ResourceQuota, with the part of its controller that a test plays."""

from __future__ import annotations

import json

from tests.support.operating import Namespace


def impose(ns: Namespace, hard: dict[str, str]) -> None:
    """The quota q with these bounds, of which nothing is used yet."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}}
    made = json.dumps({**quota, "spec": {"hard": hard}})
    ns.server.kubectl("apply", "-n", ns.name, "-f", "-", stdin=made)
    status = json.dumps({"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}})
    where = ("-n", ns.name, "--subresource=status", "--type=merge", "-p", status)
    ns.server.kubectl("patch", "resourcequota", "q", *where)


def lift(ns: Namespace) -> None:
    ns.server.kubectl("delete", "resourcequota", "q", "-n", ns.name)
