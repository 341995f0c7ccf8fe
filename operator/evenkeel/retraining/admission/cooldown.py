"""Cooldown: the least time from one run's start to the next's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from evenkeel.retraining.admission.request import Blocked, Request


def blocked(request: Request) -> Blocked | None:
    """Until cooldownSeconds have passed since the newest start."""
    seconds = request.spec.cooldown_seconds
    end = cooldown_end(request.starts.values(), seconds)
    if end is None or request.now >= end:
        return None
    return Blocked("CoolingDown", f"cooldownSeconds is {seconds}", end)


def cooldown_end(starts: Iterable[datetime], seconds: int) -> datetime | None:
    """Until when the newest start holds the next run back; None if nothing was started yet."""
    newest = max(starts, default=None)
    return None if newest is None else newest + timedelta(seconds=seconds)
