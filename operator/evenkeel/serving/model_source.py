"""Which artefact a ModelDeployment serves: by URI, by ModelVersion, the newest approved one, or as
a registry has it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from evenkeel.api.common import ModelFormat
from evenkeel.api.modeldeploymentstatus import ResolvedModel
from evenkeel.api.modelsource import ModelSource
from evenkeel.api.modelversion import Download, ModelVersion
from evenkeel.api.registration import RegisteredVersion
from evenkeel.api.uri import is_proxied
from evenkeel.api.version_order import age, tied, trained
from evenkeel.meta.conditions import find, is_true
from evenkeel.meta.refusal import Refused


class Target(NamedTuple):
    """The model that is to be served, once versions are resolved.

    version: name of the ModelVersion, "" for a plain URI. digest: of the artefact, if known.
    model: the model's name (ModelVersion.spec.model), "" for a plain URI. registered: what it is in
    its registry, if it is served by its name there. download: what the ModelVersion says that its
    server is shown.
    """

    uri: str
    version: str = ""
    format: ModelFormat | None = None
    digest: str = ""
    model: str = ""
    registered: ResolvedModel | None = None
    download: Download | None = None

    @property
    def shown(self) -> Download | None:
        """What its server is shown, where that hands the artefact out itself; None: not known."""
        found = self.registered
        if found is None:
            return self.download
        return Download(secret_name=found.secret_name, workspace=found.workspace)

    @property
    def identity(self) -> RegisteredVersion | None:
        """Which version it is in its registry, if it is of one."""
        return None if self.registered is None else self.registered.identity

    @property
    def number(self) -> str:
        """The number of the version in its registry, "" for a model of none."""
        return "" if self.registered is None else self.registered.version


class Past(NamedTuple):
    """What became of versions where the model is to be served.

    served: names of those that serve or have served. taken_back: of those that were rolled back.
    gone: when the version that serves was trained, if it is not there any more.
    """

    served: Collection[str] = ()
    taken_back: Collection[str] = ()
    gone: datetime | None = None


NEW = Past()


def resolve(
    source: ModelSource,
    versions: Sequence[ModelVersion],
    known: int,
    past: Past = NEW,
    registered: ResolvedModel | Refused | None = None,
) -> Target | Refused:
    """The target of a model source.

    `versions` are those of the namespace that matter: a named one, those of the past, and of the
    followed model the newest approved ones and the newest that are not judged, or else one that
    awaits a person. known: how many versions of the followed model there are. Following never goes
    back to a version older than one that has served: a rolled back newest version leaves the stable
    one in place instead of trying its elders again. A version that is not approved is refused, also
    where it is named. registered: what the registry's model is, where the source has one.
    """
    if source.uri is not None:
        return Target(source.uri, format=source.format)
    if source.registry is not None:
        assert registered is not None
        return registered if isinstance(registered, Refused) else _registered(source, registered)
    if source.version is not None:
        found = next((v for v in versions if v.metadata.name == source.version), None)
        if found is None:
            return Refused(
                "VersionNotFound",
                f"there is no ModelVersion {source.version!r} in this namespace; "
                "create it or correct spec.model.version",
            )
        return _unapproved(found) or _target(found)
    return _newest_approved(source.follow or "", versions, known, past)


def _registered(source: ModelSource, found: ResolvedModel) -> Target:
    return Target(found.uri, format=source.format or found.format, registered=found)


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
    model: str, versions: Sequence[ModelVersion], known: int, past: Past
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
    served = [v for v in own if v.metadata.name in past.served]
    if not served:
        # Nothing protects the first to be served.
        approved = [v for v in approved if v.metadata.name not in past.taken_back]
    if not approved:
        return Refused(
            "NoApprovedVersion",
            f"all approved versions of model {model!r} were rolled back here; train another one, "
            "or name one by spec.model.version",
        )
    newest = max(approved, key=age)
    if served and age(newest) <= age(latest := max(served, key=age)):
        return _target(latest)
    if past.gone is not None and trained(newest) < past.gone:
        return Refused(
            "VersionNotFound",
            f"the newest approved version, {newest.metadata.name}, is older than the one in "
            "production, which is not there any more; restore or train one, or name one by "
            "spec.model.version",
        )
    return _unordered(newest, approved) or _unjudged(newest, own, served) or _target(newest)


def _unordered(newest: ModelVersion, approved: Sequence[ModelVersion]) -> Refused | None:
    """To guess which one is the newer could serve an old model in silence."""
    rivals = sorted(v.metadata.name for v in approved if tied(v, newest))
    if len(rivals) < 2:
        return None
    return Refused(
        "OrderUnknown",
        f"ModelVersions {', '.join(rivals[:5])} were created in the same second and do not tell "
        "when they were trained; set their spec.trainedTime, or name one by spec.model.version",
    )


def _unjudged(
    newest: ModelVersion, own: Sequence[ModelVersion], known: Sequence[ModelVersion]
) -> Refused | None:
    """The first to be served waits for those that may be newer, which a restore may judge later."""
    unjudged = (v for v in own if not find(v.status.conditions, "Approved"))
    rivals = (v for v in unjudged if age(v) > age(newest) or tied(v, newest))
    if known or (waiting := next(rivals, None)) is None:
        return None
    name = waiting.metadata.name
    return Refused("AwaitingApproval", f"ModelVersion {name} may be newer and is not judged yet")


def _awaits_a_person(version: ModelVersion) -> bool:
    approved = find(version.status.conditions, "Approved")
    return approved is not None and approved.reason == "AwaitingApproval"


def _target(version: ModelVersion) -> Target | Refused:
    spec, name = version.spec, version.metadata.name
    download = version.status.download
    if is_proxied(spec.uri) and download is None:
        registry = spec.mlflow.registry if spec.mlflow is not None else ""
        return Refused(
            "RegistryNotFound",
            f"ModelVersion {name} is handed out by the server of ModelRegistry {registry}, and no "
            "such ModelRegistry with its address was there so far; create it",
        )
    target = Target(spec.uri, name, spec.format, spec.digest or "", spec.model)
    return target._replace(download=download)
