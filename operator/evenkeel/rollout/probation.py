"""Probation: a revision that has taken over is watched while the former one stays at a floor.

What shows late, such as labels, is judged then, and the evidence of the trial goes on. On a failure
the former revision grows to its full size and takes requests as its pods get ready.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from evenkeel.api.analysis import Analysis
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import (
    CanaryStatus,
    Cause,
    RevisionStatus,
)
from evenkeel.rollout.facts import Decision, Facts, Move
from evenkeel.rollout.health import crashing
from evenkeel.verdict.pair_indicators import of_pairs
from evenkeel.verdict.verdict import Value

PROBATION: Final = "Probation"
RETURNING: Final = "Returning"
MIRRORED: Final = ("WarmingUp", "Stepping", "Promoting")


def judged_by(md: ModelDeployment) -> Analysis | None:
    """The analysis with the probation's indicators, among which alpha is divided from the start."""
    analysis, probation = md.spec.analysis, md.spec.rollout.probation
    if analysis is None or probation is None:
        return analysis
    # Nothing is beside it to compare with: what is below maxRatio passes.
    late = (i.model_copy(update={"acceptable": i.max_ratio}) for i in probation.indicators)
    return analysis.model_copy(update={"indicators": (*analysis.indicators, *late)})


def not_awaited(md: ModelDeployment) -> frozenset[str]:
    """Indicators that hold nobody up at the canary's stage: a trial does not wait for late ones,
    and pairs are made while stable's requests are mirrored."""
    analysis, probation, canary = md.spec.analysis, md.spec.rollout.probation, md.status.canary
    late = () if probation is None or taken_over(canary) else probation.indicators
    known = analysis.indicators if analysis is not None else ()
    unmade = () if mirrors(canary) else tuple(i for i in known if of_pairs(i))
    return frozenset(indicator.name for indicator in (*late, *unmade))


def mirrors(canary: CanaryStatus | None) -> bool:
    """Whether copies of stable's requests go to it."""
    return canary is not None and canary.mirror > 0 and canary.stage in MIRRORED


def taken_over(canary: CanaryStatus | None) -> bool:
    """Whether all requests are the canary's."""
    return canary is not None and canary.stage == PROBATION


def serving(
    stable: RevisionStatus | None, canary: CanaryStatus | None
) -> RevisionStatus | CanaryStatus | None:
    """What serves all requests but a trial's: in probation the revision that has taken over."""
    return canary if taken_over(canary) else stable


def after_trial(canary: CanaryStatus) -> bool:
    """Whether its trial is over, and only its probation or the way back is left."""
    return canary.stage in (PROBATION, RETURNING)


def promotion(facts: Facts, reason: str, message: str) -> Decision:
    """The end of a trial that was passed: promotion, or the probation before it."""
    probation = facts.rollout.probation
    if probation is None or facts.canary.stop_first or facts.by_hand or not facts.full:
        return Decision(Move.PROMOTE, reason, message)
    told = f"for {probation.seconds} s, promoted for {reason}: {message}"
    return Decision(Move.WATCH, PROBATION, told)


def returning(facts: Facts) -> Decision | None:
    """The former revision grows back; its late pods are not waited for, unless there is none."""
    canary = facts.canary
    if canary.stage != RETURNING:
        return None
    left = facts.deadline - facts.counted
    pods = f"{facts.stable_ready} of {facts.full} pods of the former revision are ready"
    if facts.stable_ready >= facts.full:
        return Decision(Move.ROLL_BACK, canary.reason, canary.message, cause=_cause(canary))
    if left <= 0 and (facts.stable_ready or not facts.ready):
        late = f"{canary.message}; {pods}"
        return Decision(Move.ROLL_BACK, canary.reason, late, cause=_cause(canary))
    return Decision(Move.HOLD, RETURNING, pods, left if left > 0 else None)


def on_probation(facts: Facts) -> Decision | None:
    """It serves everybody; only what is shown to be bad takes that away."""
    canary, probation = facts.canary, facts.rollout.probation
    if canary.stage != PROBATION:
        return None
    if facts.by_hand:
        return Decision(Move.PROMOTE, "PromotedByHand", "spec.rollout.promote names this revision")
    if probation is None:
        return Decision(Move.PROMOTE, "ProbationOver", "spec.rollout.probation was removed")
    if (found := crashing(facts)) is not None:
        return found
    if facts.rollout.paused:
        return Decision(Move.HOLD, "Paused", "spec.rollout.paused is set")
    verdict = facts.verdict
    finding = verdict.message if verdict is not None else "no indicator was looked at"
    left = probation.seconds - facts.counted
    if left > 0:
        return Decision(Move.HOLD, PROBATION, finding, left)
    if facts.unlooked or (verdict is None and facts.analysis is not None):
        # Whoever begins to lead at the end knows nothing yet, nor does one without Prometheus.
        names = f" by {', '.join(facts.unlooked)}" if facts.unlooked else ""
        message = f"its time is over, and nothing is told{names}; {finding}"
        return Decision(Move.HOLD, "NoData", message)
    if verdict is not None and verdict.value is Value.PASS:
        return Decision(Move.PROMOTE, "ProbationPassed", finding)
    if facts.uncounted:
        finding = f"nothing was counted by {', '.join(facts.uncounted)}; {finding}"
    return Decision(Move.PROMOTE, "ProbationOver", finding)


def sent_back(facts: Facts, decision: Decision) -> Decision:
    """A rollback after the take-over begins with the former revision's pods."""
    if facts.canary.stage == PROBATION and decision.move is Move.ROLL_BACK:
        return replace(decision, move=Move.RETURN)
    return decision


def weight_on_return(stable_ready: int, full: int) -> int:
    """Share of requests in percent that the former revision's ready pods do not carry yet."""
    return 100 - min(100, 100 * stable_ready // full) if full else 0


def _cause(canary: CanaryStatus) -> Cause:
    return canary.cause or "Model"
