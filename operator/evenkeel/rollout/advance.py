"""The next state of a rollout: the canary policy's decision becomes the next status."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus, IndicatorStatus
from evenkeel.api.rollout import Step
from evenkeel.meta.objects import Event
from evenkeel.meta.times import precise, seconds_since, sooner
from evenkeel.rollout import words
from evenkeel.rollout.baseline import baseline_name, present_baseline
from evenkeel.rollout.canary import decide, until_given_up
from evenkeel.rollout.capacity import (
    carried_weight,
    full_replicas,
    needed_replicas,
    stable_size,
    stage_replicas,
)
from evenkeel.rollout.causes import late, of_pods
from evenkeel.rollout.clocks import observed
from evenkeel.rollout.exposure import WHOLE, exposed, present_step, shown
from evenkeel.rollout.facts import Decision, Facts, Move
from evenkeel.rollout.goal import Goal
from evenkeel.rollout.group import Bond, in_step, leaving
from evenkeel.rollout.probation import taken_over
from evenkeel.rollout.shown import unshown
from evenkeel.rollout.state import (
    Beginning,
    RolloutState,
    ended,
    first_revision,
    present,
    promoted,
    restarted,
    started,
    superseded,
    without_expired,
)
from evenkeel.rollout.stop_first import remembered, stops_first
from evenkeel.rollout.trials import Trial, in_force, next_trial, with_wishes_renewed
from evenkeel.rollout.window import in_window
from evenkeel.serving.observed import Pods
from evenkeel.verdict.judgement import Judgement, next_step
from evenkeel.verdict.verdict import Value

LOOK_IS_KEPT_AFTER = 5.0
"""Seconds after which new evidence is written although nothing was decided."""


def advance(
    md: ModelDeployment,
    goal: Goal | None,
    pods: dict[str, Pods],
    judgement: Judgement | None,
    taken: int,
    now: datetime,
    tie: Bond | None = None,
) -> RolloutState:
    """The next state of the rollout towards `goal`; without one all stays as it is.

    judgement: of the canary in the status, if it was judged. taken: pods that hold room. tie: the
    canary's to the group that is promoted with it.
    """
    state = present(md.status)
    if goal is None:
        return state
    state = with_wishes_renewed(without_expired(state, md, now), md)
    stable = state.stable
    if stable is None:
        return first_revision(state, goal)
    beside = pods.get(stable.revision, Pods())
    stable = remembered(stable, state.canary, beside)
    state = replace(state, stable=stable)
    leaves = None
    if _gives_way(state, md, goal, judgement, now):
        leaves = leaving(tie, state, goal.revision)
        if leaves is None:
            assert state.canary is not None
            own = pods.get(state.canary.revision, Pods())
            state = superseded(state, goal.revision, now, serves=own.ready > 0)
    if state.canary is None:
        state, judgement = _begun(state, md, goal, pods, now), None
        tie = None if tie is None else tie.anew
    if state.canary is None:
        return state
    revision = state.canary.revision
    wakes = sooner(state.requeue_after, _backing_off(state, md, goal, now))
    state = replace(state, requeue_after=wakes)
    state = _decided(state, md, pods, judgement, taken, now, tie)
    state = state if leaves is None else replace(state, alone=leaves)
    if state.canary is None and revision != goal.revision:
        # It was on its way back while another was wanted.
        return replace(_begun(state, md, goal, pods, now), requeue_after=0.0)
    return state


def _gives_way(
    state: RolloutState,
    md: ModelDeployment,
    goal: Goal,
    judgement: Judgement | None,
    now: datetime,
) -> bool:
    """Whether the canary ends for another; one that serves does so only for a trial or a revert,
    and not where it goes back anyway."""
    canary, stable = state.canary, state.stable
    if canary is None or stable is None or canary.revision == goal.revision:
        return False
    if not taken_over(canary) or goal.revision == stable.revision:
        return True
    failed = judgement is not None and judgement.verdict.value is Value.FAIL
    if failed or md.spec.rollout.abort == canary.revision:
        return False
    return isinstance(next_trial(state, md, goal.revision, now), Trial)


def _backing_off(
    state: RolloutState, md: ModelDeployment, goal: Goal, now: datetime
) -> float | None:
    """Seconds until the wanted revision may cut another's probation short; None if it waits for
    something else."""
    canary, stable = state.canary, state.stable
    if canary is None or stable is None or not taken_over(canary):
        return None
    if goal.revision in (canary.revision, stable.revision):
        return None
    trial = next_trial(state, md, goal.revision, now)
    return None if isinstance(trial, Trial) else trial


def _begun(
    state: RolloutState, md: ModelDeployment, goal: Goal, pods: dict[str, Pods], now: datetime
) -> RolloutState:
    """With a trial of the wanted revision, if one begins now."""
    stable = state.stable
    assert stable is not None
    if goal.revision == stable.revision:
        return state
    trial = next_trial(state, md, goal.revision, now)
    if not isinstance(trial, Trial):
        return replace(state, requeue_after=sooner(state.requeue_after, trial))
    own, beside = (pods.get(r, Pods()) for r in (goal.revision, stable.revision))
    size = stable_size(md, beside, stable.stopped_replicas)
    before = Beginning(
        size,
        stop_first=stops_first(md, own, size),
        crashes=own.crashes,
        stable_crashes=beside.crashes,
        stale=words.stale(md.spec.rollout, goal.revision),
        restarts=words.restarts_before(md.spec.rollout, goal.revision),
        in_window=in_window(state, md, goal.revision, now),
    )
    return started(state, goal, before, trial.attempt, trial.wish, now)


def _decided(
    state: RolloutState,
    md: ModelDeployment,
    pods: dict[str, Pods],
    judgement: Judgement | None,
    taken: int,
    now: datetime,
    tie: Bond | None,
) -> RolloutState:
    """The state after the canary policy's decision."""
    canary, stable = state.canary, state.stable
    assert canary is not None
    assert stable is not None
    own, beside = pods.get(canary.revision, Pods()), pods.get(stable.revision, Pods())
    full = full_replicas(md, beside, canary, own, stable.stopped_replicas)
    wanted = stage_replicas(md, canary, full)
    needed = needed_replicas(canary, wanted, full)
    # Paused holds a canary at its step; its pods come up and warm up nevertheless.
    pausable = canary.stage in ("Stepping", "Probation")
    waits = tie is not None and canary.stage == "Promoting" and own.ready >= full
    held = full == 0 or (md.spec.rollout.paused and pausable) or waits
    baseline = present_baseline(md, canary, stable.revision, pods, full)
    if baseline is not None and canary.stage != "Promoting":
        held = held or not baseline.ready
    # The Deployment has what follows from the probes; what a user sets is known before.
    deadline = md.spec.rollout.progress_deadline_seconds or own.deadline
    canary = words.renewed(canary, md.spec.rollout)
    canary = observed(canary, own, beside, needed, full, deadline, held=held, now=now)
    indicators = canary.indicators if judgement is None else judgement.indicators
    facts = Facts(
        canary=canary,
        rollout=md.spec.rollout,
        analysis=md.spec.analysis,
        ready=own.ready,
        wanted=wanted,
        needed=needed,
        full=full,
        verdict=judgement.verdict if judgement is not None else None,
        diagnosis=own.diagnosis,
        pods_cause=of_pods(own, md.spec),
        late_reason=late(own),
        last_words=own.last_words,
        now=now,
        existing=own.existing,
        stable_existing=beside.existing,
        stable_ready=beside.ready,
        by_hand=in_force("Promote", md, state, canary.revision),
        occupied=taken,
        deadline=deadline,
        unlooked=judgement.unlooked if judgement is not None else (),
        uncounted=judgement.uncounted if judgement is not None else (),
        profile=md.spec.performance,
        unshown=unshown(md, canary, beside),
        baseline=baseline,
    )
    alone = decide(facts)
    decision = in_step(alone, facts, tie)
    state = replace(state, decision=decision, alone=alone)
    last = canary.model_copy(update={"indicators": indicators})
    if decision.move is Move.ROLL_BACK:
        reason, message, cause = decision.reason, decision.message, decision.cause
        if reason == "Superseded":
            return ended(state, last, "Superseded", reason, message, now, cause, facts.by_hand)
        return ended(state, last, "RolledBack", reason, message, now, cause, facts.by_hand)
    if decision.move is Move.PROMOTE:
        return promoted(state, last, stable, decision, now, facts.by_hand)
    if decision.move is Move.RESTART:
        before = words.stale(md.spec.rollout, canary.revision)
        number = words.restarts_before(md.spec.rollout, canary.revision)
        return restarted(state, last, before, number, decision.message, now)
    if decision.move is Move.HOLD:
        gone = until_given_up(facts)
        later = gone if gone is not None and gone > 0 else None
        kept = _held(canary, decision, indicators, facts)
        # What is asked follows from the status, whose write wakes nobody.
        asks = 0.0 if kept.awaiting == "Webhook" and canary.awaiting != "Webhook" else None
        looks = sooner(state.requeue_after, decision.requeue_after, later, asks)
        return replace(
            state,
            canary=kept,
            requeue_after=looks,
            events=(*state.events, *_began_to_wait(canary, decision)),
        )
    return _moved(state, md, canary, decision, indicators, facts)


def _moved(
    state: RolloutState,
    md: ModelDeployment,
    canary: CanaryStatus,
    decision: Decision,
    indicators: tuple[IndicatorStatus, ...],
    facts: Facts,
) -> RolloutState:
    """The canary in its next stage or step."""
    steps = md.spec.rollout.steps
    update: dict[str, object] = {"stage": "Promoting"}
    if decision.move is Move.START:
        update = {"stage": "Starting"}
    elif decision.move is Move.WARM_UP:
        update = {"stage": "WarmingUp", **_exposed(state, canary, steps[0])}
    elif decision.move is Move.STEP:
        index = canary.step + 1 if canary.stage == "Stepping" else 0
        update = {"stage": "Stepping", "step": index, **_exposed(state, canary, steps[index])}
    elif decision.move is Move.STEP_ANEW:
        index = min(canary.step, len(steps) - 1)
        update = {"stage": "Stepping", "step": index, **_exposed(state, canary, steps[index])}
    elif decision.move is Move.WATCH:
        update = {"stage": "Probation", **WHOLE}
    elif decision.move is Move.RETURN:
        update = {"stage": "Returning", "cause": decision.cause}
    if canary.stage == "Starting":
        # Its pods have been ready for a while: what they met on the way is forgiven.
        update |= {"crashes": 0, "stable_crashes": 0}
    message, indicators = decision.message, next_step(indicators)
    if canary.stage == "Stepping" and update.get("baseline", canary.baseline) != canary.baseline:
        # What was counted beside another is no evidence of a comparison with this one.
        other = "the baseline" if update["baseline"] else "stable"
        message, indicators = f"{message}; evidence begins anew, beside {other}", ()
    moved = canary.model_copy(
        update={
            **update,
            "stage_time": precise(facts.now),
            "idle_since": None,
            "idle_milliseconds": 0,
            "short_since": None,
            "awaiting": None,
            "awaiting_since": None,
            "job": None,
            "webhook": None,
            "reason": decision.reason,
            "message": message[:2048],
            "ready_replicas": facts.ready,
            "full_replicas": facts.full,
            "indicators": indicators,
        }
    )
    before, after = (stage_replicas(md, one, facts.full) for one in (canary, moved))
    # Steps of weights alone never ask for fewer, so that what it has grown to is its load's.
    moved = moved.model_copy(update={"shrinks": canary.shrinks or after < before})
    event = Event("Normal", f"Canary{moved.stage}", f"{shown(moved)}: {message}")
    # The new state may already allow the next move (pods that are ready for promotion).
    return replace(state, canary=moved, events=(*state.events, event), requeue_after=0.0)


def _exposed(state: RolloutState, canary: CanaryStatus, step: Step) -> dict[str, object]:
    """What the status tells of a step's requests, and of the copy of stable beside it."""
    assert state.stable is not None
    name = baseline_name(step, state.stable.revision, canary.revision)
    return {**exposed(step), "baseline": name}


def _began_to_wait(canary: CanaryStatus, decision: Decision) -> tuple[Event, ...]:
    """Told once, to whom it waits for."""
    if decision.awaiting != "Approval" or canary.awaiting == decision.awaiting:
        return ()
    return (Event("Normal", decision.reason, f"revision {canary.revision}: {decision.message}"),)


def _waiting(canary: CanaryStatus, decision: Decision, facts: Facts) -> dict[str, object]:
    """What alone holds the step, and the stage's clock where a gate no longer does.

    The time at the gates is no part of what a verdict has to come back.
    """
    if decision.awaiting == canary.awaiting:
        return {}
    update: dict[str, object] = {"awaiting": decision.awaiting, "awaiting_since": None}
    if decision.awaiting is not None:
        return update | {"awaiting_since": precise(facts.now)}
    step = present_step(facts.rollout, canary)
    paused = 0 if step is None else step.pause_seconds
    idle = canary.idle_milliseconds + round((facts.counted - paused) * 1000)
    return update | {"idle_milliseconds": max(canary.idle_milliseconds, idle)}


def _held(
    canary: CanaryStatus,
    decision: Decision,
    indicators: tuple[IndicatorStatus, ...],
    facts: Facts,
) -> CanaryStatus:
    """The canary's status while it holds: new evidence is written once in a while only.

    Evidence that isn't written isn't lost: the counters it came from are cumulative.
    """
    now = facts.now
    update: dict[str, object] = {
        "ready_replicas": facts.ready,
        "full_replicas": facts.full,
        "shrinks": canary.shrinks and facts.existing > facts.wanted,
        "traffic_weight": carried_weight(canary, facts.carrying, facts.full),
        **_waiting(canary, decision, facts),
    }
    first = bool(indicators) and not any(i.evidence for i in canary.indicators)
    since = seconds_since(canary.look_time, now) if canary.look_time else LOOK_IS_KEPT_AFTER
    if decision.reason != canary.reason or first or since >= LOOK_IS_KEPT_AFTER:
        if canary.stage not in ("Promoting", "Returning"):
            update |= {"reason": decision.reason, "message": decision.message[:2048]}
        if indicators != canary.indicators:
            update |= {"indicators": indicators, "look_time": precise(now)}
    return canary.model_copy(update=update)
