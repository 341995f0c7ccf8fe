"""A suspended schedule starts nothing; alerts are counted and dropped."""

from __future__ import annotations

from evenkeel.retraining.admission.request import Blocked, Request

SUSPENDED = "Suspended"


def blocked(request: Request) -> Blocked | None:
    """Until spec.suspend is false."""
    if not request.spec.suspend:
        return None
    return Blocked(SUSPENDED, "spec.suspend is true: no new runs", alerts_wait=False)
