"""Whether the baseline that the canary is compared with is there."""

from __future__ import annotations

from evenkeel.rollout.facts import Decision, Facts, Move


def not_beside(facts: Facts) -> Decision | None:
    """Nothing is divided, and no time counts, before both are there."""
    baseline = facts.baseline
    if baseline is None or baseline.ready or facts.by_hand:
        return None
    if not baseline.possible:
        why = (
            "the baseline is a copy of the stable revision's Deployment, which is gone; it is made "
            "as soon as that is back; rollout.skip leaves the step without it"
        )
        return Decision(Move.HOLD, "BaselineUnavailable", why)
    told = f"{baseline.pods.ready} of {baseline.wanted} pods of the baseline ready"
    return Decision(Move.HOLD, "BaselineStarting", baseline.pods.explain(told))
