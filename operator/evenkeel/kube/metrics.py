"""Prometheus metrics of the reconcile loop."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class LoopMetrics:
    """The metrics of one operator, whose name is their prefix. One a process and name."""

    def __init__(self, prefix: str, registry: CollectorRegistry = REGISTRY) -> None:
        self.reconciles = Counter(
            f"{prefix}_reconcile",
            "Reconciles by kind and result.",
            ["kind", "result"],
            registry=registry,
        )
        self.reconcile_seconds = Histogram(
            f"{prefix}_reconcile_duration_seconds",
            "Duration of a reconcile.",
            ["kind"],
            buckets=SECONDS,
            registry=registry,
        )
        self.queue_depth = Gauge(
            f"{prefix}_queue_depth", "Keys that wait for a worker.", registry=registry
        )
        self.queue_oldest = Gauge(
            f"{prefix}_queue_oldest_seconds",
            "Age of the longest waiting or worked key in seconds.",
            registry=registry,
        )
