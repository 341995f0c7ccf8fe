"""Pods that a test makes by hand, as Pod Security restricted allows them."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]


def pod(name: str, container: JSON, labels: dict[str, str] | None = None, **spec: Any) -> JSON:
    """A pod whose one container bears its name; `spec` are more fields of the pod's spec."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            **spec,
            "containers": [
                {
                    "name": name,
                    "imagePullPolicy": "IfNotPresent",
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    **container,
                }
            ],
        },
    }
