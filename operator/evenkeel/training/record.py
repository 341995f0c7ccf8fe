"""The ModelVersion that a run's report becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from evenkeel.api.base import API_VERSION
from evenkeel.api.cause import Cause
from evenkeel.api.data import UsedData
from evenkeel.api.enginerun import EngineRun
from evenkeel.api.modelversion import ApprovalDecision, ModelVersion, ModelVersionSpec
from evenkeel.api.trainingrun import TrainingResult, TrainingRun
from evenkeel.meta.names import child_name, digest
from evenkeel.meta.objects import Manifest
from evenkeel.training.data import used
from evenkeel.training.engine import labels_of
from evenkeel.training.snapshot import RunSnapshot

PARAMETERS = 64
"""Those that a version has."""


def version_name(run: TrainingRun) -> str:
    """The ModelVersion of a run: the model and a digest of the run."""
    return child_name(run.spec.model, digest(run.metadata.uid))


def _parameters(own: Mapping[str, str], reported: Mapping[str, str]) -> dict[str, str]:
    """Those of the run, and as many others as there is room for."""
    others = {name: value for name, value in sorted(reported.items()) if name not in own}
    return {**own, **dict(islice(others.items(), max(0, PARAMETERS - len(own))))}


def version_record(snapshot: RunSnapshot, report: TrainingResult, trained: str) -> Manifest:
    """The record; it outlives run and schedule, so it has no owner. trained: RFC 3339."""
    run, champion = snapshot.run, snapshot.champion
    data = run.status.data or used(run)
    spec = ModelVersionSpec(
        model=run.spec.model,
        uri=report.uri,
        format=report.format,
        digest=report.digest,
        data=data,
        data_revision=report.data_revision or _data_revision(run.spec.cause, data),
        code_revision=report.code_revision,
        parameters=_parameters(run.spec.training.parameters, report.parameters),
        metrics=report.metrics,
        slices=report.slices,
        training_run=run.metadata.name,
        run=_engine_run(snapshot),
        cause=run.spec.cause.model_copy(update={"alert_count": snapshot.alert_count}),
        trained_time=trained,
        champion=champion.metadata.name if champion is not None else "",
        gates=run.spec.gates,
        approval=ApprovalDecision(mode=run.spec.approval),
        mlflow=report.mlflow,
        registration=run.spec.registration,
    )
    return {
        "apiVersion": API_VERSION,
        "kind": ModelVersion.kind,
        "metadata": {
            "name": version_name(run),
            "namespace": run.metadata.namespace,
            "labels": labels_of(run),
        },
        "spec": spec.wire(),
    }


def _data_revision(cause: Cause, data: Sequence[UsedData]) -> str:
    """That of the data which caused the run, or of the only data; empty without such."""
    if cause.data is not None:
        return cause.data.rev
    if cause.objects is not None:
        return cause.objects.digest
    return (data[0].rev or "") if len(data) == 1 else ""


def _engine_run(snapshot: RunSnapshot) -> EngineRun | None:
    known = snapshot.known_as
    return None if known is None else EngineRun(engine=known.engine, name=known.name, url=known.url)
