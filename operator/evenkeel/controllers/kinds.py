"""The table of kinds: watches, dispatch, rights and what a change concerns follow from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evenkeel.api import labels
from evenkeel.controllers import (
    indicatortemplates,
    modeldeployment,
    modelregistry,
    modelversion,
    retrainschedule,
    servingruntimes,
    trainingrun,
)
from evenkeel.controllers.kind import Kind
from evenkeel.kube.index import Index
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.resources import CONFIG_MAP, ResourceType, Slim, Watch, distinct

KINDS: tuple[Kind, ...] = (
    modeldeployment.KIND,
    retrainschedule.KIND,
    trainingrun.KIND,
    modelversion.KIND,
    servingruntimes.NAMESPACED,
    servingruntimes.CLUSTER,
    indicatortemplates.NAMESPACED,
    indicatortemplates.CLUSTER,
    modelregistry.KIND,
)

OFFERED = (CONFIG_MAP,)
"""What is made and never read: it needs neither a watch nor the right to get it."""

MANAGED = f"{labels.MANAGED_BY}={labels.MANAGER}"


def by_name() -> dict[str, Kind]:
    """The kinds by their names."""
    return {kind.name: kind for kind in KINDS}


def children() -> tuple[Watch, ...]:
    """What the kinds own or read beside the API's own objects, each type once."""
    return distinct(w for kind in KINDS for w in kind.children())


def watches() -> tuple[Watch, ...]:
    """All that may be watched; the API's own kinds first."""
    own = (Watch(kind.type, verbs=kind.verbs) for kind in KINDS)
    return (*own, *(w._replace(selector=w.selector or MANAGED) for w in children()))


def integrations() -> tuple[str, ...]:
    """What can be switched on."""
    return tuple(dict.fromkeys(name for w in children() for name in w.integrations))


def kept() -> dict[str, tuple[str, ...]]:
    """By kind the fields of its spec that plans read; objects of other kinds are kept whole."""
    return {w.type.kind: w.kept for w in children()}


def slims() -> dict[str, Slim]:
    """By kind what is kept of its objects, of those that there are very many of."""
    return {w.type.kind: w.slim for w in children() if w.slim is not None}


def indexed() -> tuple[str, ...]:
    """The labels by which the store has to find objects."""
    return tuple(dict.fromkeys(label for kind in KINDS for label in kind.labels()))


def indices() -> tuple[Index, ...]:
    """By what else it has to find objects."""
    return tuple(index for kind in KINDS for index in kind.indices())


def types() -> dict[str, ResourceType]:
    """All kinds that are watched or written, by name."""
    return {t.kind: t for t in (*(w.type for w in watches()), *OFFERED)}


def concerned(
    table: Mapping[str, Kind], store: Store, kind: str, obj: dict[str, Any]
) -> Iterator[Key]:
    """The keys that a change of `obj` concerns, itself included; `table`: of `by_name`."""
    meta, known = obj["metadata"], table.get(kind)
    namespace = meta.get("namespace", "")
    if known is None:
        for owner in table.values():
            if name := owner.belongs(kind, obj):
                yield Key(owner.name, namespace, name)
        return
    if known.reconcile is not None:
        yield Key(kind, namespace, meta["name"])
    yield from known.concerns(store, obj)
