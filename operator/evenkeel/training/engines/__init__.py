"""The training engines, one a file, and the table from which all that concerns each one follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenkeel.api.common import TrainingTemplate
from evenkeel.meta.resources import Watch, distinct
from evenkeel.training.engine import Engine
from evenkeel.training.engines.job import JOB_ENGINE
from evenkeel.training.engines.pipelinerun import PIPELINE_RUN_ENGINE
from evenkeel.training.engines.rayjob import RAY_JOB_ENGINE
from evenkeel.training.engines.trainjob import TRAIN_JOB_ENGINE
from evenkeel.training.engines.workflow import WORKFLOW_ENGINE

ENGINES: tuple[Engine, ...] = (
    JOB_ENGINE,
    TRAIN_JOB_ENGINE,
    WORKFLOW_ENGINE,
    RAY_JOB_ENGINE,
    PIPELINE_RUN_ENGINE,
)


def engine_of(training: TrainingTemplate) -> Engine | None:
    """The engine that the template selects; None unless it has the field of exactly one."""
    chosen = [e for e in ENGINES if getattr(training, e.field, None) is not None]
    return chosen[0] if len(chosen) == 1 else None


def run_of(kind: str, obj: Mapping[str, Any]) -> str | None:
    """Name of the run that an observed object belongs to; None if no engine watches its kind."""
    labels = obj["metadata"].get("labels") or {}
    keys = [e.run_label(kind) for e in ENGINES if kind in {w.type.kind for w in e.watches}]
    return next((labels[key] for key in keys if key in labels), None)


def run_labels() -> tuple[str, ...]:
    """The labels by which observed objects name their runs."""
    labels = (e.run_label(w.type.kind) for e in ENGINES for w in e.watches)
    return tuple(dict.fromkeys(labels))


def watches() -> tuple[Watch, ...]:
    """What the engines watch; those that watch objects of one type share the watch."""
    return distinct(
        watch._replace(integrations=(engine.integration,) if engine.integration else ())
        for engine in ENGINES
        for watch in engine.watches
    )
