"""Which of a model's versions a reconcile has to look at, however many there are.

The ranks of the indices are the orders of serving/model_source.py and versions/champion.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.version_order import trained_at
from evenkeel.kube.index import Entry, Index
from evenkeel.kube.store import Store
from evenkeel.meta.times import precise
from evenkeel.rollout.state import HISTORY_LIMIT

JSON = dict[str, Any]

OF_MODEL = "versions of a model"
APPROVED = "approved versions of a model"
AWAITING = "versions of a model that await a person"
UNJUDGED = "versions of a model that are not judged yet"
PROMOTED = "promoted versions of a model"
TRIED = "versions that a deployment has tried"
PROMOTED_BY = "versions that a deployment has promoted"

RIVALS = 6
"""Versions of one age that are told of."""


def promoted_last(store: Store, namespace: str, model: str) -> tuple[ModelVersion, ...]:
    """The two versions whose promotions are the newest: another than a given one is among them."""
    last = store.from_last(PROMOTED, ModelVersion.kind, namespace, model)
    return tuple(store.parse(ModelVersion, v) for v in islice(last, 2))


def number_of(store: Store, namespace: str, model: str) -> int:
    """How many versions of a model there are, but for those that are being deleted."""
    return store.number(OF_MODEL, ModelVersion.kind, namespace, model)


def followed(store: Store, namespace: str, model: str, besides: int) -> Iterator[JSON]:
    """What decides which version of a model is served: the newest that are approved and the newest
    that is not judged, or the first that awaits a person where none is approved.

    besides: how many of the approved may not be chosen.
    """
    kind = ModelVersion.kind
    yield from islice(store.from_last(APPROVED, kind, namespace, model), besides + RIVALS)
    yield from islice(store.from_last(UNJUDGED, kind, namespace, model), 1)
    if not store.number(APPROVED, kind, namespace, model):
        yield from islice(store.found(AWAITING, kind, namespace, model), 1)


def tried_by(store: Store, namespace: str, deployment: str) -> Iterator[JSON]:
    """The versions that a ModelDeployment of that name tried and promoted last."""
    for index, most in ((TRIED, HISTORY_LIMIT), (PROMOTED_BY, RIVALS)):
        yield from islice(store.from_last(index, ModelVersion.kind, namespace, deployment), most)


def _indexed(rank: Callable[[JSON], str | None]) -> Callable[[JSON], Iterator[Entry]]:
    """By model, if there is a rank."""

    def entries(version: JSON) -> Iterator[Entry]:
        model, place = version.get("spec", {}).get("model"), rank(version)
        if model is not None and place is not None:
            yield Entry(model, place)

    return entries


def _age(version: JSON) -> str | None:
    meta = version["metadata"]
    if meta.get("deletionTimestamp"):
        return None
    # Of each version that any watch brings, several times: too often for a model of it.
    known = ModelVersion.with_record(version)
    told = known["spec"].get("trainedTime") or known.get("status", {}).get("trainedTime")
    try:
        return precise(trained_at(meta.get("creationTimestamp") or "", told))
    except (ValueError, TypeError):
        return ""


def _approved(version: JSON) -> str | None:
    return _age(version) if _approval(version).get("status") == "True" else None


def _unjudged(version: JSON) -> str | None:
    return None if _approval(version) else _age(version)


def _awaiting(version: JSON) -> str | None:
    awaits = _approval(version).get("reason") == "AwaitingApproval"
    return "" if awaits and not version["metadata"].get("deletionTimestamp") else None


def _promoted(version: JSON) -> str | None:
    rollouts = version.get("status", {}).get("rollouts") or ()
    return max((r["time"] for r in rollouts if r["outcome"] == "Promoted"), default=None)


def _tried(version: JSON) -> Iterator[Entry]:
    rollouts = version.get("status", {}).get("rollouts") or ()
    return (Entry(r["deployment"], r["time"]) for r in rollouts if r["outcome"] != "Progressing")


def _promoted_by(version: JSON) -> Iterator[Entry]:
    rollouts = version.get("status", {}).get("rollouts") or ()
    return (Entry(r["deployment"], r["time"]) for r in rollouts if r["outcome"] == "Promoted")


def _approval(version: JSON) -> JSON:
    conditions: list[JSON] = version.get("status", {}).get("conditions") or []
    return next((c for c in conditions if c["type"] == "Approved"), {})


_BY_AGE = tuple(
    Index(name, ModelVersion.kind, _indexed(rank))
    for name, rank in (
        (OF_MODEL, _age),
        (APPROVED, _approved),
        (AWAITING, _awaiting),
        (UNJUDGED, _unjudged),
        (PROMOTED, _promoted),
    )
)
INDICES = (
    *_BY_AGE,
    Index(TRIED, ModelVersion.kind, _tried),
    Index(PROMOTED_BY, ModelVersion.kind, _promoted_by),
)
