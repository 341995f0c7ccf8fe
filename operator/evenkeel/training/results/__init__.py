"""Where reports are read that are no termination message: one place a file, and their table."""

from __future__ import annotations

from evenkeel.api.common import TrainingTemplate
from evenkeel.training.results.kind import ResultSource
from evenkeel.training.results.mlflow import MLFLOW
from evenkeel.training.results.object import OBJECT

SOURCES: tuple[ResultSource, ...] = (OBJECT, MLFLOW)
"""Every one; `evenkeel.api.resultfrom.ResultFrom` has a field for each."""


def source_of(training: TrainingTemplate) -> ResultSource | None:
    """The place that the template selects; None: the termination message."""
    if training.result_from is None:
        return None
    given = (s for s in SOURCES if getattr(training.result_from, s.field, None) is not None)
    return next(given, None)
