"""Which ModelDeployments a group is about, and whom a change of one concerns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.kube.index import Entry, Index
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key

JSON = dict[str, Any]

NAMED = "deployments that name a member of their group"
DECIDED = "deployments that tell of a decision on a member"


def others(store: Store, md: ModelDeployment) -> tuple[ModelDeployment, ...]:
    """Whom it names, who names it, and who tells what was decided on it."""
    own = store.get(Key(md.kind, md.metadata.namespace, md.metadata.name))
    if own is None:
        return ()
    return tuple(store.parse(ModelDeployment, one) for one in _around(store, own))


def members(store: Store, deployment: JSON) -> Iterator[Key]:
    """The keys of those."""
    for one in _around(store, deployment):
        meta = one["metadata"]
        yield Key(ModelDeployment.kind, meta["namespace"], meta["name"])


def _around(store: Store, deployment: JSON) -> Iterator[JSON]:
    kind, meta = ModelDeployment.kind, deployment["metadata"]
    namespace, name = meta["namespace"], meta["name"]
    near = {
        one["metadata"]["name"]
        for i in (NAMED, DECIDED)
        for one in store.found(i, kind, namespace, name)
    }
    near |= {entry.value for entries in (_named, _decided) for entry in entries(deployment)}
    known = (store.get(Key(kind, namespace, one)) for one in sorted(near - {name}))
    return (one for one in known if one is not None)


def _named(deployment: JSON) -> Iterator[Entry]:
    group = (deployment["spec"].get("rollout") or {}).get("group") or {}
    for name in group.get("members", ()):
        yield Entry(name)


def _decided(deployment: JSON) -> Iterator[Entry]:
    group = (deployment.get("status") or {}).get("group") or {}
    for one in group.get("decided", ()):
        yield Entry(one["name"])


INDICES = (
    Index(NAMED, ModelDeployment.kind, _named),
    Index(DECIDED, ModelDeployment.kind, _decided),
)
