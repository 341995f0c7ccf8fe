"""The way back without a trial: to a revision that served until lately."""

from __future__ import annotations

from datetime import datetime

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.times import seconds_since
from evenkeel.rollout.facts import Decision, Facts, Move
from evenkeel.rollout.state import RolloutState, last_outcome

REASON = "RollbackWindow"


def in_window(state: RolloutState, md: ModelDeployment, revision: str, now: datetime) -> bool:
    """Whether the revision served so lately that it needs no trial.

    Not one that was rolled back since, nor one that was itself left by this way: whoever went back
    from it had a cause.
    """
    window = md.spec.rollout.rollback_window
    last = last_outcome(state, revision)
    if window is None or (last is not None and last.outcome == "RolledBack"):
        return False
    passed = [o for o in state.history if o.outcome == "Promoted"]
    for place, promotion in enumerate(passed):
        if promotion.replaced != revision:
            continue
        lately = window.revisions is None or place < window.revisions
        young = window.seconds is None or seconds_since(promotion.time, now) <= window.seconds
        return lately and young and not promotion.in_window
    return False


def taking_over(facts: Facts) -> Decision | None:
    """The end of such a start: its pods are ready."""
    if not facts.canary.in_window:
        return None
    why = "it served lately, within spec.rollout.rollbackWindow, and needs no trial"
    return Decision(Move.PREPARE_PROMOTION, REASON, why)
