"""Who gets requests during a rollout."""

from __future__ import annotations

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.rollout import Rollout
from evenkeel.rollout.baseline import ready_beside
from evenkeel.rollout.capacity import carried_mirror, carried_weight
from evenkeel.rollout.exposure import matches, previews
from evenkeel.rollout.probation import RETURNING, after_trial, taken_over, weight_on_return
from evenkeel.rollout.shown import by_header
from evenkeel.rollout.state import RolloutState
from evenkeel.serving.observed import Pods
from evenkeel.traffic import Division


def division(
    rollout: RolloutState, spec: Rollout, pods: dict[str, Pods], full: int
) -> Division | None:
    """How requests are divided; None before the first revision.

    The canary gets no more than its ready pods carry. full: pods that carry all requests.
    """
    if rollout.stable is None:
        return None
    stable, canary = rollout.stable, rollout.canary
    if canary is None:
        return Division(stable.revision, stable_version=stable.version)
    ready, beside = (pods.get(r, Pods()).ready for r in (canary.revision, stable.revision))
    if taken_over(canary):
        # The former revision helps out where it is the only one that can.
        rescued = 100 if not ready and beside else 0
        return Division(canary.revision, stable.revision, rescued, canary.version, stable.version)
    weight = carried_weight(canary, ready_beside(canary, pods), full)
    if canary.stage == RETURNING and ready:
        weight = min(100 * ready // (ready + beside), weight_on_return(beside, full))
        # Who passes the gateway by stays where the pods are.
        sides = canary.revision, stable.revision, 100 - weight, canary.version, stable.version
        return Division(*sides)
    return Division(
        stable.revision,
        canary.revision,
        weight,
        stable.version,
        canary.version,
        mirror=carried_mirror(canary, ready, full),
        matches=matches(spec, canary) if ready else (),
        preview=previews(spec) and not after_trial(canary),
        apart=any(step.job is not None or step.mirror is not None for step in spec.steps),
        baseline=canary.baseline or None,
    )


def by_meters(
    md: ModelDeployment, rollout: RolloutState, divided: Division | None, pods: dict[str, Pods]
) -> Division | None:
    """The same, where stable's meters pass the canary's share on: Services and routes send all to
    stable then. A canary that has taken over is left to these, and so is all where no pod of
    stable's is there to pass anything on."""
    canary = rollout.canary
    if divided is None or canary is None or after_trial(canary) or not by_header(md):
        return divided
    if not pods.get(divided.stable, Pods()).ready:
        return divided
    return divided._replace(weight=0, passed=divided.weight, apart=True)
