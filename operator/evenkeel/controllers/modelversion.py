"""The reconcile of a ModelVersion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from evenkeel.api.artifacts import handed_out
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.modelversion import Download, ModelVersion
from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.api.uri import is_proxied
from evenkeel.controllers.kind import Context, Kind
from evenkeel.controllers.known_versions import INDICES, promoted_last
from evenkeel.controllers.retrainschedule import OVERSEES
from evenkeel.kube.index import Entry, Index
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.plan import Plan
from evenkeel.meta.resources import READ
from evenkeel.outside.poll import Sighting
from evenkeel.registries.registration import TYPE, Found, found, question
from evenkeel.versions.plan import VersionSnapshot, plan_version

JSON = dict[str, Any]

FOLLOWS = "deployments that follow a model"
NAMES = "deployments that name a version"
UNREGISTERED = "versions that a registry is to have"
HANDED_OUT = "versions that a registry's server hands out"


async def reconcile(context: Context, key: Key, obj: JSON, invalid: str | None) -> Plan:
    """What to write for the ModelVersion."""
    version = ModelVersion.model_validate(obj)
    store = context.store
    siblings = promoted_last(store, key.namespace, version.spec.model)
    named = store.get(Key(key.kind, key.namespace, version.spec.champion or ""))
    if named is not None:
        siblings += (store.parse(ModelVersion, named),)
    now = datetime.now(UTC)
    found = _registration(context, version, now)
    return plan_version(
        VersionSnapshot(
            version,
            siblings,
            now,
            download=_download(store, version),
            registered=None if found is None else found.registered,
            registration=None if found is None else found.observation,
        )
    )


def _registration(context: Context, version: ModelVersion, now: datetime) -> Found | None:
    """What it is in its registry, which is asked until it has the version; None without one."""
    wanted, meta = version.spec.registration, version.metadata
    key = Key(version.kind, meta.namespace, meta.name)
    if wanted is None:
        return None
    obj = context.store.get(Key(ModelRegistry.kind, meta.namespace, wanted.registry))
    registry = None if obj is None else context.store.parse(ModelRegistry, obj)
    known = version.status.registered is not None or meta.deletion_timestamp is not None
    polls = {} if registry is None or known else {TYPE: question(version, registry)}
    seen = context.polls.want(key, polls)
    told = found(version, registry, seen.get(TYPE, Sighting()), now)
    if told.registered is not None:
        # The write of the status wakes nobody.
        context.polls.want(key, {})
    return told


def _download(store: Store, version: ModelVersion) -> Download | None:
    """What the server is shown that hands its artefact out; only the server of its ModelRegistry
    is shown anything."""
    spec = version.spec
    if spec.mlflow is None or not is_proxied(spec.uri):
        return None
    found = store.get(Key(ModelRegistry.kind, version.metadata.namespace, spec.mlflow.registry))
    registry = None if found is None else store.parse(ModelRegistry, found)
    if registry is None or not spec.uri.startswith(handed_out(registry.spec.mlflow.url)):
        return None
    return Download(
        secret_name=registry.spec.secret_name or "",
        workspace=registry.spec.mlflow.workspace or "",
    )


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


def _unregistered(version: JSON) -> Iterator[Entry]:
    wanted = version["spec"].get("registration")
    if wanted and not version.get("status", {}).get("registered"):
        yield Entry(wanted["registry"])


def _handed_out(version: JSON) -> Iterator[Entry]:
    spec = version["spec"]
    if is_proxied(spec["uri"]) and spec.get("mlflow"):
        yield Entry(spec["mlflow"]["registry"])


KIND = Kind(
    ModelVersion,
    reconcile=reconcile,
    concerns=concerns,
    indices=lambda: (
        *INDICES,
        Index(UNREGISTERED, ModelVersion.kind, _unregistered),
        Index(HANDED_OUT, ModelVersion.kind, _handed_out),
        _by_source(FOLLOWS, "follow"),
        _by_source(NAMES, "version"),
    ),
    verbs=(*READ, "create", "patch", "record"),
)
