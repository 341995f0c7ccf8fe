"""The operator's own Prometheus metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from evenkeel.kube.metrics import LoopMetrics

LOOP = LoopMetrics("evenkeel")
WEBHOOK_ALERTS = Counter(
    "evenkeel_webhook_alerts", "Alerts received, by what became of them.", ["result"]
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
LEADER = Gauge("evenkeel_leader", "1 while this process is the leader.")
OBJECTS = Gauge("evenkeel_objects", "Objects known, by kind.", ["kind"])
