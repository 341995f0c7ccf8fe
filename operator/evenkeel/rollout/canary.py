"""The canary policy: when a revision starts, steps on, is promoted or goes back.

One pure function, `decide`, from what is known to the next move: a chain of rules of which the
first that applies wins.
"""

from __future__ import annotations

from collections.abc import Callable

from evenkeel.rollout.beside import not_beside
from evenkeel.rollout.facts import Decision, Facts, Move
from evenkeel.rollout.fast_enough import measuring, too_slow
from evenkeel.rollout.health import crashing, short, too_late, unstable, unsteady
from evenkeel.rollout.probation import on_probation, promotion, returning, sent_back
from evenkeel.rollout.shown import not_shown
from evenkeel.rollout.stepping import stepping
from evenkeel.rollout.stop_first import stopping
from evenkeel.rollout.window import taking_over
from evenkeel.verdict.verdict import Value

Rule = Callable[[Facts], Decision | None]


def decide(facts: Facts) -> Decision:
    """The next move of a canary."""
    for rule in CHAIN:
        if (found := rule(facts)) is not None:
            return sent_back(facts, found)
    return stepping(facts)


def aborted(facts: Facts) -> Decision | None:
    """A person wants it gone."""
    if facts.rollout.abort != facts.canary.revision:
        return None
    why = "spec.rollout.abort names this revision"
    return Decision(Move.ROLL_BACK, "Aborted", why, cause="User")


def failing(facts: Facts) -> Decision | None:
    """The indicators say that it is worse."""
    verdict = facts.verdict
    if verdict is None or verdict.value is not Value.FAIL or facts.by_hand:
        return None
    return Decision(Move.ROLL_BACK, verdict.reason, verdict.message)


def scaled_to_zero(facts: Facts) -> Decision | None:
    """No pods are asked for: a trial that began so cannot be judged, another one waits."""
    if facts.full > 0:
        return None
    why = "spec.replicas is 0"
    if facts.canary.stable_replicas == 0 or facts.by_hand:
        return Decision(Move.PROMOTE, "ScaledToZero", f"{why}, so there is nothing to try it on")
    return Decision(Move.HOLD, "ScaledToZero", f"{why}; the trial goes on with the pods")


def ill(facts: Facts) -> Decision | None:
    """Its pods crash or come and go; a person who promotes it has seen that."""
    return None if facts.by_hand else crashing(facts) or unstable(facts)


def restarting(facts: Facts) -> Decision | None:
    """A person wants the trial to begin again."""
    wish, canary = facts.rollout.restart, facts.canary
    if wish is None or wish.revision != canary.revision or wish.number <= canary.restarts:
        return None
    why = f"spec.rollout.restart asks for restart {wish.number}"
    return Decision(Move.RESTART, "Restarted", why)


def promoting(facts: Facts) -> Decision | None:
    """It grows to its full size."""
    canary, deadline = facts.canary, facts.deadline
    if canary.stage != "Promoting":
        return None
    late = facts.counted - deadline
    pods = facts.explain(f"{facts.ready} of {facts.full} pods ready for promotion")
    if facts.ready >= facts.full:
        held = None if facts.by_hand else unsteady(facts)
        return held or promotion(facts, canary.reason, canary.message)
    if max(late, facts.lost - deadline) >= 0:
        return too_late(facts, pods)
    return Decision(Move.HOLD, "Promoting", pods, -late)


def promoted_by_hand(facts: Facts) -> Decision | None:
    """Past the verdict, though not before its pods are ready."""
    if not facts.by_hand:
        return None
    why = "spec.rollout.promote names this revision"
    return Decision(Move.PREPARE_PROMOTION, "PromotedByHand", why)


def stable_unavailable(facts: Facts) -> Decision | None:
    """Nothing is left to protect, and the user has asked not to wait for a verdict then."""
    left = until_given_up(facts)
    if left is None or left > 0 or facts.ready < max(1, facts.needed):
        return None
    why = f"the stable revision has had no ready pod for {facts.deadline - left:.0f} s"
    return unsteady(facts) or Decision(Move.PREPARE_PROMOTION, "StableUnavailable", why)


def until_given_up(facts: Facts) -> float | None:
    """Seconds until stable has been gone for so long; None where that changes nothing."""
    lost, stopped = facts.canary.stable_lost_since, facts.canary.stop_first
    if lost is None or stopped or facts.rollout.on_stable_unavailable != "Promote":
        return None
    return facts.deadline - facts.since(lost)


def starting(facts: Facts) -> Decision | None:
    """Its pods come up."""
    canary, rollout = facts.canary, facts.rollout
    if canary.stage != "Starting":
        return None
    if facts.ready < facts.wanted:
        deadline = facts.deadline
        late = facts.counted - deadline
        pods = f"{facts.ready} of {facts.wanted} pods ready"
        if late >= 0:
            return too_late(facts, facts.explain(f"{pods} after {deadline} s"))
        return Decision(Move.HOLD, "Starting", facts.explain(pods), -late)
    held = unsteady(facts) or taking_over(facts) or measuring(facts) or not_shown(facts)
    if held is not None:
        return held
    if canary.stop_first or not rollout.steps:
        return Decision(Move.PREPARE_PROMOTION, "NoSteps", "the revision is ready")
    if rollout.warm_up_seconds:
        return Decision(Move.WARM_UP, "WarmingUp", "the canary is ready and warms up")
    return Decision(Move.STEP, "CanaryReady", "the canary is ready")


def warming_up(facts: Facts) -> Decision | None:
    """It gets requests that the verdict leaves out."""
    if facts.canary.stage != "WarmingUp" or not facts.rollout.steps:
        return None
    if (held := not_beside(facts)) is not None:
        return held
    left = facts.rollout.warm_up_seconds - facts.counted
    if left > 0:
        return Decision(Move.HOLD, "WarmingUp", f"{left:.0f} s of warm-up left", left)
    return unsteady(facts) or Decision(Move.STEP, "WarmedUp", "the warm-up is over")


CHAIN: tuple[Rule, ...] = (
    returning,
    aborted,
    failing,
    scaled_to_zero,
    on_probation,
    ill,
    stopping,
    restarting,
    promoting,
    promoted_by_hand,
    stable_unavailable,
    too_slow,
    starting,
    short,
    warming_up,
)
