"""How a ModelDeployment writes its own entry of a list in a ModelVersion's status."""

from __future__ import annotations

from evenkeel.api.base import API_VERSION
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modelversion import ModelVersion
from evenkeel.meta.model import Model
from evenkeel.meta.names import digest
from evenkeel.meta.plan import StatusPatch


def version_patch(
    md: ModelDeployment, version: ModelVersion, field: str, entry: Model, manager: str
) -> StatusPatch:
    """The entry alone. Each ModelDeployment has a manager of its own, so that none takes what
    others have written. manager: what it writes, in its name."""
    return StatusPatch(
        {
            "apiVersion": API_VERSION,
            "kind": "ModelVersion",
            "metadata": {"name": version.metadata.name, "namespace": md.metadata.namespace},
            "status": {field: [entry.wire()]},
        },
        manager=f"evenkeel-{manager}-{digest(md.metadata.uid)}",
    )
