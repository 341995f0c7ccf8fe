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

REPLACED = "Replaced"


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


def created(run: TrainingRun) -> datetime:
    """When the API server stored the run."""
    return parse(run.metadata.creation_timestamp)


def ended(run: TrainingRun) -> datetime:
    """When the run finished; of an unfinished one, when it was created."""
    return parse(run.status.completion_time) if run.status.completion_time else created(run)


def outcomes(runs: Iterable[TrainingRun]) -> list[Outcome]:
    """How the finished runs ended; replaced ones say nothing about the training."""
    return [
        Outcome(ended(run), succeeded(run)) for run in runs if finished(run) and not replaced(run)
    ]
