"""Whether the next run of a schedule may start: one rule a file, asked in order."""

from __future__ import annotations

from collections.abc import Callable

from evenkeel.retraining.admission import (
    budget,
    concurrency,
    cooldown,
    failure_backoff,
    restoration,
    suspension,
    template,
    termination,
)
from evenkeel.retraining.admission.request import Blocked, Failures, Request

RULES: tuple[Callable[[Request], Blocked | None], ...] = (
    termination.blocked,
    template.blocked,
    suspension.blocked,
    restoration.blocked,
    failure_backoff.blocked,
    cooldown.blocked,
    budget.blocked,
    concurrency.blocked,
)

__all__ = ["RULES", "Blocked", "Failures", "Request", "first_block"]


def first_block(request: Request) -> Blocked | None:
    """The first thing that holds the next run back; None if it may start."""
    return next((found for rule in RULES if (found := rule(request)) is not None), None)
