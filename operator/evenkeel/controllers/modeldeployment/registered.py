"""What a ModelDeployment serves of a registry, and tells it, by what polls have brought so far."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import ResolvedModel
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.controllers.kind import Context
from evenkeel.meta.objects import Key
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.registries.resolution import Resolution, question, resolve
from evenkeel.registries.tags import Telling, questions, telling

MODEL = "model"
UNSEEN: Sighting[object] = Sighting()


class FromRegistry(NamedTuple):
    """resolution: what the registry's model is. told: whether it knows how rollouts went."""

    resolution: Resolution
    told: Telling


def from_registry(context: Context, md: ModelDeployment, now: datetime) -> FromRegistry | None:
    """None for a model of no registry. The registry is asked and told from now on."""
    source, namespace = md.spec.model, md.metadata.namespace
    polls: dict[str, Poll] = {}
    registry: ModelRegistry | None = None
    if source.registry is not None and md.metadata.deletion_timestamp is None:
        found = context.store.get(Key(ModelRegistry.kind, namespace, source.registry.registry))
        if found is not None:
            registry = context.store.parse(ModelRegistry, found)
            polls = {MODEL: question(source, registry), **questions(md, registry)}
    seen = context.polls.want(Key(md.kind, namespace, md.metadata.name), polls)
    if source.registry is None:
        return None
    resolved = resolve(source, registry, md.status.registry, seen.get(MODEL, UNSEEN), now)
    return FromRegistry(resolved, telling(seen[name] for name in polls if name != MODEL))


def with_resolution(md: ModelDeployment, found: Resolution | None) -> ModelDeployment:
    """The object with what it serves of its registry, for as long as it does."""
    kept = md.status.registry
    if found is not None and isinstance(found.model, ResolvedModel):
        kept = found.model
    elif found is None and not _serves_on(md):
        kept = None
    if kept == md.status.registry:
        return md
    return md.model_copy(update={"status": md.status.model_copy(update={"registry": kept})})


def _serves_on(md: ModelDeployment) -> bool:
    """Whether what serves is still of the registry that the spec no longer names."""
    return md.status.stable is not None and md.status.stable.registered is not None
