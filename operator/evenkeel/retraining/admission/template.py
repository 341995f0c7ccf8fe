"""A template that cannot work starts nothing."""

from __future__ import annotations

from evenkeel.retraining.admission.request import Blocked, Request


def blocked(request: Request) -> Blocked | None:
    """Until a person mends the template."""
    if request.unusable is None:
        return None
    return Blocked("InvalidTemplate", request.unusable, stalled=True)
