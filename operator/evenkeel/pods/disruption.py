"""What becomes of a Job whose pod had to go: a drained or preempted node is not its failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOT_BY_DISRUPTION: Mapping[str, Any] = {
    "rules": [
        {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        }
    ]
}
"""A batch/v1 PodFailurePolicy."""
