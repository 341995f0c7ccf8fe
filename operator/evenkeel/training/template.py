"""What in a training template would keep its engine from working, found before anything is made."""

from __future__ import annotations

import re

from evenkeel.api.common import TrainingTemplate
from evenkeel.training import engines
from evenkeel.training.environment import RESERVED
from evenkeel.training.results import SOURCES, source_of

_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


def problem(training: TrainingTemplate) -> str | None:
    """The first fault with its remedy, or None. The API server checks the engine's object later."""
    engine = engines.engine_of(training)
    if engine is None:
        return f"training needs exactly one of {', '.join(e.path for e in engines.ENGINES)}"
    if training.data and engine.with_data is None:
        return (
            f"training.data goes with podTemplate; bring the data of {engine.path} by its own means"
        )
    return engine.problem(training) or _result_problem(training) or _parameter_problem(training)


def _result_problem(training: TrainingTemplate) -> str | None:
    if training.result_from is None or source_of(training) is not None:
        return None
    return f"training.resultFrom needs exactly one of {', '.join(s.field for s in SOURCES)}"


def _parameter_problem(training: TrainingTemplate) -> str | None:
    source = source_of(training)
    given = source.variables if source is not None else ()
    for name in training.parameters:
        if not _ENV_NAME.fullmatch(name):
            return (
                f"training.parameters: {name!r} cannot be an environment variable: its name needs "
                "letters, digits, hyphens, dots and underscores, no digit first"
            )
        if name.startswith(RESERVED):
            return f"training.parameters: {name!r} begins with {RESERVED}, which is reserved"
        if name in given:
            return (
                f"training.parameters: {name!r} is what training.resultFrom gives the trainer, so "
                "that its report is found; leave it out"
            )
    return None
