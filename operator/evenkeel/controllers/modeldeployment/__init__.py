"""The reconcile of a ModelDeployment: observe, then plan."""

from __future__ import annotations

from typing import Any

from evenkeel import traffic
from evenkeel.api import labels
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.controllers.kind import Context, Kind
from evenkeel.controllers.modeldeployment.observe import observe
from evenkeel.controllers.modeldeployment.plan import plan_deployment
from evenkeel.meta.objects import Key
from evenkeel.meta.plan import Plan
from evenkeel.meta.resources import Watch
from evenkeel.serving import children


async def reconcile(context: Context, key: Key, obj: dict[str, Any], invalid: str | None) -> Plan:
    """What to write for the ModelDeployment."""
    return plan_deployment(await observe(context, ModelDeployment.model_validate(obj)))


def watches() -> tuple[Watch, ...]:
    """What serves it and divides its requests."""
    return (*children.WATCHES, *traffic.watches())


def belongs(kind: str, obj: dict[str, Any]) -> str | None:
    """The ModelDeployment that a child names by its label."""
    name: str | None = (obj["metadata"].get("labels") or {}).get(labels.DEPLOYMENT)
    return name


KIND = Kind(
    ModelDeployment,
    reconcile=reconcile,
    owner=True,
    children=watches,
    belongs=belongs,
    labels=lambda: (labels.DEPLOYMENT,),
)
