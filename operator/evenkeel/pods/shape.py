"""Whether a PodSpec written by a user has the shape that building pods relies on.

The CRDs leave PodSpecs open, since the API server checks them once there is a Deployment. What is
looked at before that must not be taken on trust.
"""

from __future__ import annotations

from typing import Any

from evenkeel.meta.refusal import Refused

_LISTS_OF_OBJECTS = frozenset(
    {"containers", "initContainers", "volumes", "ports", "env", "volumeMounts"}
)
_OBJECTS = frozenset(
    {
        "capabilities",
        "httpGet",
        "lifecycle",
        "livenessProbe",
        "readinessProbe",
        "resources",
        "securityContext",
        "startupProbe",
        "tcpSocket",
    }
)


def malformed(pod_spec: dict[str, Any], where: str) -> Refused | None:
    """Refuses a PodSpec in which a list or an object is something else, or without containers.

    where: the field that people know it by, such as spec.podTemplate.spec.
    """
    if (problem := _problem(pod_spec, where)) is not None:
        return Refused("InvalidPodSpec", problem)
    if not pod_spec.get("containers"):
        return Refused("InvalidPodSpec", f"{where} leaves no container in the pod")
    return None


def _problem(node: dict[str, Any], path: str) -> str | None:
    for key, value in node.items():
        here = f"{path}.{key}"
        if key in _LISTS_OF_OBJECTS:
            if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
                return f"{here} must be a list of objects"
            items = value
        elif key in _OBJECTS:
            if not isinstance(value, dict):
                return f"{here} must be an object"
            items = [value]
        else:
            continue
        for item in items:
            if (problem := _problem(item, here)) is not None:
                return problem
    return None
