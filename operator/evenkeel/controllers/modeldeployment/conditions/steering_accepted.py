"""SteeringAccepted: whether what steers the rollout names what it can act on."""

from __future__ import annotations

from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation
from evenkeel.rollout.steering import misdirected

TYPE = "SteeringAccepted"


def steering_accepted(situation: Situation) -> tuple[Observation, ...]:
    """False where one names an unknown revision or the wrong one; absent without any."""
    rollout = situation.md.spec.rollout
    of_steps = (rollout.approve, rollout.skip, rollout.restart)
    if not any((rollout.promote, rollout.abort, rollout.retry, *of_steps)):
        return ()
    if problem := misdirected(rollout, situation.rollout):
        return (Observation(TYPE, "False", "RevisionNotOnTrial", problem),)
    return (Observation(TYPE, "True", "Accepted", "what is named is known"),)
