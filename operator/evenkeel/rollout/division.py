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
    canary = rollout.canary
    if canary is None:
        return Division(rollout.stable.revision)
    ready = pods.get(canary.revision, Pods()).ready > 0
    return Division(rollout.stable.revision, canary.revision, canary.weight if ready else 0)
