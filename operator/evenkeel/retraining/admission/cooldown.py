"""Cooldown: the least time from one run's start to the next's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta


def cooldown_end(starts: Iterable[datetime], seconds: int) -> datetime | None:
    """Until when the newest start holds the next run back; None if nothing was started yet."""
    newest = max(starts, default=None)
    return None if newest is None else newest + timedelta(seconds=seconds)
