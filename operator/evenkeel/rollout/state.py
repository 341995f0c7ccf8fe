"""The rollout of a ModelDeployment as its status tells it: stable, canary, old, history.

Children follow from the status alone, so that a decision is durable before its effect and a restart
goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import (
    CanaryStatus,
    Cause,
    DryRun,
    ModelDeploymentStatus,
    OldRevision,
    Outcome,
    RevisionStatus,
    Wish,
)
from evenkeel.meta.objects import Event
from evenkeel.meta.times import precise, seconds_since, timestamp
from evenkeel.rollout.facts import Decision, Move
from evenkeel.rollout.goal import Goal
from evenkeel.rollout.probation import after_trial, serving, taken_over

HISTORY_LIMIT = 20


@dataclass(frozen=True, slots=True)
class RolloutState:
    """The state of all revisions, and what has just happened.

    alone: the decision on the trial as it would be without its group.
    """

    stable: RevisionStatus | None
    canary: CanaryStatus | None
    old: tuple[OldRevision, ...]
    history: tuple[Outcome, ...]
    events: tuple[Event, ...] = ()
    decision: Decision | None = None
    alone: Decision | None = None
    requeue_after: float | None = None

    @property
    def serving(self) -> str:
        """The revision that serves: on probation the promoted one; "" before the first."""
        found = serving(self.stable, self.canary)
        return "" if found is None else found.revision


def present(status: ModelDeploymentStatus) -> RolloutState:
    """The state as the status tells it."""
    return RolloutState(status.stable, status.canary, status.old, status.history)


def first_revision(state: RolloutState, goal: Goal) -> RolloutState:
    """The first revision serves at once."""
    revision, target = goal
    stable = RevisionStatus(
        revision=revision,
        version=target.version,
        registered=target.identity,
        uri=target.uri,
        format=target.format,
    )
    event = Event("Normal", "FirstRevision", f"revision {revision} with {target.uri}")
    return replace(state, stable=stable, events=(event,))


def last_outcome(state: RolloutState, revision: str) -> Outcome | None:
    """How the revision's last trial ended; None before the end of its first."""
    return next((o for o in state.history if o.revision == revision), None)


class Beginning(NamedTuple):
    """What a trial finds: the stable pods, and how often present pods have crashed before it.

    A revision that served until a moment ago still has its pods, whatever befell them in months.
    stop_first: whether stable stops for the trial. stale, restarts: what is said already of its
    steps and restarts. in_window: whether it needs no steps.
    """

    stable_replicas: int
    stop_first: bool = False
    crashes: int = 0
    stable_crashes: int = 0
    stale: tuple[str, ...] = ()
    restarts: int = 0
    in_window: bool = False


def started(
    state: RolloutState,
    goal: Goal,
    before: Beginning,
    attempt: int,
    wish: Wish | None,
    now: datetime,
) -> RolloutState:
    """A revision goes on trial."""
    revision, target = goal
    canary = CanaryStatus(
        revision=revision,
        version=target.version,
        registered=target.identity,
        uri=target.uri,
        format=target.format,
        start_time=precise(now),
        stage_time=precise(now),
        stage="Stopping" if before.stop_first else "Starting",
        stop_first=before.stop_first,
        stable_replicas=before.stable_replicas,
        crashes_seen=before.crashes,
        stable_crashes_seen=before.stable_crashes,
        attempt=attempt,
        wish=wish,
        stale=before.stale,
        restarts=before.restarts,
        in_window=before.in_window,
    )
    event = Event("Normal", "RolloutStarted", f"revision {revision} with {target.uri}")
    if before.stop_first and state.stable is not None:
        known = {"stopped_replicas": before.stable_replicas}
        state = replace(state, stable=state.stable.model_copy(update=known))
    # Revisions in their last delay go now: while the canary has traffic, the Service may reach
    # the pods of all revisions.
    return replace(state, canary=canary, old=(), events=(*state.events, event))


def restarted(
    state: RolloutState,
    canary: CanaryStatus,
    stale: tuple[str, ...],
    restarts: int,
    message: str,
    now: datetime,
) -> RolloutState:
    """The same trial from its start, with its pods and without its evidence.

    What befell its pods before is no part of it. stale, restarts: as of a Beginning.
    """
    kept = {"revision", "version", "registered", "uri", "format", "stop_first", "attempt", "wish"}
    kept |= {"stable_replicas", "crashes_seen", "stable_crashes_seen", "ready_replicas", "meter"}
    again = CanaryStatus(
        **{field: getattr(canary, field) for field in kept},
        start_time=precise(now),
        stage_time=precise(now),
        stale=stale,
        restarts=restarts,
        shrinks=True,
    )
    event = Event("Normal", "RolloutRestarted", f"revision {canary.revision}: {message}")
    events = (*state.events, event)
    return replace(state, canary=again, events=events, requeue_after=0.0)


def superseded(
    state: RolloutState, revision: str, now: datetime, *, serves: bool = True
) -> RolloutState:
    """The trial ends because another revision is wanted.

    A revision that serves already gives way to the former one as if it had failed, and to any other
    by a trial of that. One that is on its way back goes on.
    """
    canary, stable = state.canary, state.stable
    assert canary is not None
    assert stable is not None
    message = f"revision {revision} is wanted now"
    if not after_trial(canary):
        return ended(state, canary, "Superseded", "Superseded", message, now)
    if not taken_over(canary):
        return state
    if revision == stable.revision or not serves:
        back = {"stage": "Returning", "stage_time": precise(now), "cause": "User"}
        told = {"reason": "Superseded", "message": message}
        return replace(state, canary=canary.model_copy(update={**back, **told}))
    cut_short = Decision(Move.PROMOTE, "ProbationCutShort", message)
    return promoted(state, canary, stable, cut_short, now)


def without_expired(state: RolloutState, md: ModelDeployment, now: datetime) -> RolloutState:
    """Without the old revisions whose last delay is over."""
    delay = md.spec.rollout.scale_down_delay_seconds
    ages = [(o, delay - seconds_since(o.time, now)) for o in state.old]
    left = [wait for _, wait in ages if wait > 0]
    kept = tuple(o for o, wait in ages if wait > 0)
    return replace(state, old=kept, requeue_after=min(left, default=None))


def ended(
    state: RolloutState,
    canary: CanaryStatus,
    outcome: Literal["Promoted", "RolledBack", "Superseded"],
    reason: str,
    message: str,
    now: datetime,
    cause: Cause | None = None,
    promote: bool = False,
) -> RolloutState:
    """The trial is over, and the history says how. promote: whether that wish was in force."""
    event = Event(
        "Warning" if outcome == "RolledBack" else "Normal",
        outcome,
        f"revision {canary.revision}: {reason}: {message}",
    )
    state = replace(state, canary=None, events=(*state.events, event))
    last = last_outcome(state, canary.revision)
    if outcome == "Superseded" and last is not None and last.outcome == "RolledBack":
        # An unfinished second trial does not make up for the first.
        return state
    entry = Outcome(
        revision=canary.revision,
        version=canary.version,
        registered=canary.registered,
        outcome=outcome,
        reason=reason,
        message=message[:2048],
        time=timestamp(now),
        cause=cause,
        attempts=canary.attempt,
        wish=canary.wish,
        performance=canary.performance,
        in_window=canary.in_window and outcome == "Promoted",
        spent=_spent(last, canary, promote),
        dry_runs=tuple(
            DryRun(name=i.name, value=i.value, message=i.message[:256])
            for i in canary.indicators
            if i.dry_run
        ),
    )
    history = (entry, *(o for o in state.history if o.revision != canary.revision))[:HISTORY_LIMIT]
    return replace(state, history=history)


def with_release(state: RolloutState, md: ModelDeployment) -> RolloutState:
    """With the group's release in the outcomes that are new."""
    group = md.spec.rollout.group
    if group is None or not group.release:
        return state
    known = {(o.revision, o.time) for o in md.status.history}
    history = tuple(
        o if (o.revision, o.time) in known else o.model_copy(update={"release": group.release})
        for o in state.history
    )
    return replace(state, history=history)


def _spent(last: Outcome | None, canary: CanaryStatus, promote: bool) -> tuple[Wish, ...]:
    """Wishes that have had their trial: also one to promote that came while a trial went on."""
    spent = set(last.spent if last is not None else ())
    spent |= {canary.wish} if canary.wish is not None else set()
    return tuple(sorted(spent | {"Promote"} if promote else spent))


def promoted(
    state: RolloutState,
    canary: CanaryStatus,
    stable: RevisionStatus,
    decision: Decision,
    now: datetime,
    promote: bool = False,
) -> RolloutState:
    """The canary is the stable revision now; the former one lives on for its last delay."""
    old = OldRevision(revision=stable.revision, time=precise(now))
    state = ended(state, canary, "Promoted", decision.reason, decision.message, now, None, promote)
    last = state.history[0].model_copy(update={"replaced": stable.revision})
    return replace(
        state,
        history=(last, *state.history[1:]),
        stable=RevisionStatus(
            revision=canary.revision,
            version=canary.version,
            registered=canary.registered,
            uri=canary.uri,
            format=canary.format,
            performance=canary.performance,
        ),
        old=(old, *(o for o in state.old if o.revision != stable.revision)),
        requeue_after=0.0,
    )
