"""A schedule that is being deleted starts nothing."""

from __future__ import annotations

from evenkeel.retraining.admission.request import Blocked, Request


def blocked(request: Request) -> Blocked | None:
    """Until the schedule is gone."""
    if request.schedule.metadata.deletion_timestamp is None:
        return None
    return Blocked("Terminating", "the schedule is being deleted", alerts_wait=False)
