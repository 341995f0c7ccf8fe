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
    return _crashed(facts)


def _crashed(facts: Facts) -> Decision:
    message = f"{facts.canary.crashes} times: {facts.canary.last_words}"
    return Decision(Move.ROLL_BACK, "CanaryCrashing", message)


def stable_crashes_alike(facts: Facts) -> bool:
    """Whether stable's rate a pod is comparable, so that something else is to blame."""
    canary = facts.canary
    idle = not facts.stable_existing or canary.stage == "Probation"
    if idle and not canary.stable_crashes:
        return False  # Nothing runs, or gets requests, that could tell.
    own = canary.crashes / max(1, facts.existing)
    return own <= 2 * (canary.stable_crashes + 1) / max(1, facts.stable_existing)


def both_crash(facts: Facts) -> Decision | None:
    """The end of a trial in which stable's model servers crash alike; None where they do not.

    What both do is not the canary's fault, and tells nothing about it.
    """
    canary = facts.canary
    if not canary.crashes or not canary.stable_crashes or not stable_crashes_alike(facts):
        return None
    stable = f"stable's {canary.stable_crashes} times, with {facts.stable_existing} pods"
    message = f"the canary's model server ended {canary.crashes} times, with {facts.existing} pods"
    told = f"{message}, and {stable}: {canary.last_words}"
    return Decision(Move.ROLL_BACK, "BothCrash", told, cause="Infrastructure")


def held_too_long(facts: Facts, pause: float) -> Decision | None:
    """The end of a trial that crashes have held for an hour beyond its stage's own time."""
    if facts.canary.crashes < LEAST_CRASHES:
        return None  # They end by themselves, or become more.
    if facts.counted < max(pause, facts.deadline) + FORGIVEN_AFTER:
        return None
    return both_crash(facts) or _crashed(facts)


def unstable(facts: Facts) -> Decision | None:
    """Needed pods were lost again and again."""
    if facts.canary.losses <= MOST_LOSSES:
        return None
    if (both := both_crash(facts)) is not None:
        return both
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
        if (both := both_crash(facts)) is not None:
            return both
        return Decision(Move.ROLL_BACK, "CanaryUnavailable", told, cause=facts.pods_cause)
    message = facts.explain(f"{pods}; it gets only what they carry")
    return Decision(Move.HOLD, "CanaryUnavailable", message, -late)


def too_late(facts: Facts, message: str) -> Decision:
    """The end of a canary whose pods are not ready in time."""
    late = Decision(Move.ROLL_BACK, facts.late_reason, message, cause=facts.pods_cause)
    return both_crash(facts) or late


def unsteady(facts: Facts, pause: float = 0.0) -> Decision | None:
    """After a loss or a crash the pods have to be ready for the whole pause again, or an hour.

    Crashes that do not cease end the trial, whoever else crashes.
    """
    times = [t for t in (facts.canary.return_time, facts.canary.crash_time) if t is not None]
    if not times:
        return None
    whole = min(max(pause, STEADY_SECONDS), FORGIVEN_AFTER)
    left = whole - min(facts.since(time) for time in times)
    if left <= 0:
        return None
    if (end := held_too_long(facts, pause)) is not None:
        return end
    message = facts.explain(f"pods were lost or crashed; {left:.0f} s of readiness to go")
    return Decision(Move.HOLD, "Unsteady", message, left)
