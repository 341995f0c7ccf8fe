"""What a new cause does while a run is active: Forbid, Queue or Replace."""

from __future__ import annotations

from evenkeel.api.retrainschedule import ConcurrencyPolicy
from evenkeel.retraining.admission.request import Blocked, Request

ACTIVE = "Active"


def blocked(request: Request) -> Blocked | None:
    """Until the active run has ended, unless the policy replaces it."""
    if not waits(request.spec.concurrency_policy, bool(request.active)):
        return None
    return Blocked(ACTIVE, f"TrainingRun {', '.join(request.active[:3])} is active")


def waits(policy: ConcurrencyPolicy, active: bool) -> bool:
    """Whether an active run holds the next one back."""
    return active and policy != "Replace"
