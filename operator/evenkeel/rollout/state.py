"""The rollout of a ModelDeployment as its status tells it: stable, canary, old, history.

The decisions are policies/canary.py's; here they become the next status. Children follow from the
status alone, so that a decision is durable before its effect and a restart goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import (
    CanaryStatus,
    IndicatorStatus,
    OldRevision,
    Outcome,
    RevisionStatus,
)
from evenkeel.meta.objects import Event
from evenkeel.meta.times import precise, seconds_since, timestamp
from evenkeel.rollout import canary as policy
from evenkeel.rollout.canary import Decision, Facts, Move, canary_replicas
from evenkeel.serving.model_source import Target
from evenkeel.serving.observed import Pods
from evenkeel.verdict.judgement import Observations, assess, next_step
from evenkeel.verdict.verdict import Verdict

HISTORY = 20
LOOK_IS_KEPT_AFTER = 5.0
"""Seconds after which new evidence is written although nothing was decided."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """The state of all revisions, and what has just happened."""

    stable: RevisionStatus | None
    canary: CanaryStatus | None
    old: tuple[OldRevision, ...]
    history: tuple[Outcome, ...]
    events: tuple[Event, ...] = ()
    decision: Decision | None = None
    wake: float | None = None


def full_replicas(md: ModelDeployment, stable: Pods) -> int:
    """Pods of a promoted revision: what the autoscaler made of it, or spec.replicas."""
    if md.spec.autoscaling is not None:
        return max(stable.wanted, md.spec.autoscaling.min_replicas)
    return md.spec.replicas


def wanted_replicas(md: ModelDeployment, canary: CanaryStatus, full: int) -> int:
    """Pods of the canary in its present stage."""
    steps = md.spec.rollout.steps
    if canary.stage == "Promoting" or not steps:
        return full
    return min(max(full, 1), canary_replicas(full, steps[min(canary.step, len(steps) - 1)].weight))


def advance(
    md: ModelDeployment,
    revision: str,
    target: Target,
    pods: dict[str, Pods],
    seen: Observations,
    now: datetime,
) -> Rollout:
    """The next state of the rollout towards `revision`, which serves `target`."""
    status = md.status
    state = Rollout(status.stable, status.canary, status.old, status.history)
    state = _forget_old(state, md, now)
    stable = state.stable
    if stable is None:
        return _first(state, revision, target)
    if state.canary is not None and state.canary.revision != revision:
        state = _superseded(state, revision, now)
    if state.canary is None:
        by_hand = md.spec.rollout.promote == revision
        if revision == stable.revision or (_was_rolled_back(state, revision) and not by_hand):
            return state
        state = _start(state, md, revision, target, now)
    return _step(state, md, pods, seen, now)


def _first(state: Rollout, revision: str, target: Target) -> Rollout:
    stable = RevisionStatus(
        revision=revision, version=target.version, uri=target.uri, format=target.format
    )
    event = Event("Normal", "FirstRevision", f"revision {revision} with {target.uri}")
    return replace(state, stable=stable, events=(event,))


def _was_rolled_back(state: Rollout, revision: str) -> bool:
    last = next((o for o in state.history if o.revision == revision), None)
    return last is not None and last.outcome == "RolledBack"


def _start(
    state: Rollout, md: ModelDeployment, revision: str, target: Target, now: datetime
) -> Rollout:
    canary = CanaryStatus(
        revision=revision,
        version=target.version,
        uri=target.uri,
        format=target.format,
        start_time=precise(now),
        stage_time=precise(now),
    )
    event = Event("Normal", "RolloutStarted", f"revision {revision} with {target.uri}")
    # Revisions in their last delay go now: while the canary has traffic, the Service may reach
    # the pods of all revisions.
    return replace(state, canary=canary, old=(), events=(*state.events, event))


def _superseded(state: Rollout, revision: str, now: datetime) -> Rollout:
    assert state.canary is not None
    message = f"revision {revision} is wanted now"
    return _ended(state, state.canary, "Superseded", "Superseded", message, now)


def _forget_old(state: Rollout, md: ModelDeployment, now: datetime) -> Rollout:
    delay = md.spec.rollout.scale_down_delay_seconds
    ages = [(o, delay - seconds_since(o.time, now)) for o in state.old]
    left = [wait for _, wait in ages if wait > 0]
    kept = tuple(o for o, wait in ages if wait > 0)
    return replace(state, old=kept, wake=min(left, default=None))


def _ended(
    state: Rollout,
    canary: CanaryStatus,
    outcome: Literal["Promoted", "RolledBack", "Superseded"],
    reason: str,
    message: str,
    now: datetime,
) -> Rollout:
    event = Event(
        "Normal" if outcome == "Promoted" else "Warning",
        outcome,
        f"revision {canary.revision}: {reason}: {message}",
    )
    state = replace(state, canary=None, events=(*state.events, event))
    if outcome == "Superseded" and _was_rolled_back(state, canary.revision):
        # An unfinished second trial does not make up for the first.
        return state
    entry = Outcome(
        revision=canary.revision,
        version=canary.version,
        outcome=outcome,
        reason=reason,
        message=message[:2048],
        time=timestamp(now),
    )
    history = (entry, *(o for o in state.history if o.revision != canary.revision))[:HISTORY]
    return replace(state, history=history)


def _step(
    state: Rollout,
    md: ModelDeployment,
    pods: dict[str, Pods],
    seen: Observations,
    now: datetime,
) -> Rollout:
    canary, stable = state.canary, state.stable
    assert canary is not None
    assert stable is not None
    spec = md.spec
    verdict: Verdict | None = None
    indicators: tuple[IndicatorStatus, ...] = canary.indicators
    if spec.analysis is not None and canary.stage in ("Stepping", "Promoting") and seen:
        verdict, indicators = assess(canary, spec.analysis, seen)
    full = full_replicas(md, pods.get(stable.revision, Pods()))
    own = pods.get(canary.revision, Pods())
    decision = policy.decide(
        Facts(
            canary=canary,
            rollout=spec.rollout,
            analysis=spec.analysis,
            ready=own.ready,
            wanted=wanted_replicas(md, canary, full),
            full=full,
            stable_ready=pods.get(stable.revision, Pods()).ready,
            verdict=verdict,
            unready_since=own.unready_since,
            trouble=own.trouble,
            now=now,
        )
    )
    state = replace(state, decision=decision)
    wakes = [w for w in (state.wake, decision.wake) if w is not None]
    held = replace(state, wake=min(wakes, default=None))
    steps = spec.rollout.steps
    match decision.move:
        case Move.ROLL_BACK:
            return _ended(state, canary, "RolledBack", decision.reason, decision.message, now)
        case Move.PROMOTE:
            return _promoted(state, canary, stable, decision, now)
        case Move.HOLD:
            # Confirmations count comparisons, so each must be kept.
            each = spec.analysis is not None and spec.analysis.confirmations > 1
            patience = 0.0 if each else LOOK_IS_KEPT_AFTER
            moved = _held(canary, decision, indicators, own.ready, now, patience)
            return replace(held, canary=moved)
        case Move.WARM_UP:
            update = {"stage": "WarmingUp", "weight": steps[0].weight}
        case Move.STEP:
            index = canary.step + 1 if canary.stage == "Stepping" else 0
            update = {"stage": "Stepping", "step": index, "weight": steps[index].weight}
        case Move.PREPARE_PROMOTION:
            update = {"stage": "Promoting"}
    moved = canary.model_copy(
        update={
            **update,
            "stage_time": precise(now),
            "reason": decision.reason,
            "message": decision.message[:2048],
            "ready_replicas": own.ready,
            "indicators": next_step(indicators),
        }
    )
    event = Event("Normal", f"Canary{moved.stage}", f"{moved.weight} %: {decision.message}")
    # The new state may already allow the next move (pods that are ready for promotion).
    return replace(held, canary=moved, events=(*state.events, event), wake=0.0)


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


def _promoted(
    state: Rollout,
    canary: CanaryStatus,
    stable: RevisionStatus,
    decision: Decision,
    now: datetime,
) -> Rollout:
    old = OldRevision(revision=stable.revision, time=precise(now))
    state = _ended(state, canary, "Promoted", decision.reason, decision.message, now)
    return replace(
        state,
        stable=RevisionStatus(
            revision=canary.revision,
            version=canary.version,
            uri=canary.uri,
            format=canary.format,
        ),
        old=(old, *(o for o in state.old if o.revision != stable.revision)),
        wake=0.0,
    )
