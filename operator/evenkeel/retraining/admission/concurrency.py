"""What a new cause does while a run is active: Forbid, Queue or Replace."""

from __future__ import annotations

from datetime import datetime

from evenkeel.api.retrainschedule import ConcurrencyPolicy
from evenkeel.meta.times import parse
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


def answered_by(starts_at: str, run_created: datetime) -> bool:
    """Whether a run that is still active already answers an alert that began at `starts_at`.

    It does if the alert began before the run: the training then saw what the alert is about. So
    Alertmanager's repeats and retries neither queue another run nor replace the active one. A time
    that cannot be read counts as answered, for the same reason.
    """
    try:
        return parse(starts_at) <= run_created
    except ValueError:
        return True
