"""SteeringAccepted: whether promote, abort and retry name revisions that they can act on."""

from __future__ import annotations

from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation
from evenkeel.rollout.steering import misdirected

TYPE = "SteeringAccepted"


def steering_accepted(situation: Situation) -> tuple[Observation, ...]:
    """False where one names an unknown revision or the wrong one; absent without any."""
    rollout = situation.md.spec.rollout
    if not any((rollout.promote, rollout.abort, rollout.retry)):
        return ()
    if problem := misdirected(rollout, situation.rollout):
        return (Observation(TYPE, "False", "RevisionNotOnTrial", problem),)
    return (Observation(TYPE, "True", "Accepted", "the named revisions are known"),)
