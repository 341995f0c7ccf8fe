"""The operator's own Prometheus metrics."""

from __future__ import annotations

from typing import Any

from prometheus_client import Counter, Gauge

from evenkeel.api import ModelDeployment, RetrainSchedule
from evenkeel.api.modeldeploymentstatus import ModelDeploymentStatus
from evenkeel.api.resources import OWN
from evenkeel.api.trainingrun import TrainingRunStatus
from evenkeel.kube.metrics import LoopMetrics
from evenkeel.kube.store import Store
from evenkeel.meta.conditions import find
from evenkeel.meta.plan import Plan

LOOP = LoopMetrics("evenkeel")
WEBHOOK_ALERTS = Counter(
    "evenkeel_webhook_alerts", "Alerts and events received, by what became of them.", ["result"]
)
ROLLOUTS = Counter("evenkeel_rollouts", "Ended rollouts by outcome.", ["outcome"])
TRAINING_RUNS = Counter("evenkeel_training_runs", "Ended training runs by result.", ["result"])
CIRCUIT_OPEN = Gauge(
    "evenkeel_circuit_open",
    "1 while a RetrainSchedule starts no runs after failures; absent otherwise.",
    ["namespace", "schedule"],
)
CANARY_WEIGHT = Gauge(
    "evenkeel_canary_weight",
    "Share of requests for the canary in percent; absent without a canary.",
    ["namespace", "deployment"],
)
APPROVALS_ENFORCED = Gauge(
    "evenkeel_approvals_enforced",
    "1 while the cluster has the admission policy that holds approvals to their rules.",
)
LEADER = Gauge("evenkeel_leader", "1 while this process is the leader.")
OBJECTS = Gauge("evenkeel_objects", "Objects known, by kind.", ["kind"])


def refresh(store: Store) -> None:
    """Sets the gauges that tell of objects."""
    for kind in OWN:
        OBJECTS.labels(kind).set(store.count(kind))
    CIRCUIT_OPEN.clear()
    for schedule in store.all(RetrainSchedule.kind):
        conditions = schedule.get("status", {}).get("conditions") or ()
        if any(c["type"] == "Ready" and c["reason"] == "CircuitOpen" for c in conditions):
            CIRCUIT_OPEN.labels(*_named(schedule)).set(1)
    CANARY_WEIGHT.clear()
    for deployment in store.all(ModelDeployment.kind):
        if canary := deployment.get("status", {}).get("canary"):
            CANARY_WEIGHT.labels(*_named(deployment)).set(canary["weight"])


def count(plan: Plan) -> None:
    """Counts what a plan that was written has ended."""
    status = plan.status
    if isinstance(status, ModelDeploymentStatus):
        for event in plan.events:
            if event.reason in ("Promoted", "RolledBack", "Superseded"):
                ROLLOUTS.labels(event.reason).inc()
    elif isinstance(status, TrainingRunStatus):
        ended = find(status.conditions, "Succeeded")
        if ended is not None and plan.events:
            TRAINING_RUNS.labels(ended.reason).inc()


def _named(obj: dict[str, Any]) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]
