"""How many pods the revisions get during a rollout."""

from __future__ import annotations

from math import ceil

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus
from evenkeel.serving.observed import Pods


def full_replicas(md: ModelDeployment, stable: Pods) -> int:
    """Pods of a promoted revision: what the autoscaler made of it, or spec.replicas."""
    if md.spec.autoscaling is not None:
        return max(stable.wanted, md.spec.autoscaling.min_replicas)
    return md.spec.replicas


def canary_replicas(full: int, weight: int) -> int:
    """Pods of a canary beside `full` stable ones: its share, at least one.

    The stable revision keeps all its pods during the rollout, so that going back needs none.
    """
    return max(1, ceil(full * weight / 100))


def stage_replicas(md: ModelDeployment, canary: CanaryStatus, full: int) -> int:
    """Pods of the canary in its present stage."""
    steps = md.spec.rollout.steps
    if canary.stage == "Promoting" or not steps:
        return full
    return min(max(full, 1), canary_replicas(full, steps[min(canary.step, len(steps) - 1)].weight))
