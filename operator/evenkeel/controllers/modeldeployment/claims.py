"""Who moves which alias in a namespace, and who follows it there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.kube.index import Entry, Index
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.refusal import Refused
from evenkeel.registries.aliases import Claim, Place, place, refusal

JSON = dict[str, Any]

MOVES = "deployments that move an alias"
FOLLOW = "deployments that follow an alias and move another"


def claim_refused(store: Store, md: ModelDeployment, registry: ModelRegistry) -> Refused | None:
    """Why the alias in spec.servedAlias, which is of the registry, is not moved for it."""
    namespace = md.metadata.namespace
    own = _claim(store, md, registry)

    def claims(index: str, alias: Place) -> Iterator[Claim]:
        for obj in store.found(index, md.kind, namespace, f"{alias.name}/{alias.alias}"):
            other = store.parse(ModelDeployment, obj)
            found = _registry(store, other, other.spec.served_alias)
            if found is not None and other.metadata.deletion_timestamp is None:
                yield _claim(store, other, found)

    return refusal(
        own,
        (c for c in claims(MOVES, own.moves) if c.moves == own.moves),
        lambda alias: (c for c in claims(FOLLOW, alias) if c.follows == alias),
    )


def _claim(store: Store, md: ModelDeployment, registry: ModelRegistry) -> Claim:
    moved, source = md.spec.served_alias, md.spec.model.registry
    assert moved is not None
    follows = None
    of_source = _registry(store, md, source)
    if of_source is not None and source is not None and source.alias is not None:
        follows = place(of_source, source.name, source.alias)
    meta = md.metadata
    moves = place(registry, moved.name, moved.alias)
    return Claim(meta.name, meta.creation_timestamp, moves, follows)


def _registry(store: Store, md: ModelDeployment, named: Any) -> ModelRegistry | None:
    """The ModelRegistry that a part of the spec names."""
    if named is None:
        return None
    found = store.get(Key(ModelRegistry.kind, md.metadata.namespace, named.registry))
    return None if found is None else store.parse(ModelRegistry, found)


def _moves(deployment: JSON) -> Iterator[Entry]:
    if moved := deployment["spec"].get("servedAlias"):
        yield Entry(f"{moved['name']}/{moved['alias']}")


def _follows(deployment: JSON) -> Iterator[Entry]:
    source = deployment["spec"]["model"].get("registry") or {}
    if source.get("alias") and deployment["spec"].get("servedAlias"):
        yield Entry(f"{source['name']}/{source['alias']}")


INDICES = (
    Index(MOVES, ModelDeployment.kind, _moves),
    Index(FOLLOW, ModelDeployment.kind, _follows),
)
