"""Which version of a registered model is served: what the registry says, or said last.

Nothing that a registry does or fails to do takes a model away that was resolved: while it is down,
or has lost what it was asked for, that model is served on.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from evenkeel.api.artifacts import SERVED_AS, fetched_from
from evenkeel.api.common import ModelFormat
from evenkeel.api.modeldeploymentstatus import ResolvedModel
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.modelsource import ModelSource, RegisteredSource
from evenkeel.meta.refusal import Refused
from evenkeel.meta.times import timestamp
from evenkeel.outside.mlflow import KIND, Missing, Registered, Which
from evenkeel.outside.poll import Poll, Sighting

PYFUNC = "python_function"

REMEDIES = {
    "AliasNotFound": "set the alias in the registry, or correct spec.model.registry.alias",
    "RegisteredModelNotFound": "register the model, or correct spec.model.registry.name",
    "RegisteredVersionNotFound": "correct spec.model.registry.version, or register it again",
    "RegisteredVersionNotReady": "see in the registry why, or move the alias to another version",
    "FlavorsUnknown": "log the model by MLflow, or name its format in spec.model.format",
}


class Resolution(NamedTuple):
    """What is served of a registry, and whether that is what it says now.

    model: Refused where nothing was resolved yet. trouble: why there may be something newer.
    asked: whether the registry has been asked since this process leads.
    """

    model: ResolvedModel | Refused
    trouble: Refused | None
    asked: bool


def question(source: ModelSource, registry: ModelRegistry) -> Poll:
    """What the registry is asked for the source, which has a model of a registry."""
    wanted = _of_registry(source)
    mlflow = registry.spec.mlflow
    return Poll(
        KIND,
        mlflow.url,
        Which(
            wanted.name,
            alias=wanted.alias or "",
            version=wanted.version or "",
            workspace=mlflow.workspace or "",
            flavors=source.format is None,
        ),
        float(registry.spec.interval_seconds),
        registry.spec.secret_name or "",
    )


def resolve(
    source: ModelSource,
    registry: ModelRegistry | None,
    known: ResolvedModel | None,
    seen: Sighting[object],
    now: datetime,
) -> Resolution:
    """The resolution of a source that has a model of a registry.

    registry: the ModelRegistry that it names; None if there is none. known: what was resolved
    before, of whatever source. seen: the answer to `question`.
    """
    wanted = _of_registry(source)
    before = known if known is not None and _of(known, wanted) else None
    if registry is None:
        gone = Refused(
            "RegistryNotFound",
            f"there is no ModelRegistry {wanted.registry!r} in this namespace; create it or "
            "correct spec.model.registry.registry",
        )
        return Resolution(before or gone, gone, True)
    failure = seen.failure
    trouble = None if failure is None else Refused(failure.reason, failure.message)
    if seen.answer is None:
        waits = trouble or Refused(
            "AwaitingRegistry", f"ModelRegistry {wanted.registry} has not answered yet"
        )
        return Resolution(before or waits, trouble, failure is not None)
    fresh = _answered(source, registry, seen.answer, seen.since or now)
    if isinstance(fresh, Refused):
        return Resolution(before or fresh, trouble or fresh, True)
    if before is not None and fresh.model_copy(update={"time": before.time}) == before:
        # It is the same since then, however often it was told.
        fresh = before
    return Resolution(fresh, trouble, True)


def _answered(
    source: ModelSource, registry: ModelRegistry, answer: object, since: datetime
) -> ResolvedModel | Refused:
    """The model that the registry's answer is about."""
    wanted = _of_registry(source)
    if isinstance(answer, Missing):
        remedy = REMEDIES[answer.reason]
        return Refused(answer.reason, f"ModelRegistry {wanted.registry}: {answer.words}; {remedy}")
    assert isinstance(answer, Registered)
    where = f"version {answer.version} of {wanted.name}"
    mlflow = registry.spec.mlflow
    uri = fetched_from(answer.uri, mlflow.url)
    if isinstance(uri, Refused):
        return Refused(uri.reason, f"{where}: {uri.message}")
    format_ = source.format or _served_as(answer)
    if isinstance(format_, Refused):
        return Refused(format_.reason, f"{where}: {format_.message}")
    return ResolvedModel(
        registry=wanted.registry,
        name=wanted.name,
        alias=wanted.alias or "",
        version=answer.version,
        run_id=answer.run_id,
        code_revision=answer.commit,
        source=answer.source,
        uri=uri,
        format=format_,
        flavors=answer.flavors,
        signed=answer.signed if answer.flavors else None,
        secret_name=registry.spec.secret_name or "",
        workspace=mlflow.workspace or "",
        time=timestamp(since),
    )


def _served_as(answer: Registered) -> ModelFormat | Refused:
    """The format by which a runtime is chosen.

    A flavor such as sklearn says how the model was saved by MLflow (as model.skops, say), which
    servers of plain scikit-learn do not read.
    """
    if PYFUNC in answer.flavors:
        return SERVED_AS
    known = ", ".join(answer.flavors)
    return Refused(
        "FlavorNotServed",
        f"its MLmodel has the flavors {known}, and no {PYFUNC}; log it with one, or name its "
        "format in spec.model.format",
    )


def _of_registry(source: ModelSource) -> RegisteredSource:
    assert source.registry is not None
    return source.registry


def _of(known: ResolvedModel, wanted: RegisteredSource) -> bool:
    """Whether it was resolved of the same words: an edit of them must not serve the former model
    as if it were the new one."""
    if (known.registry, known.name) != (wanted.registry, wanted.name):
        return False
    if wanted.alias is not None:
        return known.alias == wanted.alias
    return known.version == wanted.version
