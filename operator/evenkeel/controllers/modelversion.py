"""The reconcile of a ModelVersion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.controllers.kind import Context, Kind
from evenkeel.controllers.known_versions import INDICES, promoted_last
from evenkeel.controllers.retrainschedule import OVERSEES
from evenkeel.kube.index import Entry, Index
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.plan import Plan
from evenkeel.meta.resources import READ
from evenkeel.versions.plan import VersionSnapshot, plan_version

JSON = dict[str, Any]

FOLLOWS = "deployments that follow a model"
NAMES = "deployments that name a version"


async def reconcile(context: Context, key: Key, obj: JSON, invalid: str | None) -> Plan:
    """What to write for the ModelVersion."""
    version = ModelVersion.model_validate(obj)
    store = context.store
    siblings = promoted_last(store, key.namespace, version.spec.model)
    named = store.get(Key(key.kind, key.namespace, version.spec.champion or ""))
    if named is not None:
        siblings += (store.parse(ModelVersion, named),)
    return plan_version(VersionSnapshot(version, siblings, datetime.now(UTC)))


def concerns(store: Store, version: JSON) -> Iterator[Key]:
    """The ModelDeployments that may serve it, the run that made it, and the schedules that look at
    the version in production."""
    meta, spec = version["metadata"], version["spec"]
    namespace, kind = meta["namespace"], "ModelDeployment"
    followers = store.found(FOLLOWS, kind, namespace, spec["model"])
    for md in (*followers, *store.found(NAMES, kind, namespace, meta["name"])):
        yield Key(kind, namespace, md["metadata"]["name"])
    if run := spec.get("trainingRun"):
        yield Key("TrainingRun", namespace, run)
    for schedule in store.found(OVERSEES, RetrainSchedule.kind, namespace, spec["model"]):
        yield Key(RetrainSchedule.kind, namespace, schedule["metadata"]["name"])


def _by_source(name: str, field: str) -> Index:
    def entries(deployment: JSON) -> Iterator[Entry]:
        if value := deployment["spec"]["model"].get(field):
            yield Entry(value)

    return Index(name, "ModelDeployment", entries)


KIND = Kind(
    ModelVersion,
    reconcile=reconcile,
    concerns=concerns,
    indices=lambda: (*INDICES, _by_source(FOLLOWS, "follow"), _by_source(NAMES, "version")),
    verbs=(*READ, "create", "patch", "record"),
)
