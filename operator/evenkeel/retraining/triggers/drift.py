"""Drift of what the version in production is asked and answers, as a trigger: once for each.

The drift is shown by the ModelDeployments that serve the version, in status.monitoring.
"""

from __future__ import annotations

from datetime import datetime

from evenkeel.api.trigger import DriftTrigger
from evenkeel.retraining.triggers.kind import Occasion, Overseer, Production, TriggerKind


def check(spec: DriftTrigger) -> None:
    """Whatever the API takes can work."""


def occasion(spec: DriftTrigger, version: Production, now: datetime) -> Occasion | None:
    """The end of the block that showed the drift."""
    return None if version.decayed is None else Occasion(1, version.decayed)


def _never(spec: DriftTrigger, version: Production, now: datetime) -> None:
    """It does not come by itself."""


DRIFT: TriggerKind[DriftTrigger, None] = TriggerKind(
    "drift", check=check, overseer=Overseer(occasion, _never)
)
