"""Budget: at most so many runs in a sliding window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from evenkeel.api.retrainschedule import Budget
from evenkeel.retraining.admission.request import Blocked, Request, runs


def blocked(request: Request) -> Blocked | None:
    """Until the oldest run that uses the budget up leaves the window."""
    budget = request.spec.budget
    if budget is None:
        return None
    end = budget_end(request.starts.values(), budget, request.now)
    if end is None:
        return None
    message = f"the budget is {budget.runs} {runs(budget.runs)} in {budget.per_seconds} s"
    return Blocked("BudgetExhausted", message, end)


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
