"""What a ModelDeployment was before its status was lost, and where that can be read.

Its record says it, if the object came back with its annotations. If it was created anew, as from a
repository, the versions still say what became of them under this name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import (
    CanaryStatus,
    ModelDeploymentStatus,
    Outcome,
    RevisionStatus,
)
from evenkeel.api.modelversion import ModelVersion, Rollout
from evenkeel.api.record import annotation
from evenkeel.api.version_order import Age, age
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.times import precise
from evenkeel.rollout.probation import PROBATION, RETURNING, after_trial
from evenkeel.rollout.state import HISTORY_LIMIT
from evenkeel.serving.observed import Pods, pods_by_revision
from evenkeel.serving.wanted import stable_revision

_MESSAGE = 200
"""Characters that a record keeps of a verdict."""
_OF_PROBATION = frozenset(
    {"revision", "version", "registered", "uri", "format", "stage", "weight", "meter"}
    | {"start_time", "stage_time", "attempt", "wish", "stable_replicas", "in_window"}
)
_OF_RETURN = _OF_PROBATION | {"reason", "message", "cause"}
"""Fields that change with the stage alone, so that a record is written no oftener."""


def record(md: ModelDeployment, status: ModelDeploymentStatus) -> dict[str, str]:
    """The annotation; empty where spec alone says all: one revision that was never on trial."""
    stable, registry = status.stable, status.registry
    tried = status.canary is not None or status.history or status.served_alias is not None
    if stable is None or (md.spec.model.follow is None and registry is None and not tried):
        return {}
    short = (o.model_copy(update={"message": o.message[:_MESSAGE]}) for o in status.history)
    # The versions have the figures of those that do not serve.
    told = [o.model_copy(update={"performance": None}).wire() for o in short]
    serving = stable.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"ready_replicas", "metrics"}
    )
    # The registry may be down when the object comes back.
    asked = {"registry": registry, "servedAlias": status.served_alias}
    resolved = {name: found.wire() for name, found in asked.items() if found is not None}
    watched = {} if status.canary is None else _after_trial(status.canary)
    return annotation({"stable": serving, "history": told, **resolved, **watched})


def _after_trial(canary: CanaryStatus) -> dict[str, object]:
    """A revision that has taken over; a trial before that begins anew, at no cost."""
    if not after_trial(canary):
        return {}
    told = canary.model_copy(update={"message": canary.message[:_MESSAGE]})
    fields = _OF_RETURN if canary.stage == RETURNING else _OF_PROBATION
    kept = told.model_dump(mode="json", by_alias=True, exclude_none=True, include=set(fields))
    return {"canary": kept}


def with_former_rollouts(md: ModelDeployment, versions: Iterable[ModelVersion]) -> ModelDeployment:
    """The object with what the versions tell of rollouts under its name that it does not know of.

    One that was taken back is not tried again, and what was in production when the object was
    deleted is there again.
    """
    told = [(v, r) for v in versions for r in _rollouts(v) if r.deployment == md.metadata.name]
    known = {o.revision for o in md.status.history}
    known |= {r.revision for r in (md.status.stable, md.status.canary) if r is not None}
    new = [p for p in told if p[1].outcome == "RolledBack" and p[1].revision not in known]
    # What was on probation has yet to prove itself.
    promoted = [p for p in told if p[1].outcome == "Promoted" and p[1].reason != PROBATION]
    found: dict[str, object] = {}
    if md.status.stable is None and promoted:
        version, serving = max(promoted, key=_time)
        found["stable"] = RevisionStatus(
            revision=serving.revision,
            version=version.metadata.name,
            uri=version.spec.uri,
            format=version.spec.format,
        )
        new += promoted
        if (
            watched := max((p for p in told if _serves(p[1])), key=_time, default=None)
        ) is not None:
            found["canary"] = _watched(*watched)
    if new:
        new.sort(key=_time, reverse=True)
        former = (_outcome(*p) for p in new)
        found["history"] = (*md.status.history, *former)[:HISTORY_LIMIT]
    return _with(md, **found) if found else md


def _serves(rollout: Rollout) -> bool:
    """Whether it had taken over, and nothing else was decided yet."""
    return rollout.reason in (PROBATION, RETURNING) and rollout.outcome != "RolledBack"


def _watched(version: ModelVersion, rollout: Rollout) -> CanaryStatus:
    return CanaryStatus(
        revision=rollout.revision,
        version=version.metadata.name,
        uri=version.spec.uri,
        format=version.spec.format,
        stage=PROBATION if rollout.reason == PROBATION else RETURNING,
        weight=100,
        start_time=rollout.time,
        stage_time=rollout.time,
        reason=rollout.reason,
        message="the ModelDeployment was made anew",
    )


def _rollouts(version: ModelVersion) -> tuple[Rollout, ...]:
    status = version.status
    told = {r.deployment for r in status.rollouts}
    return (*status.rollouts, *(r for r in status.rolled_back if r.deployment not in told))


def _time(pair: tuple[ModelVersion, Rollout]) -> tuple[str, Age]:
    return pair[1].time, age(pair[0])


def _outcome(version: ModelVersion, rollout: Rollout) -> Outcome:
    return Outcome(
        revision=rollout.revision,
        version=version.metadata.name,
        outcome=rollout.outcome,
        reason=rollout.reason,
        message=rollout.message,
        time=rollout.time,
    )


def with_probation_resumed(snapshot: DeploymentSnapshot) -> DeploymentSnapshot:
    """The snapshot of an object without a status with what had taken over, if its pods are there.

    Its evidence is lost, so its time begins anew. Without its pods it is tried again.
    """
    md, pods = snapshot.deployment, pods_by_revision(snapshot.children)
    stable, canary = md.status.stable, md.status.canary
    if canary is None or md.status.observed_generation:
        return snapshot
    own = pods.get(canary.revision)
    if own is None or stable is None or not after_trial(canary):
        return replace(snapshot, deployment=_with(md, canary=None))
    seen = {
        "crashes_seen": own.crashes,
        "stable_crashes_seen": pods.get(stable.revision, Pods()).crashes,
    }
    resumed = canary.model_copy(update={"stage_time": precise(snapshot.now), **seen})
    return replace(snapshot, deployment=_with(md, canary=resumed))


def with_stable_remade(snapshot: DeploymentSnapshot) -> DeploymentSnapshot:
    """The snapshot with a stable revision that can be served.

    Where its Deployment is gone and spec or runtime have changed since, its model is served as they
    have it now: nothing is there to compare with, and nothing else has proved itself.
    """
    md = snapshot.deployment
    stable, pods = md.status.stable, pods_by_revision(snapshot.children)
    if stable is None or md.status.canary is not None or stable.revision in pods:
        return snapshot
    if stable.version and stable.version not in _names(snapshot.versions) and not stable.digest:
        return snapshot
    made = stable_revision(md, snapshot.runtime, snapshot.versions, snapshot.settings)
    if made is None or made.name == stable.revision:
        return snapshot
    remade = stable.model_copy(update={"revision": made.name})
    return replace(snapshot, deployment=_with(md, stable=remade))


def with_provenance(stable: RevisionStatus, versions: Sequence[ModelVersion]) -> RevisionStatus:
    """The revision with what outlives its version: its age and digest."""
    version = next((v for v in versions if v.metadata.name == stable.version), None)
    if version is None:
        return stable
    trained = precise(age(version)[0])
    return stable.model_copy(update={"trained_time": trained, "digest": version.spec.digest or ""})


def _names(versions: Iterable[ModelVersion]) -> set[str]:
    return {v.metadata.name for v in versions}


def _with(md: ModelDeployment, **status: object) -> ModelDeployment:
    return md.model_copy(update={"status": md.status.model_copy(update=status)})
