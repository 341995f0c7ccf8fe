"""Plans a ModelRegistry: whether it can be asked."""

from __future__ import annotations

from datetime import datetime

from evenkeel.api.modelregistry import ModelRegistry, ModelRegistryStatus
from evenkeel.meta.conditions import Observation, find, merge, readiness
from evenkeel.meta.plan import Plan
from evenkeel.outside.mlflow import KIND, Reach
from evenkeel.outside.poll import Poll, Sighting


def question(registry: ModelRegistry) -> Poll:
    """What tells whether the registry can be asked."""
    spec = registry.spec
    return Poll(
        KIND,
        spec.mlflow.url,
        Reach(spec.mlflow.workspace or ""),
        float(spec.interval_seconds),
        spec.secret_name or "",
    )


def plan_registry(registry: ModelRegistry, seen: Sighting[object], now: datetime) -> Plan:
    """What to write for a ModelRegistry. seen: the answer to `question`."""
    generation = registry.metadata.generation
    before = registry.status.conditions
    return Plan(
        ModelRegistryStatus(
            observed_generation=generation,
            conditions=merge(before, _observations(registry, seen), generation, now),
        )
    )


def _observations(registry: ModelRegistry, seen: Sighting[object]) -> tuple[Observation, ...]:
    failure = seen.failure
    if failure is not None:
        lasts = failure.reason != "SourceUnavailable"
        return readiness(
            "False" if lasts else "Unknown", failure.reason, failure.message, stalled=lasts
        )
    if seen.answer is not None:
        return readiness("True", "Reachable", "the registry answers, and takes the credentials")
    known = find(registry.status.conditions, "Ready")
    if known is not None and registry.status.observed_generation == registry.metadata.generation:
        # A process that has just begun to lead knows nothing better yet.
        return tuple(c.observation for c in registry.status.conditions)
    return readiness("Unknown", "AwaitingRegistry", "the registry has not answered yet")
