"""What a ModelDeployment serves of a registry, and tells registries, as far as polls have brought
it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import ResolvedModel
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.registration import RegisteredVersion, ServedAlias
from evenkeel.controllers.kind import Context
from evenkeel.controllers.modeldeployment.claims import claim_refused
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.refusal import Refused
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.registries import aliases
from evenkeel.registries.aliases import Kept
from evenkeel.registries.resolution import Resolution, question, resolve
from evenkeel.registries.tags import Telling, questions, telling

MODEL, ALIAS = "model", "alias"
UNSEEN: Sighting[object] = Sighting()


class FromRegistries(NamedTuple):
    """resolution: what the registry's model is; None for a model of none. told: whether registries
    know how rollouts went. alias: what spec.servedAlias means; None without one. others: what is
    known of what else is asked."""

    resolution: Resolution | None
    told: Telling
    alias: Kept | None
    others: Mapping[str, Sighting[object]] = {}


def from_registries(
    context: Context,
    md: ModelDeployment,
    versions: Iterable[ModelVersion],
    now: datetime,
    beside: Mapping[str, Poll],
) -> FromRegistries:
    """Registries are asked and told from now on. versions: those that the status names. beside:
    what else is asked, by names that no registry has."""
    source, wished = md.spec.model, md.spec.served_alias
    known = {v.metadata.name: v.status.registered.identity for v in versions if v.status.registered}
    named = {source.registry.registry} if source.registry is not None else set()
    named |= {version.registry for version in known.values()}
    found = _registries(context.store, md, named | ({wished.registry} if wished else set()))
    registry = found.get(source.registry.registry) if source.registry is not None else None
    version = None if wished is None else _wanted(context.store, md, wished, found, known)
    polls: dict[str, Poll] = {}
    for one in found.values():
        polls |= questions(md, one, known)
    tags = tuple(polls)
    polls |= beside
    if registry is not None:
        polls[MODEL] = question(source, registry)
    if wished is not None and isinstance(version, RegisteredVersion):
        polls[ALIAS] = aliases.question(md, wished, version, found[wished.registry])
    key = Key(md.kind, md.metadata.namespace, md.metadata.name)
    seen = context.polls.want(key, polls)
    resolved = alias = None
    if source.registry is not None:
        resolved = resolve(source, registry, md.status.registry, seen.get(MODEL, UNSEEN), now)
    if wished is not None and version is not None:
        alias = aliases.kept(md, wished, version, seen.get(ALIAS, UNSEEN), now)
        if isinstance(version, RegisteredVersion) and alias.status != md.status.served_alias:
            # From now on it is let be where others move it. The write of the status wakes nobody.
            settled = _with(md, served_alias=alias.status)
            again = aliases.question(settled, wished, version, found[wished.registry])
            context.polls.want(key, {**polls, ALIAS: again})
    others = {name: seen[name] for name in beside}
    return FromRegistries(resolved, telling(seen[name] for name in tags), alias, others)


def _registries(
    store: Store, md: ModelDeployment, names: Iterable[str]
) -> dict[str, ModelRegistry]:
    """Those that there are; none while the ModelDeployment is being deleted."""
    if md.metadata.deletion_timestamp is not None:
        return {}
    keys = (Key(ModelRegistry.kind, md.metadata.namespace, name) for name in sorted(names))
    objects = ((key.name, store.get(key)) for key in keys)
    return {name: store.parse(ModelRegistry, obj) for name, obj in objects if obj is not None}


def _wanted(
    store: Store,
    md: ModelDeployment,
    alias: ServedAlias,
    registries: Mapping[str, ModelRegistry],
    known: Mapping[str, RegisteredVersion],
) -> RegisteredVersion | Refused:
    """The version that the alias is to mean, or why it is not moved."""
    registry = registries.get(alias.registry)
    if registry is None:
        return Refused(
            "RegistryNotFound",
            f"there is no ModelRegistry {alias.registry!r} in this namespace; create it or correct "
            "spec.servedAlias.registry",
        )
    return claim_refused(store, md, registry) or aliases.wanted(md, alias, known)


def with_resolution(md: ModelDeployment, found: Resolution | None) -> ModelDeployment:
    """The object with what it serves of its registry, for as long as it does."""
    kept = md.status.registry
    if found is not None and isinstance(found.model, ResolvedModel):
        kept = found.model
    elif found is None and not _serves_on(md):
        kept = None
    if kept == md.status.registry:
        return md
    return _with(md, registry=kept)


def _with(md: ModelDeployment, **status: object) -> ModelDeployment:
    return md.model_copy(update={"status": md.status.model_copy(update=status)})


def _serves_on(md: ModelDeployment) -> bool:
    """Whether what serves is still of the registry that the spec no longer names."""
    return md.status.stable is not None and md.status.stable.registered is not None
