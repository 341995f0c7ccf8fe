"""What the decision on a canary rests on, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from evenkeel.api.analysis import Analysis
from evenkeel.api.gates import Gate
from evenkeel.api.modeldeploymentstatus import CanaryStatus, Cause
from evenkeel.api.performance import PerformanceProfile
from evenkeel.api.rollout import Rollout
from evenkeel.meta.times import seconds_since
from evenkeel.rollout.baseline import Baseline
from evenkeel.verdict.verdict import Verdict


class Move(Enum):
    """What happens to the canary."""

    HOLD = "Hold"
    START = "Start"
    WARM_UP = "WarmUp"
    STEP = "Step"
    STEP_ANEW = "StepAnew"
    PREPARE_PROMOTION = "PreparePromotion"
    WATCH = "Watch"
    PROMOTE = "Promote"
    RETURN = "Return"
    ROLL_BACK = "RollBack"
    RESTART = "Restart"


@dataclass(frozen=True, slots=True)
class Decision:
    """A move with its reason.

    requeue_after: seconds until a deadline or pause ends, when to look again at the latest.
    cause: whose fault a rollback is. awaiting: what alone holds the step, if a gate does.
    """

    move: Move
    reason: str
    message: str
    requeue_after: float | None = None
    cause: Cause = "Model"
    awaiting: Gate | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the decision rests on; the canary's clocks are those of this very moment.

    wanted: the canary's pods for its present stage. needed: those that carry its present weight.
    full: those of a promoted revision. existing, stable_existing: how many pods there are;
    stable_ready: ready ones of stable.
    occupied: pods of all revisions that hold room, also those that are going. diagnosis: why the
    canary's pods are not ready, if that is known; pods_cause: whose fault that is; late_reason:
    what it is called. last_words: of its last crash. by_hand: whether a person promotes it.
    deadline: seconds that its pods may take to get ready. unlooked, uncounted: indicators, as of
    Judgement. profile: how it is measured, if it is. unshown: why stable's meters cannot do what
    the present step asks of them. baseline: the copy of stable beside it, if there is to be one.
    """

    canary: CanaryStatus
    rollout: Rollout
    analysis: Analysis | None
    ready: int
    wanted: int
    needed: int
    full: int
    verdict: Verdict | None
    now: datetime
    deadline: int
    diagnosis: str = ""
    pods_cause: Cause = "Model"
    late_reason: str = "ProgressDeadlineExceeded"
    last_words: str = ""
    existing: int = 0
    stable_existing: int = 0
    stable_ready: int = 0
    by_hand: bool = False
    occupied: int = 0
    unlooked: tuple[str, ...] = ()
    uncounted: tuple[str, ...] = ()
    profile: PerformanceProfile | None = None
    unshown: str = ""
    baseline: Baseline | None = None

    @property
    def carrying(self) -> int:
        """Ready pods that its weight goes by: a baseline beside it has to carry as much."""
        beside = self.baseline
        return self.ready if beside is None else min(self.ready, beside.pods.ready)

    def explain(self, text: str) -> str:
        """The text about the canary's pods, with what ails them or their last words."""
        why = self.diagnosis or self.last_words
        return f"{text}: {why}" if why else text

    def since(self, time: str) -> float:
        """Seconds since a time in the status."""
        return seconds_since(time, self.now)

    def awaited(self, gate: Gate) -> float:
        """Seconds for which the gate alone has held the step; 0 before it does."""
        canary = self.canary
        if canary.awaiting != gate or canary.awaiting_since is None:
            return 0.0
        return self.since(canary.awaiting_since)

    @property
    def counted(self) -> float:
        """Seconds of this stage that count: not those paused, at zero or without needed pods."""
        canary = self.canary
        idle = canary.idle_milliseconds / 1000
        if canary.idle_since is not None:
            idle += self.since(canary.idle_since)
        return self.since(canary.stage_time) - idle

    @property
    def lost(self) -> float:
        """Seconds of the trial that needed pods were lost for, the present loss included."""
        lost = self.canary.lost_milliseconds / 1000
        if self.canary.lost_since is not None:
            lost += self.since(self.canary.lost_since)
        return lost
