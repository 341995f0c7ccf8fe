"""What KubeRay is given for a training: the spec of a RayJob."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from evenkeel.api.engine import EngineTemplate
from evenkeel.meta.model import OpenObject, Rule, cel

_OPEN: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_NODE: dict[str, Any] = {
    **_OPEN,
    "required": ["template"],
    "properties": {
        "template": {
            **_OPEN,
            "required": ["spec"],
            "properties": {
                "spec": {
                    **_OPEN,
                    "required": ["containers"],
                    "properties": {
                        "containers": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 16,
                            "x-kubernetes-list-type": "atomic",
                            "items": _OPEN,
                            "description": "Containers; Ray runs in the first, which gets the "
                            "run's environment.",
                        }
                    },
                    "description": "A core/v1 PodSpec.",
                }
            },
            "description": "Pod template; the run's labels join its metadata.",
        }
    },
}


class RayJobTemplate(EngineTemplate):
    """A RayJob of KubeRay, with a cluster of its own."""

    spec: Annotated[
        OpenObject,
        Field(
            description="A RayJobSpec with a cluster of its own. KubeRay checks the rest.",
            json_schema_extra={
                "required": ["entrypoint", "rayClusterSpec"],
                "properties": {
                    "entrypoint": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 32768,
                        "description": "Command of the Ray job, which trains.",
                    },
                    "rayClusterSpec": {
                        **_OPEN,
                        "required": ["headGroupSpec"],
                        "properties": {
                            "headGroupSpec": {**_NODE, "description": "The head."},
                            "workerGroupSpecs": {
                                "type": "array",
                                "maxItems": 64,
                                "x-kubernetes-list-type": "atomic",
                                "items": _NODE,
                                "description": "Groups of workers.",
                            },
                        },
                        "description": "The cluster that is made for the run.",
                    },
                    "submissionMode": {
                        "type": "string",
                        "enum": ["K8sJobMode", "HTTPMode", "SidecarMode"],
                        "description": "How KubeRay submits the Ray job.",
                    },
                    "clusterSelector": {**_OPEN, "description": "Not offered."},
                    "jobId": {"type": "string", "maxLength": 253, "description": "Not offered."},
                    "suspend": {"type": "boolean", "description": "Write training.suspend."},
                    "activeDeadlineSeconds": {
                        "type": "integer",
                        "description": "Write training.timeoutSeconds.",
                    },
                    "backoffLimit": {"type": "integer", "description": "Write training.retries."},
                },
                **cel(
                    Rule(
                        "!has(self.clusterSelector) && !has(self.jobId)",
                        "a training has a Ray cluster and a Ray job of its own: take "
                        "clusterSelector and jobId out",
                    ),
                    Rule(
                        "!has(self.activeDeadlineSeconds)",
                        "write training.timeoutSeconds in place of activeDeadlineSeconds",
                    ),
                    Rule(
                        "!has(self.suspend)",
                        "write training.suspend in place of suspend",
                    ),
                    Rule(
                        "!has(self.backoffLimit)",
                        "write training.retries in place of backoffLimit",
                    ),
                ),
            },
        ),
    ]
