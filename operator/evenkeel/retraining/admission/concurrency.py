"""What a new cause does while a run is active: Forbid, Queue or Replace."""

from __future__ import annotations

from evenkeel.api.retrainschedule import ConcurrencyPolicy
from evenkeel.retraining.admission.request import Blocked, Request

ACTIVE = "Active"


def blocked(request: Request) -> Blocked | None:
    """Until the active run has ended, unless the policy replaces it.

    A run for a revision of a source gives way to a newer one of the same source alone: whatever
    else came would stop it, and nobody would train on what it was for.
    """
    active = f"TrainingRun {', '.join(request.active[:3])} is active"
    if waits(request.spec.concurrency_policy, bool(request.active)):
        return Blocked(ACTIVE, active)
    if not request.revisions:
        return None
    of = ", ".join(request.revisions[:3])
    only = request.revisions[0] if len(request.revisions) == 1 else ""
    message = f"{active} for a revision of trigger {of}, which only a newer one of it may replace"
    return Blocked(ACTIVE, message, but_for=only)


def waits(policy: ConcurrencyPolicy, active: bool) -> bool:
    """Whether an active run holds the next one back."""
    return active and policy != "Replace"
