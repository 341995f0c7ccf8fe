"""What every cluster has beyond the API: DNS as a Service, and a default StorageClass."""

from __future__ import annotations

from collections.abc import Sequence

from dev.cluster.components import DNS_PORT, DNS_SERVICE_ADDRESS, PROVISIONER_NAME
from dev.cluster.network import NODE_ADDRESS

DNS_USER = "evenkeel:coredns"
PROVISIONER_USER = "evenkeel:hostpath-provisioner"


def manifests() -> list[dict[str, object]]:
    """The objects to apply; applying them again changes nothing."""
    return [
        _cluster_role(
            DNS_USER,
            [
                {
                    "apiGroups": [""],
                    "resources": ["services", "pods", "namespaces"],
                    "verbs": ["list", "watch"],
                },
                {
                    "apiGroups": ["discovery.k8s.io"],
                    "resources": ["endpointslices"],
                    "verbs": ["list", "watch"],
                },
            ],
        ),
        _binding(DNS_USER, DNS_USER),
        _binding(PROVISIONER_USER, "system:persistent-volume-provisioner"),
        *_dns(),
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "standard",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": PROVISIONER_NAME,
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
        },
    ]


def _dns() -> list[dict[str, object]]:
    """CoreDNS runs beside the pods, on the node's address; the Service leads there."""
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    protocols = {"dns": "UDP", "dns-tcp": "TCP"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**metadata, "labels": {"k8s-app": "kube-dns"}},
            "spec": {
                "clusterIP": DNS_SERVICE_ADDRESS,
                "ports": [
                    {"name": name, "port": 53, "targetPort": DNS_PORT, "protocol": protocol}
                    for name, protocol in protocols.items()
                ],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                **metadata,
                "labels": {
                    "kubernetes.io/service-name": "kube-dns",
                    "endpointslice.kubernetes.io/managed-by": "evenkeel.dev",
                },
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
            "ports": [
                {"name": name, "port": DNS_PORT, "protocol": protocol}
                for name, protocol in protocols.items()
            ],
        },
    ]


def _cluster_role(name: str, rules: Sequence[dict[str, object]]) -> dict[str, object]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": list(rules),
    }


def _binding(user: str, role: str) -> dict[str, object]:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }
