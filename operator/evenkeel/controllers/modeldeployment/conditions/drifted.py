"""Drifted: whether the stable revision's requests are shown to be others than its profile's."""

from __future__ import annotations

from evenkeel.api.monitoringstatus import GroupStatus
from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation

TYPE = "Drifted"


def drifted(situation: Situation) -> tuple[Observation, ...]:
    """Absent without a meter. It is no fault of the model's serving, and never makes it unready."""
    known = situation.monitoring
    if known is None:
        return ()
    found = [one for one in known.groups if one.drifted_since is not None]
    if found:
        message = "; ".join(map(told, found))
        return (Observation(TYPE, "True", found[0].name, message[:2048]),)
    if known.blocks == known.void:
        return (Observation(TYPE, "Unknown", "AwaitingBlocks", known.message),)
    return (Observation(TYPE, "False", "NoDrift", known.message),)


def told(group: GroupStatus) -> str:
    """A group's drift in words."""
    worst = ", ".join(f"{one.name} ({one.distance} of rows moved)" for one in group.features)
    return f"{group.name} since {group.drifted_since}: {group.statistic} of {group.threshold}" + (
        f"; most in {worst}" if worst else ""
    )
