"""Whether a revision goes on trial, for the first time or again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import Outcome
from evenkeel.meta.times import seconds_since
from evenkeel.rollout.state import RolloutState, last_outcome

BACK_OFF = (600.0, 1800.0, 3600.0)
"""Seconds after an infrastructure's fault until a followed version is tried again by itself."""


class Trial(NamedTuple):
    """A trial to begin: the how manieth in a row, and whether rollout.retry asks for it."""

    attempt: int = 1
    retry: bool = False


def next_trial(
    state: RolloutState, md: ModelDeployment, revision: str, now: datetime
) -> Trial | float | None:
    """The trial of the wanted revision, seconds until one, or None where none follows by itself."""
    last = last_outcome(state, revision)
    if last is None or last.outcome != "RolledBack" or md.spec.rollout.promote == revision:
        return Trial()
    if md.spec.rollout.retry == revision and not last.retried:
        return Trial(retry=True)
    wait = automatic(last, md, now)
    if wait is None or wait > 0:
        return wait
    return Trial(attempt=last.attempts + 1)


def automatic(last: Outcome, md: ModelDeployment, now: datetime) -> float | None:
    """Seconds until a followed version is tried again by itself; None if it never is."""
    again = last.outcome == "RolledBack" and last.cause == "Infrastructure"
    if md.spec.model.follow is None or not again or last.attempts > len(BACK_OFF):
        return None
    return max(0.0, BACK_OFF[last.attempts - 1] - seconds_since(last.time, now))


def what_follows(last: Outcome, md: ModelDeployment, now: datetime) -> str:
    """What happens next after a rollback, for people."""
    if (wait := automatic(last, md, now)) is not None:
        number, most = last.attempts + 1, len(BACK_OFF) + 1
        minutes = BACK_OFF[last.attempts - 1] / 60
        due = "now" if wait <= 0 else f"{minutes:.0f} min after {last.time}"
        return f"trial {number} of {most} follows {due}, or a newer version"
    if md.spec.rollout.retry == last.revision and last.retried:
        return "rollout.retry is spent; remove it and set it again for one more trial"
    return f"set rollout.retry to {last.revision} to try it once more"


def with_retries_forgotten(state: RolloutState, md: ModelDeployment) -> RolloutState:
    """A spent retry may be asked for again once the field has named something else."""
    asked = md.spec.rollout.retry
    history = tuple(
        o.model_copy(update={"retried": False}) if o.retried and o.revision != asked else o
        for o in state.history
    )
    return replace(state, history=history)
