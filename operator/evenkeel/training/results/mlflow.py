"""What a trainer has logged to MLflow, as its report.

The clients of MLflow take tags of each run from MLFLOW_RUN_CONTEXT, so that a run is found whose
trainer knows of nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal

from pydantic import ValidationError

from evenkeel.api.artifacts import SERVED_AS, fetched_from
from evenkeel.api.base import GROUP
from evenkeel.api.common import Metric
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.resultfrom import ResultRun
from evenkeel.api.tracking import TrackedRun
from evenkeel.api.trainingrun import TrainingResult, TrainingRun
from evenkeel.meta.refusal import Refused
from evenkeel.meta.text import one_line, printable
from evenkeel.outside.mlflow import KIND, Logged, LoggedBy, Unclear, Unlogged
from evenkeel.outside.poll import Poll
from evenkeel.training.result import InvalidResult, decimal, first
from evenkeel.training.results.kind import INTERVAL, Absent, Named, ResultSource

RUN, UID = f"{GROUP}/run", f"{GROUP}/run-uid"
"""Tags of a run and its models. Names are given again, UIDs are not."""
EXPERIMENT, CONTEXT = "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_CONTEXT"
"""Variables that MLflow's clients read."""
MOST = 64
"""Metrics and parameters that a version has."""
LARGEST = 1e28
LONGEST = 2048
"""Characters of a run's page."""


def place(run: TrainingRun) -> str:
    """Where that is, for people."""
    return f"ModelRegistry {_spec(run).registry}, experiment {_experiment(run)}"


def poll(run: TrainingRun, named: Named) -> Poll | str:
    """The question what the trainer has logged."""
    spec = _spec(run)
    found = named(ModelRegistry.kind, spec.registry)
    if found is None:
        return (
            f"there is no ModelRegistry {spec.registry!r} in this namespace; create it, and the "
            "run goes on"
        )
    registry = ModelRegistry.model_validate(found).spec
    asked = LoggedBy(
        _experiment(run),
        tag=(UID, run.metadata.uid),
        model=spec.model,
        workspace=registry.mlflow.workspace or "",
    )
    return Poll(KIND, registry.mlflow.url, asked, INTERVAL, registry.secret_name or "")


def read(run: TrainingRun, answer: Logged | Unlogged | Unclear) -> TrainingResult | Absent:
    """The report. Raises InvalidResult."""
    match answer:
        case Unlogged():
            return Absent(
                f"{answer.words}; the trainer has to log to that server, and to the experiment in "
                "MLFLOW_EXPERIMENT_NAME unless training.resultFrom.mlflow.experiment names another"
            )
        case Unclear():
            raise InvalidResult(answer.words)
    uri = fetched_from(answer.uri, answer.server)
    if isinstance(uri, Refused):
        raise InvalidResult(f"model {answer.model_id} cannot be served: {uri.message}")
    try:
        return _report(run, answer, uri)
    except ValidationError as problem:
        # Whoever answers as MLflow does may say anything, at any length.
        raise InvalidResult(
            f"what MLflow tells of run {answer.run_id[:64]} cannot be used: {first(problem)}"
        ) from None


def _report(run: TrainingRun, answer: Logged, uri: str) -> TrainingResult:
    page = _page(answer)
    return TrainingResult(
        uri=uri,
        format=SERVED_AS,
        metrics=_metrics(run, answer.metrics),
        parameters=dict(_short(answer.parameters)[:MOST]),
        data_revision=one_line(", ".join(f"{n}@{digest}" for n, digest in answer.data))[:253],
        code_revision=answer.commit,
        mlflow=TrackedRun(
            registry=_spec(run).registry,
            run_id=answer.run_id,
            model_id=answer.model_id,
            url=page if len(page) <= LONGEST else "",
        ),
    )


def _page(logged: Logged) -> str:
    """The run's page, as MLflow's clients print it."""
    runs = f"{logged.server.rstrip('/')}/#/experiments/{logged.experiment_id}/runs"
    where = f"?workspace={logged.workspace}" if logged.workspace else ""
    return f"{runs}/{logged.run_id}{where}"


def given(run: TrainingRun) -> Mapping[str, str]:
    """What has its run found."""
    tags = {RUN: f"{run.metadata.namespace}/{run.metadata.name}", UID: run.metadata.uid}
    return {
        EXPERIMENT: _experiment(run),
        CONTEXT: json.dumps(tags, separators=(",", ":")),
    }


def _metrics(run: TrainingRun, told: Iterable[tuple[str, float]]) -> tuple[Metric, ...]:
    """Those that gates look at first, as many as a version has."""
    judged = {gate.metric for gate in run.spec.gates}
    usable = [(n, v) for n, v in told if 0 < len(n) <= 128 and n.isprintable() and abs(v) < LARGEST]
    chosen = sorted(usable, key=lambda metric: metric[0] not in judged)[:MOST]
    return tuple(
        Metric(name=name, value=decimal(Decimal(str(value)), name)) for name, value in chosen
    )


def _short(told: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(printable(name)[:253], printable(value)[:512]) for name, value in told]


def _experiment(run: TrainingRun) -> str:
    return _spec(run).experiment or run.spec.model


def _spec(run: TrainingRun) -> ResultRun:
    found = run.spec.training.result_from
    assert found is not None
    assert found.mlflow is not None
    return found.mlflow


MLFLOW = ResultSource("mlflow", place, poll, read, (EXPERIMENT, CONTEXT), given)
