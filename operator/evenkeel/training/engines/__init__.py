"""The training engines, one a file, and the table from which all that concerns each one follows."""

from __future__ import annotations

from evenkeel.api.common import TrainingTemplate
from evenkeel.meta.resources import Watch
from evenkeel.training.engine import Engine
from evenkeel.training.engines.job import JOB_ENGINE

ENGINES: tuple[Engine, ...] = (JOB_ENGINE,)


def engine_of(training: TrainingTemplate) -> Engine | None:
    """The engine that the template selects; None unless it has the field of exactly one."""
    chosen = [e for e in ENGINES if getattr(training, e.field, None) is not None]
    return chosen[0] if len(chosen) == 1 else None


def watches() -> tuple[Watch, ...]:
    """What the engines watch; engines that watch the same objects share the watch."""
    merged: dict[tuple[str, str, str], Watch] = {}
    for watch in (watch for engine in ENGINES for watch in engine.watches):
        key = (watch.type.group, watch.type.plural, watch.selector)
        known = merged.get(key, watch)
        merged[key] = watch._replace(
            kept=tuple(dict.fromkeys((*known.kept, *watch.kept))),
            verbs=tuple(dict.fromkeys((*known.verbs, *watch.verbs))),
            optional=known.optional and watch.optional,
        )
    return tuple(merged.values())
