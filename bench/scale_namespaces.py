"""Very many watched namespaces, with the rights of Roles only."""

from __future__ import annotations

import asyncio

import yaml
from evenkeel.controllers import rights
from evenkeel.meta.resources import LEASE

from bench import scale_models
from bench.cluster import cluster
from bench.process import MEBIBYTE, Row, at_most

USER = "system:serviceaccount:evenkeel-system:evenkeel"


def measure(short: bool) -> list[Row]:
    """How soon it leads, and what it takes."""
    number = 20 if short else 100
    names = [f"team-{n}" for n in range(number)]
    with cluster() as made:
        made.kubectl("create", "-f", "-", stdin=_objects(names))
        own = made.plane.kubeconfig_for(USER)
        asyncio.run(scale_models.runtime())
        watched = {"EVENKEEL_WATCH_NAMESPACES": ",".join(names)}
        with made.operator(str(own), **watched) as operator:
            rss = operator.peak_rss() / MEBIBYTE
            return [
                at_most(f"{number} watched namespaces lead after", operator.led_after, 15, "s"),
                at_most("  memory at most", rss, 256, "MiB", 0),
            ]


def _objects(names: list[str]) -> str:
    """The namespaces, and the operator's rights as the chart grants them."""
    leases = {
        "apiGroups": [LEASE.group],
        "resources": [LEASE.plural],
        "verbs": ["get", "create", "update"],
    }
    return yaml.safe_dump_all(
        [
            _role("namespaced", rights.namespaced()),
            _role("clusterwide", rights.clusterwide()),
            _role("leases", [leases]),
            _binding("ClusterRoleBinding", "clusterwide"),
            _binding("RoleBinding", "leases", "default"),
            *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in names),
            *(_binding("RoleBinding", "namespaced", name) for name in names),
        ]
    )


def _role(name: str, rules: list[rights.Rule]) -> rights.Rule:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"bench-{name}"},
        "rules": rules,
    }


def _binding(kind: str, role: str, namespace: str = "") -> rights.Rule:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": f"bench-{role}", **({"namespace": namespace} if namespace else {})},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": f"bench-{role}",
        },
        "subjects": [{"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"}],
    }
