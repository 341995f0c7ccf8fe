"""What random lives of ModelDeployments have in common."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

LIVES = settings(
    max_examples=50,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def model(uri: str) -> dict[str, Any]:
    """spec.model with that address."""
    return {"uri": uri, "format": {"name": "sklearn"}}
