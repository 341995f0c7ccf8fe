"""Rules on what a pod of the canary carries, measured before it gets requests."""

from __future__ import annotations

from decimal import Decimal

from evenkeel.rollout.facts import Decision, Facts, Move

_LOWER_BOUNDS = ("Time", "Generator")
"""What ended a search that might have found more."""


def too_slow(facts: Facts) -> Decision | None:
    """It carries less than spec.performance.fastEnough asks for; what cannot be judged fails."""
    canary, profile = facts.canary, facts.profile
    gate = None if profile is None else profile.fast_enough
    figures = canary.performance
    if canary.stage != "Starting" or gate is None or figures is None:
        return None
    asked = f"performance.fastEnough.minRate is {gate.min_rate}"
    if figures.rate is None:
        message = f"{figures.message}; {asked}"
        if figures.reason == "MeasurementUnfinished":
            return Decision(Move.ROLL_BACK, figures.reason, message, cause="Infrastructure")
        return Decision(Move.ROLL_BACK, figures.reason, message)
    if Decimal(figures.rate) >= Decimal(gate.min_rate):
        return None
    message = f"{figures.message}; {asked}"
    if figures.limited_by in _LOWER_BOUNDS:
        reason = "MeasurementUnfinished"
        return Decision(Move.ROLL_BACK, reason, message, cause="Infrastructure")
    return Decision(Move.ROLL_BACK, "TooSlow", message)


def measuring(facts: Facts) -> Decision | None:
    """It gets no requests until it is known what a pod of it carries."""
    if facts.profile is None or facts.canary.performance is not None:
        return None
    return Decision(Move.HOLD, "Measuring", "a pod of the canary is measured under load")
