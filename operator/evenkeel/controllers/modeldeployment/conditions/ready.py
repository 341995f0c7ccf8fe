"""Ready, with Reconciling or Stalled beside it: a chain of which the first link that applies wins.

Unknown while something progresses, False only for what a person must mend.
"""

from __future__ import annotations

from collections.abc import Callable

from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation, readiness
from evenkeel.meta.refusal import Refused
from evenkeel.rollout.exposure import shown
from evenkeel.rollout.probation import taken_over
from evenkeel.rollout.trials import what_follows
from evenkeel.traffic import strategy_of

Link = Callable[[Situation], tuple[Observation, ...]]

WAITING = (
    "NoApprovedVersion",
    "AwaitingApproval",
    "AwaitingRegistry",
    "SourceUnavailable",
    "AliasNotFound",
)
"""Refusals that end by themselves, once a version is approved or a registry answers."""


def ready(situation: Situation) -> tuple[Observation, ...]:
    """Whether the wanted revision serves with all its pods."""
    for link in CHAIN:
        if found := link(situation):
            return found
    serving, number = situation.rollout.serving, situation.pods.ready
    assert serving, "without a revision the model is refused"
    verb = "pod serves" if number == 1 else "pods serve"
    return readiness("True", "Serving", f"{number} {verb} revision {serving}")


def refused(situation: Situation) -> tuple[Observation, ...]:
    """The wanted revision cannot be had."""
    wanted = situation.wanted
    if not isinstance(wanted, Refused):
        return ()
    if wanted.reason in WAITING:
        return readiness("Unknown", wanted.reason, wanted.message)
    return readiness("False", wanted.reason, wanted.message, stalled=True)


def name_taken(situation: Situation) -> tuple[Observation, ...]:
    """An object of another has the name of a child."""
    unnamed = situation.unnamed
    if unnamed is None:
        return ()
    if unnamed.reason == "AwaitingGarbageCollection":
        return readiness("Unknown", unnamed.reason, unnamed.message)
    return readiness("False", unnamed.reason, unnamed.message, stalled=True)


def in_rollout(situation: Situation) -> tuple[Observation, ...]:
    """A revision is on trial; whom no request reaches, it reaches neither."""
    canary = situation.rollout.canary
    if canary is None or taken_over(canary):
        return ()
    if unreached := not_routed(situation):
        return unreached
    where = f"{canary.revision}, {canary.stage} {shown(canary)}: {situation.finding}"
    return readiness("Unknown", "RolloutInProgress", where)


def rolled_back(situation: Situation) -> tuple[Observation, ...]:
    """The wanted revision was tried and taken back; of a followed model the next one may pass."""
    stable, wanted = situation.rollout.stable, situation.wanted
    assert stable is not None
    assert not isinstance(wanted, Refused)
    if situation.rollout.serving == wanted.name or situation.md.spec.model.followed:
        return ()
    last = next(o for o in situation.rollout.history if o.revision == wanted.name)
    next_ = what_follows(last, situation.md, situation.now)
    message = f"{last.revision}: {last.reason}: {last.message}; {next_}"
    return readiness("False", "RolledBack", message, stalled=True)


def pods_not_ready(situation: Situation) -> tuple[Observation, ...]:
    """Pods are missing or not ready."""
    pods = situation.pods
    if pods.ready >= pods.wanted > 0:
        return ()
    if situation.scaled_to_zero:
        return readiness("True", "ScaledToZero", "spec.replicas is 0")
    if pods.stuck:
        message = pods.explain(pods.stuck)
        return readiness("False", "ProgressDeadlineExceeded", message, stalled=True)
    count = f"{pods.ready} of {pods.wanted} pods are ready"
    return readiness("Unknown", "PodsStarting", pods.explain(count))


def not_routed(situation: Situation) -> tuple[Observation, ...]:
    """Requests do not arrive."""
    strategy = strategy_of(situation.md.spec.traffic)
    told = (c.diagnosis for c in situation.children if strategy.keeps(c.ref.kind, c.revision))
    if diagnosis := next(filter(None, told), ""):
        return readiness("Unknown", "RouteNotAccepted", diagnosis)
    return ()


CHAIN: tuple[Link, ...] = (
    refused,
    name_taken,
    in_rollout,
    rolled_back,
    pods_not_ready,
    not_routed,
)
