"""What a ModelDeployment records on ModelVersions: how their rollouts went here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import ServedAliasStatus
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.modelversion import Rollout as VersionRollout
from evenkeel.meta.plan import StatusPatch
from evenkeel.meta.times import timestamp
from evenkeel.rollout.probation import taken_over
from evenkeel.rollout.state import RolloutState
from evenkeel.rollout.version_patch import version_patch


def version_records(
    md: ModelDeployment,
    versions: Sequence[ModelVersion],
    rollout: RolloutState,
    serves: bool,
    now: datetime,
    alias: ServedAliasStatus | None = None,
) -> tuple[StatusPatch, ...]:
    """What became of each ModelVersion here, written where it says something else yet.

    `serves`: whether the stable revision has a ready pod. alias: what spec.servedAlias was set to.
    """
    entries: dict[str, VersionRollout] = {}
    name = md.metadata.name
    stable, canary = rollout.stable, rollout.canary
    serving = stable.version if stable is not None else ""
    for outcome in reversed(rollout.history):
        # Another revision of the version that serves (other resources, say) says nothing of it.
        beside = outcome.version == serving and outcome.outcome != "Promoted"
        if outcome.version and not beside:
            entries[outcome.version] = VersionRollout(
                deployment=name,
                revision=outcome.revision,
                outcome=outcome.outcome,
                time=outcome.time,
                reason=outcome.reason,
                message=outcome.message,
            )
    if stable is not None and stable.version and serves:
        entries.setdefault(
            stable.version,
            VersionRollout(
                deployment=name,
                revision=stable.revision,
                outcome="Promoted",
                time=timestamp(now),
                reason="FirstRevision",
                message="the first revision serves at once, without a canary",
            ),
        )
    if canary is not None and canary.version and canary.version != serving:
        entries[canary.version] = VersionRollout(
            deployment=name,
            revision=canary.revision,
            outcome="Promoted" if taken_over(canary) else "Progressing",
            time=timestamp(now),
            reason=canary.stage,
        )
    known = ((v, entries.get(v.metadata.name) or _aliased(v, name)) for v in versions)
    told = ((v, _with_alias(v, entry, alias)) for v, entry in known if entry is not None)
    return tuple(_patch(md, version, entry) for version, entry in told if not _same(version, entry))


def _aliased(version: ModelVersion, deployment: str) -> VersionRollout | None:
    """What stands there already, where it has an alias that may mean another version by now."""
    own = (r for r in version.status.rollouts if r.deployment == deployment and r.alias)
    return next(own, None)


def _with_alias(
    version: ModelVersion, entry: VersionRollout, alias: ServedAliasStatus | None
) -> VersionRollout:
    registered = version.status.registered
    if alias is None or registered is None or alias.identity != registered.identity:
        return entry.model_copy(update={"alias": ""})
    return entry.model_copy(update={"alias": alias.alias})


def _same(version: ModelVersion, entry: VersionRollout) -> bool:
    return any(
        r.model_copy(update={"time": ""}) == entry.model_copy(update={"time": ""})
        for r in version.status.rollouts
    )


def _patch(md: ModelDeployment, version: ModelVersion, entry: VersionRollout) -> StatusPatch:
    return version_patch(md, version, "rollouts", entry, "rollout")
