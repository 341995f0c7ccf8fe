"""A fresh copy of stable beside the canary, which it is compared with in its place.

Caches, age and connections of its processes are those of the canary's.
"""

from __future__ import annotations

from typing import NamedTuple

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus
from evenkeel.api.rollout import Step
from evenkeel.meta.names import child_name, digest
from evenkeel.rollout.capacity import canary_replicas, stage_replicas
from evenkeel.serving.observed import Pods
from evenkeel.serving.revision import NAME_LIMIT

NO_PODS = Pods()


class Baseline(NamedTuple):
    """The copy as the present step needs it. wanted: its number of pods. possible: whether it is
    there, or there is something to copy."""

    pods: Pods
    wanted: int
    possible: bool

    @property
    def ready(self) -> bool:
        """Whether the step goes on."""
        return self.pods.ready >= self.wanted


def baseline_name(step: Step, stable: str, canary: str) -> str:
    """Of the copy that the step asks for, one for each canary; empty if it asks for none."""
    if not step.baseline:
        return ""
    return child_name(stable, f"base-{digest(canary, length=6)}", NAME_LIMIT)


def baseline_replicas(md: ModelDeployment, canary: CanaryStatus, own: Pods, full: int) -> int:
    """Pods of the copy: as many as the canary has in its step, and what its weight needs once the
    canary grows to promotion.

    own: the canary's pods. full: those that carry all requests.
    """
    if not full:
        return 0
    if canary.stage == "Promoting" or not md.spec.rollout.steps:
        return min(full, canary_replicas(full, canary.weight))
    wanted = stage_replicas(md, canary, full)
    # Its own autoscaler may have given the canary more.
    grows = md.spec.autoscaling is not None and not canary.shrinks
    return max(wanted, own.wanted) if grows else wanted


def present_baseline(
    md: ModelDeployment, canary: CanaryStatus, stable: str, pods: dict[str, Pods], full: int
) -> Baseline | None:
    """The copy beside the canary; None where there is to be none."""
    if not canary.baseline:
        return None
    wanted = baseline_replicas(md, canary, pods.get(canary.revision, NO_PODS), full)
    possible = canary.baseline in pods or stable in pods
    return Baseline(pods.get(canary.baseline, NO_PODS), wanted, possible)


def ready_beside(canary: CanaryStatus, pods: dict[str, Pods]) -> int:
    """Ready pods that the canary's weight may go by: both sides get the same."""
    ready = pods.get(canary.revision, NO_PODS).ready
    if not canary.baseline:
        return ready
    return min(ready, pods.get(canary.baseline, NO_PODS).ready)
