"""Whether stable's meters can be told of a step in which they pass requests on to the canary."""

from __future__ import annotations

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus
from evenkeel.rollout.exposure import present_step
from evenkeel.rollout.facts import Decision, Facts, Move
from evenkeel.serving.observed import Pods


def by_header(md: ModelDeployment) -> bool:
    """Whether stable's meters divide requests, by the value of a header."""
    affinity = md.spec.traffic.affinity
    return affinity is not None and affinity.header is not None


def unshown(md: ModelDeployment, canary: CanaryStatus, stable: Pods) -> str:
    """Why the canary's present step would have no effect; empty if it has one."""
    step = present_step(md.spec.rollout, canary)
    if step is None or canary.stop_first or not stable.blind:
        return ""
    if step.mirror is not None:
        remedy = "or have a step with weight in place of mirror"
    elif step.weight is not None and by_header(md):
        remedy = "or remove traffic.affinity.header"
    else:
        return ""
    return (
        f"{stable.blind} pods of the stable revision have no meter that can be told whom to pass "
        "requests on to, since it was made without spec.monitoring or by an earlier version of "
        f"the operator; promote this revision by hand, whose pods have one, {remedy}"
    )


def not_shown(facts: Facts) -> Decision | None:
    """Nothing is divided and nothing is learned before they can."""
    if not facts.unshown or facts.by_hand:
        return None
    return Decision(Move.HOLD, "DivisionNotShown", facts.unshown)
