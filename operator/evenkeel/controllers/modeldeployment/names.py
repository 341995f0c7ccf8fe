"""What follows where a child's name is another's: nothing new begins until it is free."""

from __future__ import annotations

from collections.abc import Iterable

from evenkeel.api.modeldeploymentstatus import ModelDeploymentStatus
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.conditions import find
from evenkeel.meta.objects import Event, Manifest, Taken
from evenkeel.meta.refusal import Refused
from evenkeel.meta.times import seconds_since

SOONEST, LATEST = 2.0, 30.0
"""Seconds until the names are looked at again, the longer the longer they have been taken: what
others make is not watched."""


def name_refusal(taken: tuple[Taken, ...]) -> Refused | None:
    """Why no revision can begin; None if all names are free or the model's own."""
    others = [t for t in taken if not t.former]
    if others:
        return Refused("NameTaken", "; ".join(map(str, others)))
    if taken:
        return Refused("AwaitingGarbageCollection", "; ".join(map(str, taken)))
    return None


def writable(manifests: Iterable[Manifest], taken: tuple[Taken, ...]) -> tuple[Manifest, ...]:
    """The children whose names are not another's."""
    names = {(t.key.kind, t.key.name) for t in taken}
    return tuple(m for m in manifests if (m["kind"], m["metadata"]["name"]) not in names)


def looked_at_again(snapshot: DeploymentSnapshot) -> float | None:
    """Seconds until then; None if no name is taken."""
    refusal, ready = name_refusal(snapshot.taken), _ready(snapshot.deployment.status)
    if refusal is None:
        return None
    if ready is None or ready[0] != refusal.reason:
        return SOONEST
    return min(LATEST, max(SOONEST, seconds_since(ready[1], snapshot.now) / 4))


def told_once(snapshot: DeploymentSnapshot) -> tuple[Event, ...]:
    """Afterwards the condition says so."""
    refusal = name_refusal(snapshot.taken)
    if refusal is None or refusal.reason != "NameTaken":
        return ()
    told = find(snapshot.deployment.status.conditions, "Ready")
    if told is not None and told.message == refusal.message:
        return ()
    return (Event("Warning", "NameTaken", refusal.message),)


def _ready(status: ModelDeploymentStatus) -> tuple[str, str] | None:
    ready = find(status.conditions, "Ready")
    return None if ready is None else (ready.reason, ready.last_transition_time)
