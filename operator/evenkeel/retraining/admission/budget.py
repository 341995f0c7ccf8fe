"""Budget: at most so many runs in a sliding window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from evenkeel.api.retrainschedule import Budget


def within_window(
    starts: Mapping[str, datetime], budget: Budget, now: datetime
) -> dict[str, datetime]:
    """The runs that use the budget up, oldest first; no more than the budget's number."""
    opened = now - timedelta(seconds=budget.per_seconds)
    recent = sorted((time, name) for name, time in starts.items() if time > opened)
    return {name: time for time, name in recent[-budget.runs :]}


def budget_end(starts: Iterable[datetime], budget: Budget, now: datetime) -> datetime | None:
    """When the budget has room again; None if it has room now."""
    window = timedelta(seconds=budget.per_seconds)
    recent = sorted(time for time in starts if time > now - window)
    if len(recent) < budget.runs:
        return None
    return recent[-budget.runs] + window
