"""What Pod Security's level "restricted" asks for, wherever the pod does not say otherwise.

The user a container runs as is left to its image or runtime.
"""

from __future__ import annotations

from typing import Any


def restricted(pod_spec: dict[str, Any]) -> dict[str, Any]:
    """A copy of the PodSpec with its missing security fields filled in; set ones are kept.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    pod = {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        **(pod_spec.get("securityContext") or {}),
    }
    secured = {**pod_spec, "securityContext": pod}
    for field in ("initContainers", "containers"):
        if isinstance(pod_spec.get(field), list):
            secured[field] = [_container(container) for container in pod_spec[field]]
    return secured


def _container(container: dict[str, Any]) -> dict[str, Any]:
    own = container.get("securityContext") or {}
    context = {
        "allowPrivilegeEscalation": False,
        **own,
        "capabilities": {"drop": ["ALL"], **(own.get("capabilities") or {})},
    }
    return {**container, "securityContext": context}
