"""A schedule that was restored waits for its runs, by which failures are counted."""

from __future__ import annotations

from evenkeel.retraining.admission.request import Blocked, Request


def blocked(request: Request) -> Blocked | None:
    """Until its last run is back, or ten minutes have passed."""
    until = request.restored_until
    if until is None or request.now >= until:
        return None
    return Blocked(
        "Restoring", "the schedule was restored, and its last run is not there yet", until
    )
