"""When registries are asked anew of what a ModelDeployment serves."""

from __future__ import annotations

from evenkeel.api.modeldeploymentstatus import ModelDeploymentStatus as Status
from evenkeel.registries.aliases import Kept
from evenkeel.registries.tags import LATEST, Telling

SOON = 1.0
"""Seconds until what was just written is looked at."""


def asked_again(
    told: Telling | None, alias: Kept | None, before: Status, after: Status
) -> float | None:
    """Seconds until registries are asked anew.

    What they are told follows from the status, whose write wakes nobody.
    """
    concerned = alias is not None or (told is not None and told.every > 0)
    if concerned and _told(before) != _told(after):
        return SOON
    return None if alias is None else alias.again


def _told(status: Status) -> tuple[object, ...]:
    """What registries may be told of."""
    stable, canary = status.stable, status.canary
    serves = None
    if stable is not None:
        serves = (stable.revision, stable.version, stable.registered, stable.ready_replicas > 0)
    trial = None if canary is None else (canary.revision, canary.stage == "Probation")
    return serves, trial, status.history[:LATEST]
