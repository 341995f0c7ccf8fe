"""The rollout of a ModelDeployment as its status tells it: stable, canary, old, history.

Children follow from the status alone, so that a decision is durable before its effect and a restart
goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import (
    CanaryStatus,
    ModelDeploymentStatus,
    OldRevision,
    Outcome,
    RevisionStatus,
)
from evenkeel.meta.objects import Event
from evenkeel.meta.times import precise, seconds_since, timestamp
from evenkeel.rollout.canary import Decision
from evenkeel.rollout.goal import Goal
from evenkeel.serving.observed import Pods
from evenkeel.traffic import Division

HISTORY = 20


@dataclass(frozen=True, slots=True)
class Rollout:
    """The state of all revisions, and what has just happened."""

    stable: RevisionStatus | None
    canary: CanaryStatus | None
    old: tuple[OldRevision, ...]
    history: tuple[Outcome, ...]
    events: tuple[Event, ...] = ()
    decision: Decision | None = None
    requeue_after: float | None = None


def present(status: ModelDeploymentStatus) -> Rollout:
    """The state as the status tells it."""
    return Rollout(status.stable, status.canary, status.old, status.history)


def division(rollout: Rollout, pods: dict[str, Pods]) -> Division | None:
    """How requests are divided; None before the first revision.

    A canary without ready pods gets none.
    """
    if rollout.stable is None:
        return None
    canary = rollout.canary
    if canary is None:
        return Division(rollout.stable.revision)
    ready = pods.get(canary.revision, Pods()).ready > 0
    return Division(rollout.stable.revision, canary.revision, canary.weight if ready else 0)


def first_revision(state: Rollout, goal: Goal) -> Rollout:
    """The first revision serves at once."""
    revision, target = goal
    stable = RevisionStatus(
        revision=revision, version=target.version, uri=target.uri, format=target.format
    )
    event = Event("Normal", "FirstRevision", f"revision {revision} with {target.uri}")
    return replace(state, stable=stable, events=(event,))


def was_rolled_back(state: Rollout, revision: str) -> bool:
    """Whether the revision's last trial ended so."""
    last = next((o for o in state.history if o.revision == revision), None)
    return last is not None and last.outcome == "RolledBack"


def started(state: Rollout, goal: Goal, now: datetime) -> Rollout:
    """A revision goes on trial."""
    revision, target = goal
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


def superseded(state: Rollout, revision: str, now: datetime) -> Rollout:
    """The trial ends because another revision is wanted."""
    assert state.canary is not None
    message = f"revision {revision} is wanted now"
    return ended(state, state.canary, "Superseded", "Superseded", message, now)


def without_expired(state: Rollout, md: ModelDeployment, now: datetime) -> Rollout:
    """Without the old revisions whose last delay is over."""
    delay = md.spec.rollout.scale_down_delay_seconds
    ages = [(o, delay - seconds_since(o.time, now)) for o in state.old]
    left = [wait for _, wait in ages if wait > 0]
    kept = tuple(o for o, wait in ages if wait > 0)
    return replace(state, old=kept, requeue_after=min(left, default=None))


def ended(
    state: Rollout,
    canary: CanaryStatus,
    outcome: Literal["Promoted", "RolledBack", "Superseded"],
    reason: str,
    message: str,
    now: datetime,
) -> Rollout:
    """The trial is over, and the history says how."""
    event = Event(
        "Warning" if outcome == "RolledBack" else "Normal",
        outcome,
        f"revision {canary.revision}: {reason}: {message}",
    )
    state = replace(state, canary=None, events=(*state.events, event))
    if outcome == "Superseded" and was_rolled_back(state, canary.revision):
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


def promoted(
    state: Rollout,
    canary: CanaryStatus,
    stable: RevisionStatus,
    decision: Decision,
    now: datetime,
) -> Rollout:
    """The canary is the stable revision now; the former one lives on for its last delay."""
    old = OldRevision(revision=stable.revision, time=precise(now))
    state = ended(state, canary, "Promoted", decision.reason, decision.message, now)
    return replace(
        state,
        stable=RevisionStatus(
            revision=canary.revision,
            version=canary.version,
            uri=canary.uri,
            format=canary.format,
        ),
        old=(old, *(o for o in state.old if o.revision != stable.revision)),
        requeue_after=0.0,
    )
