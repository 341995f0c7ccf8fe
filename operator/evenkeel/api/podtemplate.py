"""What a ModelDeployment changes in the pods that its runtime gives."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.api.common import ChildMetadata
from evenkeel.meta.model import SET, Model, OpenObject, says

_SEGMENT = r"(\.[A-Za-z0-9_-]+|\.?\[[^\[\]=]+(=[^\[\]]+)?\])"
PATH = rf"^(spec|metadata){_SEGMENT}+$"
"""Keys with dots between them; in brackets an element of a list by one of its fields, or a key."""

Removal = Annotated[
    str,
    Field(
        max_length=512,
        pattern=PATH,
        json_schema_extra=says(
            "write a path such as spec.containers[name=model].livenessProbe or "
            "metadata.labels[example.com/team]"
        ),
    ),
]
"""A path in a pod template."""


class PodTemplate(Model):
    """Overlay on the pod template that the runtime gives."""

    remove: Annotated[
        tuple[Removal, ...],
        Field(
            max_length=64,
            description="Paths of the runtime's pod template that are removed before the overlay "
            "is merged, such as spec.containers[name=model].livenessProbe.",
            json_schema_extra=SET,
        ),
    ] = ()

    metadata: Annotated[
        ChildMetadata | None, Field(description="Labels and annotations of the pods.")
    ] = None
    spec: Annotated[
        OpenObject,
        Field(
            description="Merged over the PodSpec; containers, volumes and env merge by name, other "
            "lists are replaced."
        ),
    ] = Field(default_factory=dict)
