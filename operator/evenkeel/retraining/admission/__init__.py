"""What holds the next run of a schedule back, if anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from evenkeel.api.retrainschedule import RetrainScheduleSpec
from evenkeel.meta.times import timestamp
from evenkeel.retraining.admission.budget import budget_end
from evenkeel.retraining.admission.concurrency import waits
from evenkeel.retraining.admission.cooldown import cooldown_end
from evenkeel.retraining.admission.failure_backoff import Failures, circuit_open, retry_at


class Hold(NamedTuple):
    """A CamelCase reason, its message, and when it ends by itself (None: by a change only)."""

    reason: str
    message: str
    until: datetime | None = None


def hold(
    spec: RetrainScheduleSpec,
    *,
    starts: Mapping[str, datetime],
    active: Sequence[str],
    failures: Failures,
    now: datetime,
) -> Hold | None:
    """The first thing that holds the next run back.

    `starts`: when the known runs were created, by name. `active`: names of the unfinished runs.
    """
    if spec.suspend:
        return Hold("Suspended", "spec.suspend is true: no new runs")
    retry = retry_at(failures, spec.failure_policy)
    if retry is not None and now < retry:
        if circuit_open(failures, spec.failure_policy, now):
            return Hold(
                "CircuitOpen",
                f"{failures.number} runs failed in a row; one run is tried not before "
                f"{timestamp(retry)}; mend the cause, then delete the failed TrainingRuns to "
                "close the circuit at once",
                retry,
            )
        return Hold("BackingOff", f"after {failures.number} failed {_runs(failures.number)}", retry)
    end = cooldown_end(starts.values(), spec.cooldown_seconds)
    if end is not None and now < end:
        return Hold("CoolingDown", f"cooldownSeconds is {spec.cooldown_seconds}", end)
    if spec.budget is not None:
        end = budget_end(starts.values(), spec.budget, now)
        if end is not None:
            return Hold(
                "BudgetExhausted",
                f"the budget is {spec.budget.runs} {_runs(spec.budget.runs)} in "
                f"{spec.budget.per_seconds} s",
                end,
            )
    if waits(spec.concurrency_policy, bool(active)):
        return Hold("Active", f"TrainingRun {', '.join(active[:3])} is active")
    return None


def _runs(number: int) -> str:
    return "run" if number == 1 else "runs"
