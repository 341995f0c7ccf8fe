"""Which version of a registered model a ModelVersion is: made once, beside all else.

Nothing waits for it: gates, approval and rollouts go their way while the registry is down.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from evenkeel.api.artifacts import BY_SERVER, handed_out
from evenkeel.api.base import GROUP
from evenkeel.api.cause import cause_text
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.registration import RegisteredAs, Registration
from evenkeel.api.tracking import TrackedRun
from evenkeel.meta.conditions import Observation, find
from evenkeel.meta.times import timestamp
from evenkeel.outside.mlflow import KIND, Enrolled, Enrolment
from evenkeel.outside.poll import Poll, Sighting

TYPE = "Registered"
MARK = f"{GROUP}/model-version"
"""A tag: namespace and name of the ModelVersion."""
LONGEST = 1000
"""Characters of a description."""

_LOGGED = re.compile(r"/models/(m-[0-9a-f]{32})/artifacts/?$")
"""The address of a model that MLflow's clients have logged."""
_OF_RUN = re.compile(r"^mlflow-artifacts:.*/([0-9a-f]{32})/artifacts(/|$)")
"""What the server keeps of a run; it takes it as a source only where that run is named."""


class Found(NamedTuple):
    """What is known of a version's registration."""

    registered: RegisteredAs | None
    observation: Observation


def question(version: ModelVersion, registry: ModelRegistry) -> Poll:
    """What the registry is asked for a version with a registration until it has it."""
    meta = version.metadata
    wanted, server = _registration(version), registry.spec.mlflow
    sources = tuple(dict.fromkeys(_sources(version, server.url)))
    return Poll(
        KIND,
        server.url,
        Enrolment(
            wanted.name,
            mark=(MARK, f"{meta.namespace}/{meta.name}"),
            sources=sources,
            tags=tuple(_tags(version)),
            run_id=_run(version, sources[0]),
            description=_description(version),
            workspace=server.workspace or "",
        ),
        float(registry.spec.interval_seconds),
        registry.spec.secret_name or "",
    )


def found(
    version: ModelVersion, registry: ModelRegistry | None, seen: Sighting[object], now: datetime
) -> Found:
    """What a version with a registration is in its registry.

    registry: the ModelRegistry that it names; None if there is none. seen: the answer to
    `question`, as long as that is asked.
    """
    wanted, known = _registration(version), version.status.registered
    if known is None and isinstance(seen.answer, Enrolled):
        known = RegisteredAs(
            registry=wanted.registry,
            name=wanted.name,
            version=seen.answer.version,
            time=timestamp(seen.since or now),
        )
    if known is not None:
        text = f"version {known.version} of {known.name} in ModelRegistry {known.registry}"
        return Found(known, Observation(TYPE, "True", TYPE, text))
    if registry is None:
        text = (
            f"there is no ModelRegistry {wanted.registry!r} in this namespace; create it, and the "
            "version is registered"
        )
        return Found(None, Observation(TYPE, "False", "RegistryNotFound", text))
    if seen.failure is not None:
        text = f"{seen.failure.message}; it is tried again, and nothing waits for it"
        return Found(None, Observation(TYPE, "False", seen.failure.reason, text))
    if (before := find(version.status.conditions, TYPE)) is not None:
        # A process that has just begun to lead knows nothing better yet.
        return Found(None, before.observation)
    text = f"ModelRegistry {wanted.registry} has not answered yet"
    return Found(None, Observation(TYPE, "Unknown", "AwaitingRegistry", text))


def _registration(version: ModelVersion) -> Registration:
    assert version.spec.registration is not None
    return version.spec.registration


def _logged(version: ModelVersion) -> TrackedRun | None:
    """Its run and model, if the registry's own server has them."""
    run = version.spec.mlflow
    return run if run is not None and run.registry == _registration(version).registry else None


def _run(version: ModelVersion, source: str) -> str:
    known, kept = _logged(version), _OF_RUN.search(source)
    if known is not None and known.run_id:
        return known.run_id
    return kept[1] if kept is not None else ""


def _sources(version: ModelVersion, url: str) -> Iterator[str]:
    """What the registry at `url` may call the artefacts, the one to register first."""
    uri, run = version.spec.uri, _logged(version)
    if run is not None and run.model_id:
        yield f"models:/{run.model_id}"
    own, logged = handed_out(url), _LOGGED.search(uri)
    kept = uri.startswith(own)
    if logged is None:
        yield f"{BY_SERVER}/{uri.removeprefix(own)}" if kept else uri
        return
    model = f"models:/{logged[1]}"
    yield from (model, f"{BY_SERVER}/{uri.removeprefix(own)}") if kept else (uri, model)


def _tags(version: ModelVersion) -> Iterator[tuple[str, str]]:
    spec = version.spec
    told = {
        "model": spec.model,
        "training-run": spec.training_run,
        "data-revision": spec.data_revision,
        "code-revision": spec.code_revision,
        "digest": spec.digest or "",
    }
    return ((f"{GROUP}/{name}", value) for name, value in told.items() if value)


def _description(version: ModelVersion) -> str:
    meta, cause = version.metadata, version.spec.cause
    why = f": {cause_text(cause)}" if cause is not None else ""
    return f"ModelVersion {meta.name} of namespace {meta.namespace}{why}"[:LONGEST]
