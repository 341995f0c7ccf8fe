"""What a member of a group tells the others of itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from evenkeel.api.groupstatus import Decided, Failure, GroupStatus, Standing, Vote
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus, Cause
from evenkeel.meta.refusal import Refused
from evenkeel.meta.times import precise
from evenkeel.rollout.facts import Decision, Move
from evenkeel.rollout.group import REPLACED, WITH_ANOTHER, Bond, decisions, discord, trial_of
from evenkeel.rollout.probation import RETURNING, after_trial
from evenkeel.rollout.state import RolloutState, last_outcome
from evenkeel.serving.wanted import Revision


class _Own(NamedTuple):
    standing: Standing
    reason: str = ""
    message: str = ""
    cause: Cause | None = None


def group_status(
    md: ModelDeployment,
    others: Sequence[ModelDeployment],
    wanted: Revision | Refused,
    rollout: RolloutState,
    tie: Bond | None,
    now: datetime,
) -> GroupStatus | None:
    """The next one; None outside of groups, once nobody depends on what this one has decided."""
    before, group = md.status.group, md.spec.rollout.group
    known = _known(md, others, decisions(md, others), rollout, tie)
    if group is None:
        bound = tie is not None and tie.bound and _open(rollout) is not None
        if before is None or not (bound or known):
            return None
        kept = before.vote if bound else None
        return GroupStatus(name=before.name, release=before.release, vote=kept, decided=known)
    own = _standing(md, wanted, rollout)
    return GroupStatus(
        name=group.name,
        release=group.release,
        standing=own.standing,
        reason=own.reason,
        message=own.message[:1024],
        cause=own.cause,
        vote=_vote(md, others, rollout, tie, own.standing),
        failure=_failure(md, rollout, now),
        decided=known,
    )


def _open(rollout: RolloutState) -> CanaryStatus | None:
    canary = rollout.canary
    return None if canary is None or after_trial(canary) else canary


def _standing(md: ModelDeployment, wanted: Revision | Refused, rollout: RolloutState) -> _Own:
    if _open(rollout) is not None:
        return _on_trial(rollout)
    canary = rollout.canary
    if canary is not None and canary.stage == RETURNING:
        return _Own("TakenBack", canary.reason, canary.message, canary.cause)
    if isinstance(wanted, Refused):
        return _Own("Waiting", wanted.reason, wanted.message)
    last = last_outcome(rollout, wanted.name)
    if wanted.name == rollout.serving:
        # Of a followed model what was taken back is not wanted any more.
        last = rollout.history[0] if rollout.history and md.spec.model.followed else None
        group = md.spec.rollout.group
        if last is None or group is None or not group.release or last.release != group.release:
            return _Own("Serving")
        if last.outcome != "RolledBack":
            return _Own("Serving")
    if last is not None and last.outcome == "RolledBack":
        return _Own("TakenBack", last.reason, last.message, last.cause)
    return _Own("Waiting")


def _on_trial(rollout: RolloutState) -> _Own:
    """As what the trial would do by itself tells."""
    alone = rollout.alone
    if alone is not None and alone.move in (Move.PROMOTE, Move.WATCH):
        return _Own("Ready")
    if alone is not None and alone.move is Move.ROLL_BACK:
        state: Standing = "Replaced" if alone.reason == REPLACED else "Failing"
        return _Own(state, alone.reason, alone.message, alone.cause)
    if alone is not None and alone.move is Move.RESTART:
        # The others wait for its next trial, as for that of another revision.
        return _Own("Replaced", alone.reason, alone.message, "User")
    return _Own("OnTrial")


def _vote(
    md: ModelDeployment,
    others: Sequence[ModelDeployment],
    rollout: RolloutState,
    tie: Bond | None,
    state: Standing,
) -> Vote | None:
    """Given once, and kept for as long as the trial goes on and it is counted."""
    canary, before, group = _open(rollout), trial_of(md), md.spec.rollout.group
    assert group is not None
    if canary is None:
        return None
    same = before is not None and before.start_time == canary.start_time
    if same and tie is not None and tie.bound and md.status.group is not None:
        return md.status.group.vote
    if state != "Ready" or discord(md, others) is not None:
        return None
    to = group.coordinator
    return Vote(coordinator=to, revision=canary.revision, trial=canary.start_time)


def _failure(md: ModelDeployment, rollout: RolloutState, now: datetime) -> Failure | None:
    """That of the last trial, until another one begins or serves."""
    before, canary, told = trial_of(md), rollout.canary, md.status.group
    if canary is not None:
        return None
    if before is None:
        return None if told is None else told.failure
    if rollout.stable is not None and rollout.stable.revision == before.revision:
        return None
    ended = rollout.decision
    if ended is None or ended.move is not Move.ROLL_BACK:
        ended = Decision(Move.ROLL_BACK, "Superseded", "what serves is wanted again", cause="User")
    if ended.reason == WITH_ANOTHER:
        return None
    message, cause = ended.message[:1024], ended.cause
    release = "" if md.spec.rollout.group is None else md.spec.rollout.group.release
    return Failure(
        time=precise(now), release=release, reason=ended.reason, message=message, cause=cause
    )


def _known(
    md: ModelDeployment,
    others: Sequence[ModelDeployment],
    new: Iterable[Decided],
    rollout: RolloutState,
    tie: Bond | None,
) -> tuple[Decided, ...]:
    """The decisions to keep: own ones, new ones, and those that this very plan follows."""
    told, group = md.status.group, md.spec.rollout.group
    found = {d.name: d for d in (told.decided if told is not None else ())}
    copied = tie.beside if tie is not None and tie.decided is not None else ()
    for one in (*copied, *new):
        kept = found.get(one.name)
        if kept is None or kept.trial < one.trial:
            found[one.name] = one
    trials = {m.metadata.name: trial_of(m) for m in others}
    trials[md.metadata.name] = _open(rollout)

    def needed(one: Decided) -> bool:
        trial = trials.get(one.name)
        return trial is not None and trial.start_time == one.trial

    members = set(group.members) if group is not None else set()
    return tuple(one for name, one in sorted(found.items()) if name in members or needed(one))
