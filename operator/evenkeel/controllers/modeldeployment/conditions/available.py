"""Available: whether the revision that serves has a ready pod."""

from __future__ import annotations

from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation


def available(situation: Situation) -> tuple[Observation, ...]:
    """True also where the user asks for no pods."""
    pods, serving = situation.pods, situation.rollout.serving
    if not serving:
        return (Observation("Available", "False", "NoRevision", "no revision serves yet"),)
    message = f"{pods.ready} of {pods.wanted} pods of {serving} are ready"
    if pods.ready > 0:
        return (Observation("Available", "True", "PodsReady", message),)
    if situation.scaled_to_zero:
        return (Observation("Available", "True", "ScaledToZero", "spec.replicas is 0"),)
    return (Observation("Available", "False", "NoReadyPods", message),)
