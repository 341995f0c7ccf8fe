"""Who gets requests during a rollout."""

from __future__ import annotations

from evenkeel.rollout.state import RolloutState
from evenkeel.serving.observed import Pods
from evenkeel.traffic import Division


def division(rollout: RolloutState, pods: dict[str, Pods]) -> Division | None:
    """How requests are divided; None before the first revision.

    A canary without ready pods gets none.
    """
    if rollout.stable is None:
        return None
    stable, canary = rollout.stable, rollout.canary
    if canary is None:
        return Division(stable.revision, stable_version=stable.version)
    ready = pods.get(canary.revision, Pods()).ready > 0
    weight = canary.weight if ready else 0
    return Division(stable.revision, canary.revision, weight, stable.version, canary.version)
