"""How many pods the revisions get during a rollout, and what weight the ready ones carry."""

from __future__ import annotations

from math import ceil

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus
from evenkeel.api.rollout import Probation
from evenkeel.rollout.exposure import carried_share, present_step
from evenkeel.serving.observed import Pods


def stable_size(md: ModelDeployment, stable: Pods, stopped: int | None = None) -> int:
    """Pods that carry all requests before a trial: the autoscaler's number, or spec.replicas.

    stopped: what stable had before it was stopped, if it was.
    """
    scaling = md.spec.autoscaling
    if scaling is None:
        return md.spec.replicas
    former = min(stopped or 0, scaling.max_replicas)
    return max(stable.wanted, former, scaling.min_replicas)


def full_replicas(
    md: ModelDeployment,
    stable: Pods,
    canary: CanaryStatus | None = None,
    own: Pods | None = None,
    stopped: int | None = None,
) -> int:
    """Pods of a promoted revision.

    With an autoscaler: what stable had when the trial began, what it has now, or what the canary
    has ever grown to beyond its share by its own autoscaler, scaled up to all requests.
    """
    size = stable_size(md, stable, stopped)
    if md.spec.autoscaling is None or canary is None:
        return size
    size = max(size, canary.stable_replicas, canary.full_replicas)
    grown = own.wanted if own is not None else 0
    step = present_step(md.spec.rollout, canary)
    if canary.shrinks or (step is not None and step.replicas is not None):
        grown = 0  # Its number tells nothing of its share.
    if grown > stage_replicas(md, canary, size):
        weight = 100
        if canary.stage in ("WarmingUp", "Stepping"):
            weight = canary.mirror or canary.weight or 100
        # One pod fewer would not have carried its share.
        size = max(size, ceil((grown - 1) * 100 / max(1, weight)) + 1)
    return min(size, max(md.spec.autoscaling.max_replicas, canary.stable_replicas))


def canary_replicas(full: int, weight: int) -> int:
    """Pods of a canary beside `full` stable ones: its share, at least one.

    The stable revision keeps all its pods during the rollout, so that going back needs none.
    """
    return max(1, ceil(full * weight / 100))


def asked_replicas(replicas: int | str, full: int) -> int:
    """Pods that are asked for by number or in percent of `full`; at least one."""
    share = str(replicas).removesuffix("%") if str(replicas).endswith("%") else None
    return max(1, int(replicas)) if share is None else canary_replicas(full, int(share))


def stage_replicas(md: ModelDeployment, canary: CanaryStatus, full: int) -> int:
    """Pods of the canary in its present stage."""
    step = present_step(md.spec.rollout, canary)
    # Without stable's pods there is nobody to divide requests with.
    growing = canary.stage in ("Promoting", "Probation", "Returning")
    if growing or canary.stop_first or canary.in_window or step is None or not full:
        return full
    if step.replicas is not None:
        return min(full, asked_replicas(step.replicas, full))
    # Steps may have been edited: what it gets now has to be carried until it gets another share.
    share = max(carried_share(step), canary.weight, canary.mirror)
    return min(full, canary_replicas(full, share))


def floor_replicas(probation: Probation, full: int) -> int:
    """Pods of the former revision that stay while the one that has taken over is watched."""
    return min(full, asked_replicas(probation.replicas, full))


def needed_replicas(canary: CanaryStatus, wanted: int, full: int) -> int:
    """Ready pods that the canary's weight needs; while it has none, those of its stage."""
    if not canary.weight or not full:
        return wanted
    if canary.stage == "Probation":
        # It serves as stable revisions do: what is missing for a while is no judgement on it.
        return min(wanted, 1)
    return min(wanted, canary_replicas(full, canary.weight))


def carried_weight(canary: CanaryStatus, ready: int, full: int) -> int:
    """The largest weight up to the step's that the ready pods carry: ready >= full x weight."""
    return _carried(canary.weight, ready, full)


def carried_mirror(canary: CanaryStatus, ready: int, full: int) -> int:
    """The same of copies: whoever gets more than it carries is slow by no fault of its model."""
    return _carried(canary.mirror, ready, full)


def _carried(share: int, ready: int, full: int) -> int:
    return min(share, 100 * ready // full) if ready and full else 0
