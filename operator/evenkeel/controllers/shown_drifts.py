"""What ModelDeployments show of the drift of the version in production, for triggers of drift."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.monitoringstatus import GroupStatus
from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.times import parse
from evenkeel.retraining.production import Shown
from evenkeel.rollout.probation import serving


def shown(
    store: Store, schedule: RetrainSchedule, champion: ModelVersion | None
) -> Mapping[str, Shown]:
    """By trigger since when there is drift of its reasons, and which."""
    if champion is None or not any(t.drift for t in schedule.spec.triggers):
        return {}
    groups = [*_drifted(store, champion)]
    found = {}
    for trigger in schedule.spec.triggers:
        if trigger.drift is not None:
            mine = [(n, g) for n, g in groups if g.name in trigger.drift.reasons]
            if mine:
                found[trigger.name] = Shown(_first(g for _, g in mine), _told(mine))
    return found


def has_drifted(deployment: dict[str, Any]) -> bool:
    """Whether an object of the API shows drift."""
    known = (deployment.get("status") or {}).get("monitoring") or {}
    return any(group.get("driftedSince") for group in known.get("groups") or ())


def _drifted(store: Store, champion: ModelVersion) -> Iterator[tuple[str, GroupStatus]]:
    """The groups that drift where the version serves, with the ModelDeployment's name."""
    namespace, version = champion.metadata.namespace, champion.metadata.name
    for name in sorted({r.deployment for r in champion.status.rollouts}):
        obj = store.get(Key(ModelDeployment.kind, namespace, name))
        if obj is None:
            continue
        status = store.parse(ModelDeployment, obj).status
        serves, known = serving(status.stable, status.canary), status.monitoring
        if serves is None or known is None or serves.version != version:
            continue
        if known.revision == serves.revision:
            yield from ((name, one) for one in known.groups if one.drifted_since is not None)


def _first(groups: Iterable[GroupStatus]) -> datetime:
    return min(parse(one.drifted_since) for one in groups if one.drifted_since is not None)


def _told(groups: Iterable[tuple[str, GroupStatus]]) -> str:
    each = (
        f"{one.name} of {name} since {one.drifted_since}"
        + "".join(f", {feature.name}" for feature in one.features)
        for name, one in groups
    )
    return "; ".join(each)[:512]
