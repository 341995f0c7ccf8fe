"""How a training run stands, read from its Ready condition."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from evenkeel.api.trainingrun import TrainingRun
from evenkeel.policies.clock import parse
from evenkeel.policies.conditions import find
from evenkeel.policies.failure_backoff import Outcome

REPLACED = "Replaced"


def finished(run: TrainingRun) -> bool:
    """Whether the run ended, in whatever way."""
    ready = find(run.status.conditions, "Ready")
    return ready is not None and ready.status != "Unknown"


def succeeded(run: TrainingRun) -> bool:
    """Whether the run ended with a model version."""
    ready = find(run.status.conditions, "Ready")
    return ready is not None and ready.status == "True"


def replaced(run: TrainingRun) -> bool:
    """Whether a newer run stopped this one, which is no failure of the training."""
    ready = find(run.status.conditions, "Ready")
    return ready is not None and ready.reason == REPLACED


def created(run: TrainingRun) -> datetime:
    """When the API server stored the run."""
    return parse(run.metadata.creation_timestamp)


def ended(run: TrainingRun) -> datetime:
    """When the run finished; of an unfinished one, when it was created."""
    ready = find(run.status.conditions, "Ready")
    if run.status.completion_time:
        return parse(run.status.completion_time)
    return parse(ready.last_transition_time) if ready else created(run)


def outcomes(runs: Iterable[TrainingRun]) -> list[Outcome]:
    """How the finished runs ended; replaced ones say nothing about the training."""
    return [
        Outcome(ended(run), succeeded(run)) for run in runs if finished(run) and not replaced(run)
    ]
