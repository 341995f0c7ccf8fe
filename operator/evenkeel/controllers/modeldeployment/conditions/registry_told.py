"""RegistryTold: whether the registry knows how the rollouts of its versions went."""

from __future__ import annotations

from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation, find

TYPE = "RegistryTold"


def registry_told(situation: Situation) -> tuple[Observation, ...]:
    """Absent where it is not to be told, or nothing is to be told yet."""
    told = situation.told
    if told is None or not told.every:
        return ()
    if told.trouble is not None:
        return (Observation(TYPE, "False", told.trouble.reason, told.trouble.message),)
    if told.known == told.every:
        return (Observation(TYPE, "True", "VersionsTagged", "the registry knows of all rollouts"),)
    known = find(situation.md.status.conditions, TYPE)
    if known is not None:
        # A process that has just begun to lead knows nothing better yet.
        return (known.observation,)
    return (Observation(TYPE, "Unknown", "AwaitingRegistry", "the registry is being told"),)
