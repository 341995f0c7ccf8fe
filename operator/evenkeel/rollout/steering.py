"""Whether promote, abort and retry name a revision that they can do something to."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.api.modeldeploymentstatus import Outcome
from evenkeel.api.rollout import Rollout
from evenkeel.rollout.state import RolloutState, last_outcome


def misdirected(rollout: Rollout, state: RolloutState) -> str:
    """What is wrong with the names, cause before remedy; empty if nothing is.

    A wish that has come true stays right, since the field stays in a repository's manifest.
    """
    return "; ".join(_problems(rollout, state))


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


def _came_true(field: str, last: Outcome) -> bool:
    """Of a revision that is neither on trial nor serves; were it wanted, it would be on trial."""
    ends = {"promote": "Promoted", "abort": "RolledBack"}
    return last.outcome == ends.get(field) or _spent(field, last)


def _spent(field: str, last: Outcome | None) -> bool:
    return last is not None and field.title() in last.spent
