"""What a ModelDeployment records on ModelVersions: how many requests a pod of them carries here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.performance import Performance, Recommended, VersionPerformance
from evenkeel.meta.plan import StatusPatch
from evenkeel.performance.sizing import recommended
from evenkeel.rollout.state import RolloutState
from evenkeel.rollout.version_patch import version_patch


def performance_records(
    md: ModelDeployment, versions: Sequence[ModelVersion], rollout: RolloutState
) -> tuple[StatusPatch, ...]:
    """The figures of each ModelVersion, written where it says something else yet."""
    entries = {
        version: VersionPerformance(
            deployment=md.metadata.name,
            revision=revision,
            figures=figures,
            **dict(recommended(md, figures) or Recommended()),
        )
        for version, revision, figures in _figures(rollout)
    }
    told = ((v, entries.get(v.metadata.name)) for v in versions)
    return tuple(_patch(md, v, e) for v, e in told if e and e not in v.status.performance)


def _figures(rollout: RolloutState) -> Iterator[tuple[str, str, Performance]]:
    """Version, revision and figures, the present ones last."""
    sides = (one for one in (rollout.stable, rollout.canary) if one is not None)
    for one in (*reversed(rollout.history), *sides):
        if one.version and one.performance is not None:
            yield one.version, one.revision, one.performance


def _patch(md: ModelDeployment, version: ModelVersion, entry: VersionPerformance) -> StatusPatch:
    return version_patch(md, version, "performance", entry, "performance")
