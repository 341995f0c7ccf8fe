"""The next state of a rollout: the canary policy's decision becomes the next status."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus, IndicatorStatus
from evenkeel.meta.objects import Event
from evenkeel.meta.times import precise, seconds_since
from evenkeel.rollout.canary import Decision, Facts, Move, decide
from evenkeel.rollout.capacity import full_replicas, stage_replicas
from evenkeel.rollout.goal import Goal
from evenkeel.rollout.state import (
    RolloutState,
    ended,
    first_revision,
    present,
    promoted,
    started,
    superseded,
    was_rolled_back,
    without_expired,
)
from evenkeel.serving.observed import Pods
from evenkeel.verdict.judgement import Judgement, next_step

LOOK_IS_KEPT_AFTER = 5.0
"""Seconds after which new evidence is written although nothing was decided."""


def advance(
    md: ModelDeployment,
    goal: Goal | None,
    pods: dict[str, Pods],
    judgement: Judgement | None,
    now: datetime,
) -> RolloutState:
    """The next state of the rollout towards `goal`; without one all stays as it is.

    judgement: of the canary in the status, if it was judged.
    """
    state = present(md.status)
    if goal is None:
        return state
    state = without_expired(state, md, now)
    stable = state.stable
    if stable is None:
        return first_revision(state, goal)
    if state.canary is not None and state.canary.revision != goal.revision:
        state = superseded(state, goal.revision, now)
    if state.canary is None:
        by_hand = md.spec.rollout.promote == goal.revision
        rolled_back = was_rolled_back(state, goal.revision)
        if goal.revision == stable.revision or (rolled_back and not by_hand):
            return state
        state = started(state, goal, now)
        judgement = None
    return _decided(state, md, pods, judgement, now)


def _decided(
    state: RolloutState,
    md: ModelDeployment,
    pods: dict[str, Pods],
    judgement: Judgement | None,
    now: datetime,
) -> RolloutState:
    """The state after the canary policy's decision."""
    canary, stable = state.canary, state.stable
    assert canary is not None
    assert stable is not None
    own = pods.get(canary.revision, Pods())
    indicators = canary.indicators if judgement is None else judgement.indicators
    decision = decide(_facts(md, canary, own, pods.get(stable.revision, Pods()), judgement, now))
    state = replace(state, decision=decision)
    if decision.move is Move.ROLL_BACK:
        return ended(state, canary, "RolledBack", decision.reason, decision.message, now)
    if decision.move is Move.PROMOTE:
        return promoted(state, canary, stable, decision, now)
    if decision.move is Move.HOLD:
        looks = [w for w in (state.requeue_after, decision.requeue_after) if w is not None]
        held = _held(canary, decision, indicators, own.ready, now, _patience(md))
        return replace(state, canary=held, requeue_after=min(looks, default=None))
    return _moved(state, md, canary, decision, indicators, own.ready, now)


def _facts(
    md: ModelDeployment,
    canary: CanaryStatus,
    own: Pods,
    stable: Pods,
    judgement: Judgement | None,
    now: datetime,
) -> Facts:
    full = full_replicas(md, stable)
    return Facts(
        canary=canary,
        rollout=md.spec.rollout,
        analysis=md.spec.analysis,
        ready=own.ready,
        wanted=stage_replicas(md, canary, full),
        full=full,
        stable_ready=stable.ready,
        verdict=judgement.verdict if judgement is not None else None,
        unready_since=own.unready_since,
        diagnosis=own.diagnosis,
        now=now,
        # The Deployment has what follows from the probes; what a user sets is known before.
        deadline=md.spec.rollout.progress_deadline_seconds or own.deadline,
    )


def _moved(
    state: RolloutState,
    md: ModelDeployment,
    canary: CanaryStatus,
    decision: Decision,
    indicators: tuple[IndicatorStatus, ...],
    ready: int,
    now: datetime,
) -> RolloutState:
    """The canary in its next stage or step."""
    steps = md.spec.rollout.steps
    update: dict[str, object] = {"stage": "Promoting"}
    if decision.move is Move.WARM_UP:
        update = {"stage": "WarmingUp", "weight": steps[0].weight}
    elif decision.move is Move.STEP:
        index = canary.step + 1 if canary.stage == "Stepping" else 0
        update = {"stage": "Stepping", "step": index, "weight": steps[index].weight}
    moved = canary.model_copy(
        update={
            **update,
            "stage_time": precise(now),
            "reason": decision.reason,
            "message": decision.message[:2048],
            "ready_replicas": ready,
            "indicators": next_step(indicators),
        }
    )
    event = Event("Normal", f"Canary{moved.stage}", f"{moved.weight} %: {decision.message}")
    # The new state may already allow the next move (pods that are ready for promotion).
    return replace(state, canary=moved, events=(*state.events, event), requeue_after=0.0)


def _patience(md: ModelDeployment) -> float:
    """Seconds for which new evidence need not be written."""
    # Confirmations count comparisons, so each must be kept.
    each = md.spec.analysis is not None and md.spec.analysis.confirmations > 1
    return 0.0 if each else LOOK_IS_KEPT_AFTER


def _held(
    canary: CanaryStatus,
    decision: Decision,
    indicators: tuple[IndicatorStatus, ...],
    ready: int,
    now: datetime,
    patience: float,
) -> CanaryStatus:
    """The canary's status while it holds: new evidence is written once in a while only.

    Evidence that isn't written isn't lost: the counters it came from are cumulative.
    """
    update: dict[str, object] = {"ready_replicas": ready}
    first = bool(indicators) and not any(i.evidence for i in canary.indicators)
    since = seconds_since(canary.look_time, now) if canary.look_time else patience
    if decision.reason != canary.reason or first or since >= patience:
        if canary.stage != "Promoting":
            update |= {"reason": decision.reason, "message": decision.message[:2048]}
        if indicators != canary.indicators:
            update |= {"indicators": indicators, "look_time": precise(now)}
    return canary.model_copy(update=update)
