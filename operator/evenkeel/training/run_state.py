"""How a training run stands, read from its Succeeded condition.

Ready may meanwhile tell of something else, such as a write that the API server refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.conditions import Condition, find, is_true
from evenkeel.meta.times import parse
from evenkeel.training.restored import created

REPLACED = "Replaced"
RESTORED = "Restored"


class Outcome(NamedTuple):
    """How and when a run ended."""

    ended: datetime
    succeeded: bool


def result(run: TrainingRun) -> Condition | None:
    """The Succeeded condition once the run has ended."""
    found = find(run.status.conditions, "Succeeded")
    return None if found is None or found.status == "Unknown" else found


def finished(run: TrainingRun) -> bool:
    """Whether the run ended, in whatever way."""
    return result(run) is not None


def succeeded(run: TrainingRun) -> bool:
    """Whether the run ended with a model version."""
    return is_true(run.status.conditions, "Succeeded")


def replaced(run: TrainingRun) -> bool:
    """Whether a newer run stopped this one, which is no failure of the training."""
    found = result(run)
    return found is not None and found.reason == REPLACED


def inconclusive(run: TrainingRun) -> bool:
    """Whether the run's end says nothing about the training."""
    found = result(run)
    return found is not None and found.reason in (REPLACED, RESTORED)


def failed(run: TrainingRun) -> bool:
    """Whether the run ended without one, by a failure of the training."""
    return finished(run) and not succeeded(run) and not inconclusive(run)


def ended(run: TrainingRun) -> datetime:
    """When the run finished; of an unfinished one, when it was created."""
    return parse(run.status.completion_time) if run.status.completion_time else created(run)


def outcomes(runs: Iterable[TrainingRun]) -> list[Outcome]:
    """How the finished runs ended, of which that says something."""
    return [
        Outcome(ended(run), succeeded(run))
        for run in runs
        if finished(run) and not inconclusive(run)
    ]
