"""The environment variables of a trainer, whatever engine runs it.

They come before the container's own, so that those may refer to them. The facts of the run
(EVENKEEL_*, and what `resultFrom` gives) replace variables of the same name; parameters give way to
the container's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from evenkeel.api.cause import Cause
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.pods.expansion import literal_env
from evenkeel.training.results import SOURCES, source_of

Json = dict[str, Any]

RESERVED = "EVENKEEL_"
"""What no name begins with that is the user's own."""
CAUSE_BYTES = 16384
"""Alerts carry labels without limit; an environment is limited."""

OPTIONAL = (
    "EVENKEEL_CHAMPION",
    "EVENKEEL_CHAMPION_URI",
    "EVENKEEL_DATA_REPO",
    "EVENKEEL_DATA_REV",
    "EVENKEEL_DATA_PATH",
    "EVENKEEL_DATA_DIGEST",
    "EVENKEEL_DATA_URI",
    "EVENKEEL_DATA_PARTITION",
    *(name for source in SOURCES for name in source.variables),
)
"""Facts that not every run has."""


def facts_of(run: TrainingRun, champion: ModelVersion | None) -> dict[str, str]:
    """What a trainer is told of its run, by name; those in OPTIONAL may be missing.

    champion: the version in production, for trainers that judge it on the same data.
    """
    facts = {
        "EVENKEEL_RUN": run.metadata.name,
        "EVENKEEL_RUN_UID": run.metadata.uid,
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


def environment(
    run: TrainingRun,
    champion: ModelVersion | None,
    own: list[Json],
    spelled: Callable[[str], str] = str,
) -> list[Json]:
    """The container's EnvVars with those of the run; `own`: the ones it has.

    spelled: how values are written for what handles them before the kubelet does.
    """
    known = facts_of(run, champion)
    kept = [e for e in own if e.get("name") not in known]
    taken = {e.get("name") for e in kept}
    parameters = {k: v for k, v in run.spec.training.parameters.items() if k not in taken}
    given = {name: spelled(value) for name, value in {**known, **parameters}.items()}
    return literal_env(given) + kept


def extensible(container: Any) -> bool:
    """Whether a container's EnvVars have the shape that `environment` needs of its own ones."""
    env = container.get("env") or [] if isinstance(container, dict) else None
    return isinstance(env, list) and all(
        isinstance(e, dict) and isinstance(e.get("name"), str) for e in env
    )


def _cause(cause: Cause) -> str:
    """The cause as JSON of at most CAUSE_BYTES, with as many of its alerts and events as fit."""
    text = _compact(cause.wire())
    for kept in range(max(len(cause.alerts), len(cause.events)) - 1, -1, -1):
        if len(text.encode()) <= CAUSE_BYTES:
            break
        fewer = {"alerts": cause.alerts[:kept], "events": cause.events[:kept]}
        text = _compact(cause.model_copy(update=fewer).wire())
    return text


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
