"""RegistryRead: whether what is served of a registry is what it says now."""

from __future__ import annotations

from evenkeel.api.modeldeploymentstatus import ResolvedModel
from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation, find
from evenkeel.meta.refusal import Refused

TYPE = "RegistryRead"


def registry_read(situation: Situation) -> tuple[Observation, ...]:
    """Absent for a model of no registry."""
    found = situation.registry
    if found is None:
        return ()
    model = found.model
    if found.trouble is not None:
        serves = "" if isinstance(model, Refused) else f"; {_what(model)} stays"
        message = f"{found.trouble.message}{serves}"
        return (Observation(TYPE, "False", found.trouble.reason, message),)
    if isinstance(model, Refused):
        return (Observation(TYPE, "Unknown", model.reason, model.message),)
    known = find(situation.md.status.conditions, TYPE)
    if not found.asked and known is not None:
        # A process that has just begun to lead knows nothing better yet.
        return (known.observation,)
    message = f"{_what(model)}, since {model.time}"
    if model.signed is False:
        message += "; it has no signature, by which a server would tell how a request is to be read"
    return (Observation(TYPE, "True", "RegistryAnswered", message),)


def _what(model: ResolvedModel) -> str:
    by = f" by alias {model.alias}" if model.alias else ""
    return f"version {model.version} of {model.name}{by}"
