"""The canary policy: when a revision starts, steps on, is promoted or goes back.

One pure function, `decide`, from what is known to the next state. Its rules stand in the order in
which they are asked; the first that applies wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from evenkeel.api.analysis import Analysis
from evenkeel.api.modeldeploymentstatus import CanaryStatus
from evenkeel.api.rollout import Rollout, Step
from evenkeel.meta.times import precise, seconds_since
from evenkeel.verdict.verdict import NO_EVIDENCE, Value, Verdict


class Move(Enum):
    """What happens to the canary."""

    HOLD = "Hold"
    WARM_UP = "WarmUp"
    STEP = "Step"
    PREPARE_PROMOTION = "PreparePromotion"
    PROMOTE = "Promote"
    ROLL_BACK = "RollBack"


@dataclass(frozen=True, slots=True)
class Decision:
    """A move with its reason; `requeue_after` is when to look again at the latest, in seconds."""

    move: Move
    reason: str
    message: str
    requeue_after: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the decision rests on.

    `wanted` and `ready` are the canary's pods for its present stage, `full` those of a promoted
    revision. `unready_since` is when the canary's Deployment lost its availability, if it has,
    and `diagnosis` why its pods are not ready, if that is known. `deadline`: seconds that they may
    take.
    """

    canary: CanaryStatus
    rollout: Rollout
    analysis: Analysis | None
    ready: int
    wanted: int
    full: int
    stable_ready: int
    verdict: Verdict | None
    unready_since: str | None
    now: datetime
    deadline: int
    diagnosis: str = ""

    def explain(self, text: str) -> str:
        """The text about the canary's pods, with their diagnosis."""
        return f"{text}: {self.diagnosis}" if self.diagnosis else text


def decide(facts: Facts) -> Decision:
    """The next move of a canary."""
    canary, rollout = facts.canary, facts.rollout
    if rollout.abort == canary.revision:
        return Decision(Move.ROLL_BACK, "Aborted", "spec.rollout.abort names this revision")
    by_hand = rollout.promote == canary.revision
    if facts.verdict is not None and facts.verdict.value is Value.FAIL and not by_hand:
        return Decision(Move.ROLL_BACK, facts.verdict.reason, facts.verdict.message)
    if canary.stage == "Promoting":
        return _promoting(facts)
    if by_hand:
        return Decision(
            Move.PREPARE_PROMOTION, "PromotedByHand", "spec.rollout.promote names this revision"
        )
    if canary.stage == "Starting":
        return _starting(facts)
    if facts.ready == 0:
        return _unready(facts)
    if canary.stage == "WarmingUp":
        return _warming_up(facts)
    return _stepping(facts)


def _overdue(facts: Facts, since: str) -> float:
    """Seconds past the progress deadline; negative before it."""
    return seconds_since(since, facts.now) - facts.deadline


def _starting(facts: Facts) -> Decision:
    if facts.ready < facts.wanted:
        late = _overdue(facts, facts.canary.stage_time)
        pods = f"{facts.ready} of {facts.wanted} pods ready"
        if late >= 0:
            return Decision(
                Move.ROLL_BACK,
                "ProgressDeadlineExceeded",
                facts.explain(f"{pods} after {facts.deadline} s"),
            )
        return Decision(Move.HOLD, "Starting", facts.explain(pods), -late)
    if not facts.rollout.steps:
        return Decision(Move.PREPARE_PROMOTION, "NoSteps", "the revision is ready")
    if facts.stable_ready == 0:
        return Decision(
            Move.PREPARE_PROMOTION,
            "StableUnavailable",
            "the stable revision has no ready pod, so there is nothing to protect",
        )
    if facts.rollout.warm_up_seconds:
        return Decision(Move.WARM_UP, "WarmingUp", "the canary is ready and warms up")
    return Decision(Move.STEP, "CanaryReady", "the canary is ready")


def _unready(facts: Facts) -> Decision:
    # A Deployment that is gone or not yet marked has lost its pods just now.
    since = facts.unready_since or precise(facts.now)
    late = _overdue(facts, since)
    if late >= 0:
        return Decision(
            Move.ROLL_BACK,
            "CanaryUnavailable",
            facts.explain(f"no ready pod for {facts.deadline} s"),
        )
    message = facts.explain("no ready pod; it gets no requests")
    return Decision(Move.HOLD, "CanaryUnavailable", message, -late)


def _warming_up(facts: Facts) -> Decision:
    left = facts.rollout.warm_up_seconds - seconds_since(facts.canary.stage_time, facts.now)
    if left > 0:
        return Decision(Move.HOLD, "WarmingUp", f"{left:.0f} s of warm-up left", left)
    return Decision(Move.STEP, "WarmedUp", "the warm-up is over")


def _stepping(facts: Facts) -> Decision:
    steps = facts.rollout.steps
    if not steps:
        return Decision(Move.PREPARE_PROMOTION, "NoSteps", "there are no steps any more")
    # Steps may have been taken away meanwhile: the last one left has still to be passed.
    index = min(facts.canary.step, len(steps) - 1)
    step = steps[index]
    look = float(facts.analysis.interval_seconds) if facts.analysis else None
    if facts.rollout.paused:
        return Decision(Move.HOLD, "Paused", "spec.rollout.paused is set", look)
    elapsed = seconds_since(facts.canary.stage_time, facts.now)
    left = step.pause_seconds - elapsed
    where = f"step {index + 1} of {len(steps)} at {step.weight} %"
    if not step.analysis:
        if left > 0:
            return Decision(Move.HOLD, "Pausing", f"{where}, {left:.0f} s left", left)
        return _next(facts, "PauseOver", where)
    verdict = facts.verdict
    if verdict is not None and verdict.value is Value.PASS:
        if left > 0:
            return Decision(
                Move.HOLD, "Pausing", f"{where}, passing, {left:.0f} s left", min(left, look or 1)
            )
        return _next(facts, verdict.reason, f"{where}: {verdict.message}")
    return _undecided(facts, step, elapsed, where, look or 1.0)


def _undecided(facts: Facts, step: Step, elapsed: float, where: str, look: float) -> Decision:
    verdict = facts.verdict
    reason = verdict.reason if verdict else "NoData"
    finding = verdict.message if verdict else "not looked at yet"
    message = f"{where}: {finding}"
    assert facts.analysis is not None, "CEL demands an analysis for such a step"
    if elapsed < step.settled_after:
        return Decision(Move.HOLD, reason, message, look)
    late = f"{message}; undecided after {step.settled_after} s"
    match facts.analysis.on_undecided:
        case "Rollback":
            return Decision(Move.ROLL_BACK, "Undecided", late)
        case "Promote" if verdict is not None and verdict.reason not in NO_EVIDENCE:
            return _next(facts, "Undecided", late)
        case _:
            return Decision(Move.HOLD, reason, late, look)


def _next(facts: Facts, reason: str, message: str) -> Decision:
    if facts.canary.step + 1 < len(facts.rollout.steps):
        return Decision(Move.STEP, reason, message)
    return Decision(Move.PREPARE_PROMOTION, reason, message)


def _promoting(facts: Facts) -> Decision:
    if facts.ready >= facts.full:
        return Decision(Move.PROMOTE, facts.canary.reason, facts.canary.message)
    late = _overdue(facts, facts.canary.stage_time)
    pods = facts.explain(f"{facts.ready} of {facts.full} pods ready for promotion")
    if late >= 0:
        return Decision(Move.ROLL_BACK, "ProgressDeadlineExceeded", pods)
    look = float(facts.analysis.interval_seconds) if facts.analysis else -late
    return Decision(Move.HOLD, "Promoting", pods, min(look, -late))
