"""One reason: where it stands, what it means and what to do."""

from __future__ import annotations

from typing import Literal, NamedTuple

Carrier = Literal[
    "Ready",
    "ModelResolved",
    "Available",
    "RolloutHealthy",
    "SteeringAccepted",
    "GroupComplete",
    "Succeeded",
    "Validated",
    "Approved",
    "SourcesRead",
    "RegistryRead",
    "RegistryTold",
    "Registered",
    "AliasCurrent",
    "Monitored",
    "Drifted",
    "LabelsReady",
    "PerformanceMeasured",
    "rollout",
    "Event",
]
"""A type of condition; `rollout` is a rollout's record: status.canary, status.history and a
ModelVersion's status.rollouts, which RolloutHealthy repeats while a canary is on trial."""


class Reason(NamedTuple):
    """A CamelCase reason of one kind. An empty `remedy`: there is nothing to do."""

    name: str
    carriers: tuple[Carrier, ...]
    meaning: str
    remedy: str = ""


REFUSED: tuple[Carrier, ...] = ("Ready", "ModelResolved")
"""Of a spec that cannot be served as it is."""

APPLY_FAILED = Reason(
    "ApplyFailed",
    ("Ready", "Event"),
    "The API server refuses a write; its answer is the message. An Event tells where it "
    "refuses the status itself: nothing of the object goes on until it takes it.",
    "Correct what the answer names.",
)
"""What every kind that is reconciled can meet."""
