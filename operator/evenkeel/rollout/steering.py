"""Whether promote, abort, retry, approve, skip and restart name what they can do something to."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.api.modeldeploymentstatus import Outcome
from evenkeel.api.rollout import Rollout
from evenkeel.rollout.probation import after_trial
from evenkeel.rollout.state import RolloutState, last_outcome
from evenkeel.rollout.words import WORDS, is_stale


def misdirected(rollout: Rollout, state: RolloutState) -> str:
    """What is wrong with the names, cause before remedy; empty if nothing is.

    A wish that has come true stays right, since the field stays in a repository's manifest.
    """
    return "; ".join((*_problems(rollout, state), *_of_steps(rollout, state)))


def _problems(rollout: Rollout, state: RolloutState) -> Iterator[str]:
    canary, stable = state.canary, state.stable
    trial = canary.revision if canary is not None else ""
    serves = stable.revision if stable is not None else ""
    for field in ("promote", "abort", "retry"):
        named = getattr(rollout, field)
        if named is None or named == trial:
            continue
        last = last_outcome(state, named)
        allowed = f"{trial} is on trial" if trial else "no revision is on trial"
        if named == serves:
            if field != "promote" and not _spent(field, last):
                yield f"rollout.{field} names {named}, which serves already; {allowed}"
            continue
        if last is None:
            yield f"rollout.{field} names {named}, which is not known; {allowed}"
        elif last.outcome != "RolledBack" and field == "retry" and not _spent(field, last):
            yield f"rollout.retry names {named}, which was not rolled back; {allowed}"
        elif not _came_true(field, last):
            yield f"rollout.{field} names {named}, which is not wanted any more; {allowed}"


def _of_steps(rollout: Rollout, state: RolloutState) -> Iterator[str]:
    """Of approve, skip and restart, which hold for one trial; a former trial's are let be."""
    canary = state.canary
    trial = canary.revision if canary is not None and not after_trial(canary) else ""
    allowed = f"{trial} is on trial" if trial else "no revision is on trial"
    serves = state.stable.revision if state.stable is not None else ""
    for field in ("approve", "skip", "restart"):
        named = getattr(rollout, field)
        if named is None:
            continue
        if named.revision != trial:
            past = last_outcome(state, named.revision) or named.revision in (serves, state.serving)
            if not past:
                yield f"rollout.{field} names {named.revision}, which is not known; {allowed}"
    if canary is None or not trial:
        return
    for word in WORDS:
        named = getattr(rollout, word)
        if named is None or named.revision != trial:
            continue
        steps = rollout.steps
        if named.step > len(steps):
            yield f"rollout.{word} names step {named.step}, and there are {len(steps)}"
        elif is_stale(word, rollout, canary):
            yield (
                f"rollout.{word} of step {named.step} was there before this trial began, and is "
                "said of none: remove it, and set it again"
            )
        elif word == "approve" and not steps[named.step - 1].approval:
            yield f"rollout.approve names step {named.step}, which waits for no approval"


def _came_true(field: str, last: Outcome) -> bool:
    """Of a revision that is neither on trial nor serves; were it wanted, it would be on trial."""
    ends = {"promote": "Promoted", "abort": "RolledBack"}
    return last.outcome == ends.get(field) or _spent(field, last)


def _spent(field: str, last: Outcome | None) -> bool:
    return last is not None and field.title() in last.spent
