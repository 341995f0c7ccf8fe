"""Lineage: the chain from the cause of a training to the verdict in production, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from evenkeel.api.cause import cause_text
from evenkeel.api.data import UsedData, data_text
from evenkeel.api.modelversion import GateResult, ModelVersionSpec, Rollout
from evenkeel.api.registration import RegisteredVersion

LIMIT = 4096


def lineage(
    name: str,
    spec: ModelVersionSpec,
    gates: Sequence[GateResult],
    approval: str,
    registered: RegisteredVersion | None,
    rollouts: Sequence[Rollout],
) -> str:
    """The chain; `approval` is the reason of the Approved condition, "" if it is not known yet."""
    links = [f"data {data.name}: {data_text(data)}" for data in _untold(spec)]
    if spec.cause is not None:
        links.append(cause_text(spec.cause))
    if spec.training_run:
        where = f" ({spec.run.engine} {spec.run.name} {spec.run.url})" if spec.run else ""
        links.append(f"TrainingRun {spec.training_run}{where}")
    if spec.mlflow is not None:
        links.append(f"MLflow run {spec.mlflow.url or spec.mlflow.run_id}")
    links.append(f"ModelVersion {name}")
    if gates:
        failed = [g for g in gates if not g.passed]
        links.append(
            "gates failed: " + "; ".join(f"{g.name} ({g.message})" for g in failed)
            if failed
            else f"gates {len(gates)}/{len(gates)} passed"
        )
    if approval:
        links.append(approval)
    if registered is not None:
        which = f"version {registered.version} of {registered.name}"
        links.append(f"ModelRegistry {registered.registry}: {which}")
    for rollout in sorted(rollouts, key=lambda r: (r.time, r.deployment)):
        detail = f" ({rollout.message})" if rollout.message else ""
        alias = f", alias {rollout.alias}" if rollout.alias else ""
        links.append(f"ModelDeployment {rollout.deployment}: {rollout.outcome}{detail}{alias}")
    text = " -> ".join(links)
    return text if len(text) <= LIMIT else text[: LIMIT - 1] + "…"


def _untold(spec: ModelVersionSpec) -> list[UsedData]:
    """The data that the cause does not tell of."""
    cause, told = spec.cause, set[tuple[str | None, str | None]]()
    if cause is not None and cause.data is not None:
        told.add((cause.data.rev, cause.data.path))
    if cause is not None and cause.objects is not None:
        told.add((None, cause.objects.uri))
    return [one for one in spec.data if (one.rev, one.uri or one.path) not in told]
