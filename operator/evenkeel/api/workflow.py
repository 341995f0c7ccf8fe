"""What Argo Workflows is given for a training: the spec of a Workflow."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from evenkeel.api.engine import EngineTemplate
from evenkeel.meta.model import OpenObject, Rule, cel

_OPEN: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_NAME: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 253}


class WorkflowTemplate(EngineTemplate):
    """A Workflow of Argo Workflows."""

    spec: Annotated[
        OpenObject,
        Field(
            description="A WorkflowSpec: templates with an entrypoint, or workflowTemplateRef. "
            "Argo checks the rest.",
            json_schema_extra={
                "properties": {
                    "entrypoint": {**_NAME, "description": "Template that begins."},
                    "templates": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 256,
                        "x-kubernetes-list-type": "atomic",
                        "items": {
                            **_OPEN,
                            "required": ["name"],
                            "properties": {
                                "name": {**_NAME, "description": "Name of the template."}
                            },
                        },
                        "description": "Templates. Containers and scripts in them get the run's "
                        "environment.",
                    },
                    "workflowTemplateRef": {
                        **_OPEN,
                        "required": ["name"],
                        "properties": {
                            "name": {**_NAME, "description": "Name of the WorkflowTemplate."}
                        },
                        "description": "A WorkflowTemplate of the namespace, or with clusterScope "
                        "a ClusterWorkflowTemplate.",
                    },
                    "arguments": {
                        **_OPEN,
                        "properties": {
                            "parameters": {
                                "type": "array",
                                "maxItems": 256,
                                "x-kubernetes-list-type": "atomic",
                                "items": {
                                    **_OPEN,
                                    "required": ["name"],
                                    "properties": {
                                        "name": {**_NAME, "description": "Name of the parameter."}
                                    },
                                },
                                "description": "Parameters; those of the run replace those of the "
                                "same name.",
                            }
                        },
                        "description": "Arguments of the Workflow.",
                    },
                    "podMetadata": {
                        **_OPEN,
                        "properties": {
                            "labels": {
                                "type": "object",
                                "maxProperties": 64,
                                "additionalProperties": {"type": "string", "maxLength": 63},
                                "description": "Labels.",
                            }
                        },
                        "description": "Metadata of the pods; the run's labels join it.",
                    },
                    "suspend": {"type": "boolean", "description": "Write training.suspend."},
                    "shutdown": {**_NAME, "description": "Not offered."},
                    "activeDeadlineSeconds": {
                        "type": "integer",
                        "description": "Write training.timeoutSeconds.",
                    },
                },
                **cel(
                    Rule(
                        "has(self.templates) != has(self.workflowTemplateRef)",
                        "a workflow needs exactly one of templates or workflowTemplateRef",
                    ),
                    Rule(
                        "has(self.workflowTemplateRef) || has(self.entrypoint)",
                        "templates need entrypoint, the name of the one that begins",
                    ),
                    Rule(
                        "!has(self.activeDeadlineSeconds)",
                        "write training.timeoutSeconds in place of activeDeadlineSeconds",
                    ),
                    Rule(
                        "!has(self.suspend) && !has(self.shutdown)",
                        "write training.suspend in place of suspend; shutdown has no place here",
                    ),
                ),
            },
        ),
    ]
