"""The reconcile of a ModelDeployment: observe, then plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from evenkeel.api import labels
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import ModelDeploymentStatus
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.controllers.kind import Context, Kind
from evenkeel.controllers.modeldeployment import groups
from evenkeel.controllers.modeldeployment.children import watches
from evenkeel.controllers.modeldeployment.claims import INDICES
from evenkeel.controllers.modeldeployment.observe import observe
from evenkeel.controllers.modeldeployment.plan import plan_deployment
from evenkeel.controllers.modeldeployment.wanted_looks import canary_share
from evenkeel.controllers.retrainschedule import OVERSEES
from evenkeel.controllers.shown_drifts import has_drifted
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.plan import Plan
from evenkeel.meta.resources import READ


async def reconcile(context: Context, key: Key, obj: dict[str, Any], invalid: str | None) -> Plan:
    """What to write for the ModelDeployment; nothing to objects that are another's."""
    snapshot = await observe(context, ModelDeployment.model_validate(obj))
    plan = plan_deployment(snapshot)
    taken = await context.ownership.taken((*plan.applies, *plan.beside))
    if taken:
        plan = plan_deployment(replace(snapshot, taken=taken))
    if isinstance(plan.status, ModelDeploymentStatus):
        # Another reconcile may come only after the next look.
        context.looks.divided(key, canary_share(snapshot.deployment, plan.status))
    return plan


_OWN = (labels.DEPLOYMENT, labels.FEEDBACK, labels.PERFORMANCE, labels.STEP_JOB)


def belongs(kind: str, obj: dict[str, Any]) -> str | None:
    """The ModelDeployment that a child, the pod that takes labels, or one of a Job names by its
    label."""
    given = obj["metadata"].get("labels") or {}
    found = (given.get(label) for label in _OWN)
    name: str | None = next((one for one in found if one), None)
    return name


def concerns(store: Store, deployment: dict[str, Any]) -> Iterator[Key]:
    """The rest of its group, and schedules whose triggers look at the version that serves, once it
    drifts."""
    yield from groups.members(store, deployment)
    if not has_drifted(deployment):
        return
    namespace = deployment["metadata"]["namespace"]
    status = deployment["status"]
    sides = (status.get(side) or {} for side in ("stable", "canary"))
    watched = (s for s in sides if s.get("revision") == status["monitoring"].get("revision"))
    version = next(watched, {}).get("version", "")
    found = store.get(Key(ModelVersion.kind, namespace, version))
    if found is not None:
        model = found["spec"]["model"]
        for schedule in store.found(OVERSEES, RetrainSchedule.kind, namespace, model):
            yield Key(RetrainSchedule.kind, namespace, schedule["metadata"]["name"])


KIND = Kind(
    ModelDeployment,
    reconcile=reconcile,
    concerns=concerns,
    owner=True,
    children=watches,
    belongs=belongs,
    labels=lambda: _OWN,
    indices=lambda: (*INDICES, *groups.INDICES),
    verbs=(*READ, "patch"),
)
