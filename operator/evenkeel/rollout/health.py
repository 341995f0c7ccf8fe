"""Rules on the canary's pods: crashes, repeated losses, missing capacity."""

from __future__ import annotations

from evenkeel.rollout.clocks import FORGIVEN_AFTER
from evenkeel.rollout.facts import Decision, Facts, Move

MOST_LOSSES = 3
"""Losses of needed pods that a trial survives."""
LEAST_CRASHES = 3
"""Crashes from which on they are held against the canary; while it starts, of each pod: what it
needs may not be there yet."""
STEADY_SECONDS = 60.0
"""Readiness after a loss or crash before anything goes on, at least: who flaps is not steady."""


def crashing(facts: Facts) -> Decision | None:
    """The canary's model server ends by its own fault far oftener than stable's."""
    canary = facts.canary
    coming_up = canary.stage == "Starting" and not canary.stop_first
    pods = max(1, facts.existing) if coming_up else 1
    if canary.crashes < LEAST_CRASHES * pods or stable_crashes_alike(facts):
        return None
    message = f"{canary.crashes} times: {canary.last_words}"
    return Decision(Move.ROLL_BACK, "CanaryCrashing", message)


def stable_crashes_alike(facts: Facts) -> bool:
    """Whether stable's rate a pod is comparable, so that something else is to blame."""
    canary = facts.canary
    if not facts.stable_existing and not canary.stable_crashes:
        return False  # Nothing runs that could tell.
    own = canary.crashes / max(1, facts.existing)
    return own <= 2 * (canary.stable_crashes + 1) / max(1, facts.stable_existing)


def unstable(facts: Facts) -> Decision | None:
    """Needed pods were lost again and again."""
    if facts.canary.losses <= MOST_LOSSES:
        return None
    message = f"needed pods were lost {facts.canary.losses} times"
    words = facts.canary.last_words or facts.diagnosis
    return Decision(Move.ROLL_BACK, "CanaryUnstable", f"{message}: {words}" if words else message)


def short(facts: Facts) -> Decision | None:
    """Needed pods are missing: the weight has fallen to what the ready ones carry."""
    canary, deadline = facts.canary, facts.deadline
    if facts.ready >= facts.needed or canary.short_since is None:
        return None
    late = canary.lost_milliseconds / 1000 + facts.since(canary.short_since) - deadline
    pods = f"{facts.ready} of {facts.needed} needed pods are ready"
    if late >= 0:
        told = facts.explain(f"{pods}, for {deadline} s in all")
        return Decision(Move.ROLL_BACK, "CanaryUnavailable", told, cause=facts.pods_cause)
    message = facts.explain(f"{pods}; it gets only what they carry")
    return Decision(Move.HOLD, "CanaryUnavailable", message, -late)


def unsteady(facts: Facts, pause: float = 0.0) -> Decision | None:
    """After a loss or a crash the pods have to be ready for the whole pause again, or an hour."""
    times = [t for t in (facts.canary.return_time, facts.canary.crash_time) if t is not None]
    if not times:
        return None
    whole = min(max(pause, STEADY_SECONDS), FORGIVEN_AFTER)
    left = whole - min(facts.since(time) for time in times)
    if left <= 0:
        return None
    message = facts.explain(f"pods were lost or crashed; {left:.0f} s of readiness to go")
    return Decision(Move.HOLD, "Unsteady", message, left)
