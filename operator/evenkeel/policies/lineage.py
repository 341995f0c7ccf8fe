"""Lineage: the chain from the cause of a training to the verdict in production, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from evenkeel.api.common import Cause
from evenkeel.api.modelversion import GateResult, ModelVersionSpec, Rollout

LIMIT = 4096


def alert_name(cause: Cause) -> str:
    """The alertname of the first alert, else the trigger's name."""
    first = cause.alerts[0].labels.get("alertname", "") if cause.alerts else ""
    return first or cause.trigger


def cause_text(cause: Cause) -> str:
    """Such as "alert ElecDrift (10000 alerts since 2026-01-31T09:00:00Z)"."""
    since = f" since {cause.time}" if cause.time else ""
    alerts = f"{cause.alert_count} alert{'' if cause.alert_count == 1 else 's'}"
    match cause.type:
        case "Alert":
            return f"alert {alert_name(cause)} ({alerts}{since})"
        case "Cron":
            extra = f", {alerts}" if cause.alert_count else ""
            return f"cron {cause.trigger} ({cause.time or 'unknown time'}{extra})"
        case "Manual":
            return f"manual ({cause.message})" if cause.message else "manual"


def lineage(
    name: str,
    spec: ModelVersionSpec,
    gates: Sequence[GateResult],
    approval: str,
    rollouts: Sequence[Rollout],
) -> str:
    """The chain; `approval` is the reason of the Approved condition, "" if it is not known yet."""
    links = []
    if spec.cause is not None:
        links.append(cause_text(spec.cause))
    if spec.training_run:
        links.append(f"TrainingRun {spec.training_run}")
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
    for rollout in sorted(rollouts, key=lambda r: (r.time, r.deployment)):
        detail = f" ({rollout.message})" if rollout.message else ""
        links.append(f"ModelDeployment {rollout.deployment}: {rollout.outcome}{detail}")
    text = " -> ".join(links)
    return text if len(text) <= LIMIT else text[: LIMIT - 1] + "…"
