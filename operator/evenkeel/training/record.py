"""The ModelVersion that a run's report becomes."""

from __future__ import annotations

from evenkeel.api.base import API_VERSION
from evenkeel.api.cause import Cause
from evenkeel.api.modelversion import ApprovalDecision, ModelVersion, ModelVersionSpec
from evenkeel.api.trainingrun import TrainingResult, TrainingRun
from evenkeel.meta.names import child_name, digest
from evenkeel.meta.objects import Manifest
from evenkeel.training.engine import labels_of
from evenkeel.training.snapshot import RunSnapshot


def version_name(run: TrainingRun) -> str:
    """The ModelVersion of a run: the model and a digest of the run."""
    return child_name(run.spec.model, digest(run.metadata.uid))


def version_record(snapshot: RunSnapshot, report: TrainingResult, trained: str) -> Manifest:
    """The record; it outlives run and schedule, so it has no owner. trained: RFC 3339."""
    run, champion = snapshot.run, snapshot.champion
    spec = ModelVersionSpec(
        model=run.spec.model,
        uri=report.uri,
        format=report.format,
        digest=report.digest,
        data_revision=report.data_revision or _data_revision(run.spec.cause),
        code_revision=report.code_revision,
        parameters=run.spec.training.parameters,
        metrics=report.metrics,
        slices=report.slices,
        training_run=run.metadata.name,
        cause=run.spec.cause.model_copy(update={"alert_count": snapshot.alert_count}),
        trained_time=trained,
        champion=champion.metadata.name if champion is not None else "",
        gates=run.spec.gates,
        approval=ApprovalDecision(mode=run.spec.approval),
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


def _data_revision(cause: Cause) -> str:
    """That of the data which caused the run; empty if none did."""
    if cause.data is not None:
        return cause.data.rev
    return cause.objects.digest if cause.objects is not None else ""
