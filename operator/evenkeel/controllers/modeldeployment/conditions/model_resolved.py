"""ModelResolved: whether model, runtime and pod template of the wanted revision can be had."""

from __future__ import annotations

from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation
from evenkeel.meta.refusal import Refused


def model_resolved(situation: Situation) -> tuple[Observation, ...]:
    """The refusal's reason where they cannot."""
    wanted = situation.wanted
    if isinstance(wanted, Refused):
        return (Observation("ModelResolved", "False", wanted.reason, wanted.message),)
    return (Observation("ModelResolved", "True", "Resolved", f"revision {wanted.name}"),)
