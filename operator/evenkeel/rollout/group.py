"""Several models promoted together or not at all: the members' votes and the group's decisions.

A trial that has passed gives its vote, and from then on ends as the group's coordinator says. What
that decides stands in its status, in one write, before any member follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from evenkeel.api.group import Group
from evenkeel.api.groupstatus import Decided, Failure
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus, Cause
from evenkeel.meta.refusal import Refused
from evenkeel.rollout.facts import Decision, Facts, Move
from evenkeel.rollout.probation import after_trial, promotion
from evenkeel.rollout.state import RolloutState

WITH_ANOTHER = "GroupMemberFailed"
"""Reason of a rollback for another member's sake."""
AWAITING = "AwaitingGroup"
REPLACED = "Replaced"
_ENDS = (Move.PROMOTE, Move.WATCH)
_NEVER_EARLIER = "9999-12-31T23:59:59.999999Z"


@dataclass(frozen=True, slots=True)
class Bond:
    """What ties a trial to its group, by name.

    bound: whether its vote stands, so that it does not end by itself. awaited: whom its promotion
    waits for, in words. decided: what the group has decided on it, and beside: with it.
    """

    group: str
    bound: bool
    awaited: str
    decided: Decided | None = None
    beside: tuple[Decided, ...] = ()

    @property
    def anew(self) -> Bond:
        """That of a trial that begins now."""
        return Bond(self.group, False, self.awaited)

    @property
    def holds(self) -> bool:
        """Whether the trial may not end for another revision's sake."""
        if self.decided is not None:
            return self.decided.outcome == "Promote"
        return self.bound


def trial_of(md: ModelDeployment) -> CanaryStatus | None:
    """The trial that the group has a say in: not one that was promoted already."""
    canary = md.status.canary
    return None if canary is None or after_trial(canary) else canary


def bond(md: ModelDeployment, others: Sequence[ModelDeployment]) -> Bond | None:
    """The present trial's, or that of one that begins; None where no group has a say in it."""
    canary, group = trial_of(md), md.spec.rollout.group
    if canary is None:
        return None if group is None else Bond(group.name, False, _awaited(md, others))
    bound = _bound(md, canary, others)
    found = _decided(md, canary, others)
    if group is None and not bound and found is None:
        return None
    decided, beside = found or (None, ())
    named = group or md.status.group
    name = "" if named is None else named.name
    return Bond(name, bound, _awaited(md, others), decided, beside)


def in_step(decision: Decision, facts: Facts, tie: Bond | None) -> Decision:
    """The decision as the group lets it happen; a person's wish to promote is past the group."""
    canary = facts.canary
    if tie is None or after_trial(canary):
        return decision
    ends, decided = decision.move in _ENDS, tie.decided
    again = decision.move is Move.RESTART
    if ends and facts.by_hand:
        told = f"{decision.message}; by rollout.promote, past the group {tie.group}"
        return replace(decision, message=told)
    if decided is not None and decided.outcome == "Promote":
        return _promoted(facts, decided)
    if decided is not None and decided.reason == "Superseded" and again:
        return decision
    if decided is not None:
        return Decision(Move.ROLL_BACK, decided.reason, decided.message, cause=decided.cause)
    if ends:
        return Decision(Move.HOLD, AWAITING, tie.awaited)
    if decision.move is Move.ROLL_BACK and tie.bound:
        told = f"goes back as soon as the group has agreed: {decision.reason}: {decision.message}"
        return Decision(Move.HOLD, AWAITING, told)
    if again and tie.bound:
        told = f"begins again as soon as the group has agreed: {decision.message}"
        return Decision(Move.HOLD, AWAITING, told)
    return decision


def _promoted(facts: Facts, decided: Decided) -> Decision:
    """As the group has decided, once its pods can answer all requests: they may be lost since."""
    canary = facts.canary
    if facts.ready < facts.full:
        pods = f"{decided.message}; {facts.ready} of {facts.full} pods are ready"
        return Decision(Move.HOLD, AWAITING, facts.explain(pods))
    return promotion(facts, canary.reason, f"{canary.message}; {decided.message}")


def leaving(tie: Bond | None, state: RolloutState, wanted: str) -> Decision | None:
    """What a trial would do now that another revision is wanted, if it may not do so by itself.

    The others wait for that one's trial; they are taken back if what serves is wanted again.
    """
    if tie is None or not tie.holds:
        return None
    assert state.stable is not None
    reason = "Superseded" if wanted == state.stable.revision else REPLACED
    why = f"revision {wanted} is wanted now"
    return Decision(Move.ROLL_BACK, reason, why, cause="User")


def discord(md: ModelDeployment, others: Sequence[ModelDeployment]) -> Refused | None:
    """Why the members are no group: some are not there, or say something else."""
    group = md.spec.rollout.group
    assert group is not None
    known = {o.metadata.name: o for o in _living(others)}
    rest = [name for name in sorted(group.members) if name != md.metadata.name]
    if absent := [name for name in rest if name not in known]:
        message = f"{_list(absent)} not there: make it, or take it off members everywhere"
        return Refused("MemberMissing", message)
    if apart := [name for name in rest if known[name].spec.rollout.group is None]:
        message = f"{_list(apart)} no member by its own rollout.group: give it the same one"
        return Refused("MemberMissing", message)
    if unlike := [name for name in rest if not _same(group, known[name].spec.rollout.group)]:
        message = f"{_list(unlike)} in a group of another name or other members: write the same"
        return Refused("MembersDiffer", message)
    return None


def decisions(md: ModelDeployment, others: Sequence[ModelDeployment]) -> tuple[Decided, ...]:
    """What the coordinator decides now, from what all members' statuses say; else nothing.

    It rests on votes alone, which bind, and on failures, which are final: what is read late here
    has not become wrong meanwhile.
    """
    group = md.spec.rollout.group
    if group is None or group.coordinator != md.metadata.name:
        return ()
    known = {m.metadata.name: m for m in _living((md, *others))}
    open_ = {
        name: trial
        for name, member in known.items()
        if (trial := trial_of(member)) is not None
        and _decided(member, trial, (md, *others)) is None
        and (name in group.members or _voted_for(member, trial, md.metadata.name))
    }
    back = tuple(_taken_back(known, open_))
    if back or discord(md, others) is not None:
        return back
    members = [known[name] for name in group.members]
    ready = {m.metadata.name: t for m in members if (t := open_.get(m.metadata.name)) is not None}
    if not ready or any(_lacks(m, group) for m in members):
        return ()
    if not all(_voted_for(known[name], t, md.metadata.name) for name, t in ready.items()):
        return ()
    told = f"promoted with the group {group.name}: {', '.join(sorted(ready))}"
    return tuple(_entry(name, t, "Promote", message=told) for name, t in sorted(ready.items()))


def _taken_back(
    known: dict[str, ModelDeployment], open_: dict[str, CanaryStatus]
) -> Iterator[Decided]:
    """The trials that end with that of a member: those that went on when it failed."""
    failures = {name: f for name, m in known.items() if (f := _failure(m, open_.get(name)))}
    for name, trial in sorted(open_.items()):
        own = known[name].status.group
        if (
            own is not None
            and own.standing in ("Failing", "Replaced")
            and _voted(known[name], trial)
        ):
            reason = "Superseded" if own.standing == "Replaced" else own.reason
            yield _entry(name, trial, "RollBack", reason, own.message, own.cause or "Model")
            continue
        release = _release(known[name])
        for who, failed in failures.items():
            if failed.release == release and failed.time >= trial.start_time:
                told = f"{who}: {failed.reason}: {failed.message}"
                yield _entry(name, trial, "RollBack", WITH_ANOTHER, told, failed.cause)
                break


def _failure(member: ModelDeployment, trial: CanaryStatus | None) -> Failure | None:
    """The one that others are taken back for; of a trial that is failing now it is yet to come."""
    told = member.status.group
    if told is None or trial is None or told.standing != "Failing":
        return None if told is None else told.failure
    message, cause = told.message, told.cause or "Model"
    return Failure(
        time=_NEVER_EARLIER, release=told.release, reason=told.reason, message=message, cause=cause
    )


def _release(member: ModelDeployment) -> str:
    group = member.spec.rollout.group or member.status.group
    return "" if group is None else group.release


def _entry(
    name: str,
    trial: CanaryStatus,
    end: str,
    reason: str = "",
    message: str = "",
    cause: Cause = "Model",
) -> Decided:
    return Decided.model_validate(
        {
            "name": name,
            "revision": trial.revision,
            "trial": trial.start_time,
            "outcome": end,
            "reason": reason,
            "message": message[:2048],
            "cause": cause,
        }
    )


def _awaited(md: ModelDeployment, others: Sequence[ModelDeployment]) -> str:
    """Whom a promotion waits for, in words."""
    group = md.spec.rollout.group
    if group is None:
        return "its vote is with a group that still names it: take it off the others' members"
    told = f"the group {group.name} waits: "
    if (problem := discord(md, others)) is not None:
        return told + problem.message
    known = {o.metadata.name: o for o in others}
    rest = [known[name] for name in sorted(group.members) if name != md.metadata.name]
    lacking = [f"{m.metadata.name} {lack}" for m in rest if (lack := _lacks(m, group))]
    return told + ("; ".join(lacking) or f"{group.coordinator} decides")


def _lacks(member: ModelDeployment, group: Group) -> str:
    """What keeps the group from being promoted in a member, in words; empty if nothing does."""
    own, told = member.spec.rollout.group, member.status.group
    assert own is not None
    if own.release != group.release:
        return f"shows release {own.release!r}, not {group.release!r}"
    seen = member.status.observed_generation == member.metadata.generation
    if told is None or not seen or (told.name, told.release) != (own.name, own.release):
        return "has yet to be looked at"
    why = f": {told.reason}: {told.message}" if told.reason else ""
    match told.standing:
        case "Serving" | "Ready":
            return ""
        case "TakenBack":
            return f"was taken back; set its rollout.retry or give the group another release{why}"
        case "OnTrial":
            return "is on trial"
        case "Waiting":
            return f"has no revision to try{why}"
        case _:
            return f"is about to end its trial{why}"


def _bound(md: ModelDeployment, canary: CanaryStatus, others: Sequence[ModelDeployment]) -> bool:
    """Whether its vote stands: whom it was given to is there and still counts it."""
    if not _voted(md, canary):
        return False
    assert md.status.group is not None
    assert md.status.group.vote is not None
    to = md.status.group.vote.coordinator
    found = next((m for m in _living((md, *others)) if m.metadata.name == to), None)
    group = None if found is None else found.spec.rollout.group
    return group is not None and group.coordinator == to and md.metadata.name in group.members


def _voted(md: ModelDeployment, canary: CanaryStatus) -> bool:
    told = md.status.group
    vote = None if told is None else told.vote
    return vote is not None and (vote.revision, vote.trial) == (canary.revision, canary.start_time)


def _voted_for(md: ModelDeployment, canary: CanaryStatus, coordinator: str) -> bool:
    vote = None if md.status.group is None else md.status.group.vote
    return vote is not None and _voted(md, canary) and vote.coordinator == coordinator


def _decided(
    md: ModelDeployment, canary: CanaryStatus, others: Sequence[ModelDeployment]
) -> tuple[Decided, tuple[Decided, ...]] | None:
    """What was decided on the trial, and with it, whoever's status tells so."""
    for told in (m.status.group for m in (md, *others)):
        for one in told.decided if told is not None else ():
            trial = (one.name, one.revision, one.trial)
            if trial == (md.metadata.name, canary.revision, canary.start_time):
                return one, told.decided if told is not None else ()
    return None


def _same(one: Group, other: Group | None) -> bool:
    mine, its = one.name, set(one.members)
    return other is not None and (mine, its) == (other.name, set(other.members))


def _living(members: Sequence[ModelDeployment]) -> list[ModelDeployment]:
    """Those that are not being deleted: they decide nothing any more."""
    return [m for m in members if m.metadata.deletion_timestamp is None]


def _list(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
