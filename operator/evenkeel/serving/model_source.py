"""Which artefact a ModelDeployment serves: by URI, by ModelVersion, or the newest approved one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from evenkeel.api.common import ModelFormat
from evenkeel.api.modeldeployment import ModelSource
from evenkeel.api.modelversion import ModelVersion
from evenkeel.meta.conditions import find, is_true
from evenkeel.meta.refusal import Refused


class Target(NamedTuple):
    """The model that is to be served, once versions are resolved.

    version: name of the ModelVersion, "" for a plain URI. digest: of the artefact, if known.
    model: the model's name (ModelVersion.spec.model), "" for a plain URI.
    """

    uri: str
    version: str = ""
    format: ModelFormat | None = None
    digest: str = ""
    model: str = ""


def resolve(
    source: ModelSource, versions: Sequence[ModelVersion], tried: Collection[str], known: int
) -> Target | Refused:
    """The target of a model source.

    `versions` are those of the namespace that matter: a named one, those of `tried`, and of the
    followed model the newest approved one or else one that awaits a person. known: how many
    versions of the followed model there are. Following never goes back to a version
    older than one in `tried` (versions that serve or have served): a rolled back newest version
    leaves the stable one in place instead of trying its elders again. A version that is not
    approved is refused, also where it is named.
    """
    if source.uri is not None:
        return Target(source.uri, format=source.format)
    if source.version is not None:
        found = next((v for v in versions if v.metadata.name == source.version), None)
        if found is None:
            return Refused(
                "VersionNotFound",
                f"there is no ModelVersion {source.version!r} in this namespace; "
                "create it or correct spec.model.version",
            )
        return _unapproved(found) or _target(found)
    return _newest_approved(source.follow or "", versions, tried, known)


def _unapproved(version: ModelVersion) -> Refused | None:
    """Naming a version does not overrule its gates, nor who decides."""
    approved = find(version.status.conditions, "Approved")
    if approved is not None and approved.status == "True":
        return None
    name = version.metadata.name
    if approved is None or approved.status == "Unknown":
        return Refused("AwaitingApproval", f"ModelVersion {name} is not approved yet")
    return Refused(
        "VersionNotApproved",
        f"ModelVersion {name} may not go to production: {approved.message}; name another",
    )


def _newest_approved(
    model: str, versions: Sequence[ModelVersion], tried: Collection[str], known: int
) -> Target | Refused:
    own = [v for v in versions if v.spec.model == model and not v.metadata.deletion_timestamp]
    approved = [v for v in own if is_true(v.status.conditions, "Approved")]
    if not approved:
        waiting = [v.metadata.name for v in own if _awaits_a_person(v)]
        remedy = (
            f"decide on {min(waiting)}"
            if waiting
            else "train one with a TrainingRun or create a ModelVersion"
        )
        return Refused(
            "NoApprovedVersion",
            f"model {model!r} has {known} ModelVersions and none is approved; {remedy}",
        )
    ages = [_age(v) for v in own if v.metadata.name in tried]
    newest = max(approved, key=_age)
    if ages and _age(newest) < max(ages):
        latest = max((v for v in own if v.metadata.name in tried), key=_age)
        return _target(latest)
    return _target(newest)


def _awaits_a_person(version: ModelVersion) -> bool:
    approved = find(version.status.conditions, "Approved")
    return approved is not None and approved.reason == "AwaitingApproval"


def _age(version: ModelVersion) -> tuple[str, str]:
    return version.metadata.creation_timestamp, version.metadata.name


def _target(version: ModelVersion) -> Target:
    spec = version.spec
    return Target(spec.uri, version.metadata.name, spec.format, spec.digest or "", spec.model)
