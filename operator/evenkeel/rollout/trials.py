"""Whether a revision goes on trial, for the first time or again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import Outcome, Wish
from evenkeel.meta.times import seconds_since
from evenkeel.rollout.group import WITH_ANOTHER
from evenkeel.rollout.state import RolloutState, last_outcome

BACK_OFF = (600.0, 1800.0, 3600.0)
"""Seconds after an infrastructure's fault until a followed version is tried again by itself."""

WISHES: tuple[Wish, ...] = ("Promote", "Retry")


class Trial(NamedTuple):
    """A trial to begin: the how manieth in a row, and the wish that asks for it, if one does."""

    attempt: int = 1
    wish: Wish | None = None


def next_trial(
    state: RolloutState, md: ModelDeployment, revision: str, now: datetime
) -> Trial | float | None:
    """The trial of the wanted revision, seconds until one, or None where none follows by itself."""
    last = last_outcome(state, revision)
    if last is not None and released_anew(last, md):
        last = None
    asked = tuple(wish for wish in WISHES if in_force(wish, md, state, revision))
    if last is None or last.outcome != "RolledBack":
        return Trial(wish="Promote" if "Promote" in asked else None)
    if asked:
        return Trial(wish=asked[0])
    wait = automatic(last, md, now)
    if wait is None or wait > 0:
        return wait
    return Trial(attempt=last.attempts + 1)


def released_anew(last: Outcome, md: ModelDeployment) -> bool:
    """Whether it was taken back for another member's sake, and its group shows a new release."""
    group = md.spec.rollout.group
    if last.reason != WITH_ANOTHER or group is None:
        return False
    return group.release not in ("", last.release)


def in_force(wish: Wish, md: ModelDeployment, state: RolloutState, revision: str) -> bool:
    """Whether the wish names the revision and has not had its trial yet."""
    last = last_outcome(state, revision)
    return named(wish, md) == revision and (last is None or wish not in last.spent)


def named(wish: Wish, md: ModelDeployment) -> str | None:
    """The revision that the wish is for."""
    rollout = md.spec.rollout
    return {"Promote": rollout.promote, "Retry": rollout.retry}[wish]


def automatic(last: Outcome, md: ModelDeployment, now: datetime) -> float | None:
    """Seconds until a followed version is tried again by itself; None if it never is."""
    again = last.outcome == "RolledBack" and last.cause == "Infrastructure"
    if not md.spec.model.followed or not again or last.attempts > len(BACK_OFF):
        return None
    return max(0.0, BACK_OFF[last.attempts - 1] - seconds_since(last.time, now))


def what_follows(last: Outcome, md: ModelDeployment, now: datetime) -> str:
    """What happens next after a rollback, for people."""
    if (wait := automatic(last, md, now)) is not None:
        number, most = last.attempts + 1, len(BACK_OFF) + 1
        minutes = BACK_OFF[last.attempts - 1] / 60
        due = "now" if wait <= 0 else f"{minutes:.0f} min after {last.time}"
        return f"trial {number} of {most} follows {due}, or a newer version"
    spent = [w for w in last.spent if named(w, md) == last.revision]
    if spent:
        fields = " and ".join(f"rollout.{wish.lower()}" for wish in spent)
        verb = "is" if len(spent) == 1 else "are"
        return f"{fields} {verb} spent; remove it and set it again for one more trial"
    again = f"set rollout.retry to {last.revision} to try it once more"
    if last.reason == WITH_ANOTHER and md.spec.rollout.group is not None:
        return f"{again}, or rollout.group.release of all members to another one"
    return again


def with_wishes_renewed(state: RolloutState, md: ModelDeployment) -> RolloutState:
    """A spent wish may be said again once its field has named something else."""
    return replace(state, history=tuple(_renewed(o, md) for o in state.history))


def _renewed(outcome: Outcome, md: ModelDeployment) -> Outcome:
    kept = tuple(w for w in outcome.spent if named(w, md) == outcome.revision)
    return outcome if kept == outcome.spent else outcome.model_copy(update={"spent": kept})
