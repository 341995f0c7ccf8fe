"""The environment variables of a trainer, whatever engine runs it.

They come before the container's own, so that those may refer to them. The facts of the run
(EVENKEEL_*) replace variables of the same name; parameters give way to the container's.
"""

from __future__ import annotations

import json
from typing import Any

from evenkeel.api.cause import Cause
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.pods.expansion import literal_env
from evenkeel.training.results import source_of

Json = dict[str, Any]

CAUSE_BYTES = 16384
"""Alerts carry labels without limit; an environment is limited."""


def environment(run: TrainingRun, champion: ModelVersion | None, own: list[Json]) -> list[Json]:
    """The container's EnvVars with those of the run; `own`: the ones it has.

    champion: the version in production, for trainers that judge it on the same data.
    """
    given = facts(run, champion)
    kept = [e for e in own if e.get("name") not in given]
    taken = {e.get("name") for e in kept}
    parameters = {k: v for k, v in run.spec.training.parameters.items() if k not in taken}
    return literal_env({**given, **parameters}) + kept


def facts(run: TrainingRun, champion: ModelVersion | None) -> dict[str, str]:
    """What every trainer may know of its run, by name."""
    facts = {
        "EVENKEEL_RUN": run.metadata.name,
        "EVENKEEL_MODEL": run.spec.model,
        "EVENKEEL_NAMESPACE": run.metadata.namespace,
        "EVENKEEL_CAUSE": _cause(run.spec.cause),
        "EVENKEEL_PARAMETERS": _compact(run.spec.training.parameters),
    }
    if (source := source_of(run.spec.training)) is not None:
        facts |= source.given(run)
    if (data := run.spec.cause.data) is not None:
        facts["EVENKEEL_DATA_REPO"] = data.repo
        facts["EVENKEEL_DATA_REV"] = data.rev
        facts["EVENKEEL_DATA_PATH"] = data.path
        facts["EVENKEEL_DATA_DIGEST"] = data.digest
    if (objects := run.spec.cause.objects) is not None:
        facts["EVENKEEL_DATA_URI"] = objects.uri
        facts["EVENKEEL_DATA_DIGEST"] = objects.digest
        facts["EVENKEEL_DATA_PARTITION"] = objects.partition
    if champion is not None:
        facts["EVENKEEL_CHAMPION"] = champion.metadata.name
        facts["EVENKEEL_CHAMPION_URI"] = champion.spec.uri
    return facts


def extensible(container: Any) -> bool:
    """Whether a container's EnvVars have the shape that `environment` needs of its own ones."""
    env = container.get("env") or [] if isinstance(container, dict) else None
    return isinstance(env, list) and all(
        isinstance(e, dict) and isinstance(e.get("name"), str) for e in env
    )


def _cause(cause: Cause) -> str:
    """The cause as JSON of at most CAUSE_BYTES, with as many of its alerts as fit."""
    text = _compact(cause.wire())
    for kept in range(len(cause.alerts) - 1, -1, -1):
        if len(text.encode()) <= CAUSE_BYTES:
            break
        text = _compact(cause.model_copy(update={"alerts": cause.alerts[:kept]}).wire())
    return text


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
