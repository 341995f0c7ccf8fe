"""ModelResolved: whether model, runtime and pod template of the wanted revision can be had."""

from __future__ import annotations

from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation
from evenkeel.meta.refusal import Refused
from evenkeel.serving.progress_deadline import too_short


def model_resolved(situation: Situation) -> tuple[Observation, ...]:
    """The refusal's reason where they cannot, and a warning where their start is cut short."""
    wanted = situation.wanted
    if isinstance(wanted, Refused):
        return (Observation("ModelResolved", "False", wanted.reason, wanted.message),)
    if warning := too_short(situation.md, wanted.template):
        message = f"revision {wanted.name}: {warning}"
        return (Observation("ModelResolved", "True", "DeadlineBeforeStartUp", message),)
    return (Observation("ModelResolved", "True", "Resolved", f"revision {wanted.name}"),)
