"""The plan of a ModelDeployment: each room is asked once, from the model to the status."""

from __future__ import annotations

from dataclasses import replace

from evenkeel.api.groupstatus import GroupStatus
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import ModelDeploymentStatus, RevisionStatus
from evenkeel.api.performance import Sizing
from evenkeel.controllers.modeldeployment.children import Owned, owned, relabelled, unwanted
from evenkeel.controllers.modeldeployment.conditions import Situation, observations
from evenkeel.controllers.modeldeployment.conditions.labels_ready import awaited as keys_awaited
from evenkeel.controllers.modeldeployment.conditions.monitored import awaited as scrape_awaited
from evenkeel.controllers.modeldeployment.drift import began
from evenkeel.controllers.modeldeployment.earlier_life import (
    record,
    with_probation_resumed,
    with_provenance,
    with_stable_remade,
)
from evenkeel.controllers.modeldeployment.names import (
    looked_at_again,
    name_refusal,
    told_once,
    writable,
)
from evenkeel.controllers.modeldeployment.references import reference
from evenkeel.controllers.modeldeployment.revision_metrics import revision_meter, revision_metrics
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.conditions import find, merge
from evenkeel.meta.objects import Event, Manifest, label_selector
from evenkeel.meta.plan import Plan, StatusPatch
from evenkeel.meta.refusal import Refused
from evenkeel.meta.times import sooner
from evenkeel.performance.measurement import Measurement, measurement
from evenkeel.performance.sizing import sizing
from evenkeel.registries.asked_again import asked_again
from evenkeel.rollout.advance import advance
from evenkeel.rollout.capacity import full_replicas
from evenkeel.rollout.division import by_meters, division
from evenkeel.rollout.goal import rollout_goal
from evenkeel.rollout.group import bond, discord
from evenkeel.rollout.group_status import group_status
from evenkeel.rollout.performance_records import performance_records
from evenkeel.rollout.probation import judged_by, not_awaited
from evenkeel.rollout.state import RolloutState, with_release
from evenkeel.rollout.steering import misdirected
from evenkeel.rollout.step_jobs import kept_jobs, step_job, with_outcome
from evenkeel.rollout.stop_first import occupied
from evenkeel.rollout.version_records import version_records
from evenkeel.serving.children import selector
from evenkeel.serving.feedback import feedback_of
from evenkeel.serving.observed import Pods, feedback_pods, pods_by_revision
from evenkeel.serving.restarts import until_restart
from evenkeel.serving.wanted import Revision, wanted_revision
from evenkeel.traffic import strategy_of
from evenkeel.verdict.indicators import Side, sourced
from evenkeel.verdict.judgement import assess
from evenkeel.verdict.resolution import first_unresolved


def plan_deployment(snapshot: DeploymentSnapshot) -> Plan:
    """What to write for a ModelDeployment; nothing while it is being deleted."""
    snapshot = with_stable_remade(with_probation_resumed(snapshot))
    md, now = snapshot.deployment, snapshot.now
    if md.metadata.deletion_timestamp is not None:
        return Plan(status=md.status)
    pods = pods_by_revision(snapshot.children)
    wanted = _judgeable(snapshot)
    snapshot, load = _measured(snapshot, wanted, pods)
    md = with_outcome(snapshot.deployment, snapshot.steps)
    snapshot = replace(snapshot, deployment=md)
    unnamed = name_refusal(snapshot.taken)
    judgement = assess(md.status.canary, judged_by(md), snapshot.seen, not_awaited(md))
    goal = rollout_goal(md.status, unnamed or wanted, _denied(snapshot))
    taken = occupied(pods, snapshot.present)
    tie = bond(md, snapshot.others)
    rollout = with_release(advance(md, goal, pods, judgement, taken, now, tie), md)
    full = _full(md, rollout, pods)
    divided = by_meters(md, rollout, division(rollout, md.spec.rollout, pods, full), pods)
    children = owned(snapshot, wanted, rollout, divided, pods)
    serving = _serving_pods(rollout, pods, children)
    situation = Situation(
        md=md,
        wanted=wanted,
        rollout=rollout,
        pods=serving,
        children=snapshot.children,
        now=now,
        unnamed=unnamed,
        registry=snapshot.registry,
        told=snapshot.told,
        alias=snapshot.alias,
        monitoring=snapshot.drift.of(rollout.serving),
        meters=snapshot.drift.meters,
        load=load,
        apart=None if md.spec.rollout.group is None else discord(md, snapshot.others),
    )
    stands = group_status(md, snapshot.others, unnamed or wanted, rollout, tie, now)
    status = _status(snapshot, situation, pods, stands)
    deletes = unwanted(snapshot, rollout, divided, {load.kept, *kept_jobs(md, rollout.canary)})
    return Plan(
        status=status,
        status_patches=_told_versions(snapshot, rollout, status, serving),
        relabels=relabelled(snapshot),
        applies=writable([*children.applies, *_jobs(md, rollout, load)], snapshot.taken),
        scales=tuple(children.scales),
        marks=children.marks,
        adopts=tuple(c.ref for c in snapshot.children if c.left_behind and c.ref not in deletes),
        deletes=deletes,
        annotations=record(md, status),
        offers=reference(snapshot, rollout.serving) if rollout.stable is not None else (),
        beside=writable(children.beside, snapshot.taken),
        events=(
            *rollout.events,
            *_steering(md, rollout),
            *told_once(snapshot),
            *began(md.status, status.monitoring),
        ),
        requeue_after=sooner(
            load.due,
            scrape_awaited(situation),
            _requeue_after(snapshot, rollout, children, status),
        ),
        # The first revision follows from the spec alone, and serves at once.
        status_last=md.status.stable is None,
    )


def _measured(
    snapshot: DeploymentSnapshot, wanted: Revision | Refused, pods: dict[str, Pods]
) -> tuple[DeploymentSnapshot, Measurement]:
    """What is measured, and the snapshot with the figures that have just come."""
    load = measurement(
        snapshot.deployment,
        wanted,
        snapshot.runtime,
        pods,
        snapshot.loads,
        snapshot.settings.meter_image,
        snapshot.now,
    )
    return replace(snapshot, deployment=load.deployment), load


def _jobs(md: ModelDeployment, rollout: RolloutState, load: Measurement) -> tuple[Manifest, ...]:
    """The Job to be made, unless a trial has just begun or ended: the status has what it is for.

    It is applied last, so that its refusal keeps nothing from serving.
    """
    before, after = md.status.canary, rollout.canary
    moved = (before and before.start_time) != (after and after.start_time)
    measures = () if load.job is None or moved else (load.job,)
    steps = step_job(md, after)
    return measures if steps is None else (*measures, steps)


def _told_versions(
    snapshot: DeploymentSnapshot,
    rollout: RolloutState,
    status: ModelDeploymentStatus,
    serving: Pods,
) -> tuple[StatusPatch, ...]:
    """What the ModelVersions learn: how their rollouts went, and what their pods carry."""
    md, versions, serves = snapshot.deployment, snapshot.versions, serving.ready > 0
    return (
        *version_records(md, versions, rollout, serves, snapshot.now, status.served_alias),
        *performance_records(md, versions, rollout),
    )


def _requeue_after(
    snapshot: DeploymentSnapshot,
    rollout: RolloutState,
    children: Owned,
    status: ModelDeploymentStatus,
) -> float | None:
    """Seconds until something is due by itself."""
    return sooner(
        rollout.requeue_after,
        children.requeue_after,
        until_restart(snapshot.deployment, snapshot.now),
        looked_at_again(snapshot),
        snapshot.drift.due,
        # What a coordinator decides on has to stand in its own status, too.
        0.0 if status.group != snapshot.deployment.status.group else None,
        keys_awaited(feedback_pods(snapshot.children), snapshot.now.timestamp()) or None,
        asked_again(snapshot.told, snapshot.alias, snapshot.deployment.status, status),
    )


def _serving_pods(rollout: RolloutState, pods: dict[str, Pods], children: Owned) -> Pods:
    """Those of the revision that serves; of one that is being made, those that it will have."""
    if rollout.stable is None:
        return Pods()
    name = rollout.serving
    return pods.get(name) or Pods(wanted=children.replicas.get(name) or 0)


def _judgeable(snapshot: DeploymentSnapshot) -> Revision | Refused:
    """The wanted revision, if a canary of it could be judged."""
    md, runtime = snapshot.deployment, snapshot.runtime
    wanted = wanted_revision(md, snapshot.target, runtime, snapshot.settings)
    analysis = judged_by(md)
    if isinstance(wanted, Refused) or isinstance(runtime, Refused) or analysis is None:
        return wanted
    stable, metered = md.status.stable, md.spec.monitoring is not None
    labels = feedback_of(md) is not None
    side = Side(md.metadata.namespace, md.metadata.name, wanted.name, metered, labels)
    beside = stable is None or stable.revision == wanted.name or bool(stable.meter)
    deciding = (i for i in analysis.indicators if not i.dry_run)
    indicators = [sourced(i, metered=metered and beside, labels=labels) for i in deciding]
    refused = first_unresolved(indicators, runtime.spec.metrics, side, snapshot.unmade)
    return wanted if refused is None else refused


def _denied(snapshot: DeploymentSnapshot) -> set[str]:
    """Names of the versions that a person has refused."""
    return {v.metadata.name for v in snapshot.versions if v.spec.approval.decision == "Denied"}


def _full(md: ModelDeployment, rollout: RolloutState, pods: dict[str, Pods]) -> int:
    """Pods that carry all requests."""
    stable, canary = rollout.stable, rollout.canary
    beside = pods.get(stable.revision, Pods()) if stable is not None else Pods()
    own = pods.get(canary.revision) if canary is not None else None
    return full_replicas(md, beside, canary, own, stable.stopped_replicas if stable else None)


def _steering(md: ModelDeployment, rollout: RolloutState) -> tuple[Event, ...]:
    """Told once: afterwards the condition says so."""
    problem = misdirected(md.spec.rollout, rollout)
    told = find(md.status.conditions, "SteeringAccepted")
    if not problem or (told is not None and told.message == problem):
        return ()
    return (Event("Warning", "RevisionNotOnTrial", problem),)


def _sizing(situation: Situation, stable: RevisionStatus | None) -> Sizing | None:
    """What the serving revision's figures recommend, beside what is set for its pods."""
    if stable is None or stable.performance is None:
        return None
    wanted = situation.wanted
    if isinstance(wanted, Refused) or wanted.name != stable.revision:
        return sizing(situation.md, stable.performance, None)
    return sizing(situation.md, stable.performance, wanted.template)


def _status(
    snapshot: DeploymentSnapshot,
    situation: Situation,
    pods: dict[str, Pods],
    stands: GroupStatus | None,
) -> ModelDeploymentStatus:
    md, runtime, rollout = snapshot.deployment, snapshot.runtime, situation.rollout
    stable, canary = rollout.stable, rollout.canary
    if stable is not None:
        metrics = revision_metrics(snapshot, situation.wanted, stable)
        ready = pods.get(stable.revision, Pods()).ready
        meter = revision_meter(md, situation.wanted, stable)
        found = {"ready_replicas": ready, "metrics": metrics, "meter": meter}
        stable = stable.model_copy(update=found)
        stable = with_provenance(stable, snapshot.versions)
    if canary is not None:
        metrics = revision_metrics(snapshot, situation.wanted, canary)
        meter = revision_meter(md, situation.wanted, canary)
        canary = canary.model_copy(update={"metrics": metrics, "meter": meter})
    generation = md.metadata.generation
    return ModelDeploymentStatus(
        observed_generation=generation,
        conditions=merge(md.status.conditions, observations(situation), generation, snapshot.now),
        url=strategy_of(md.spec.traffic).url(md) if stable is not None else None,
        replicas=sum(p.existing for p in pods.values()),
        ready_replicas=sum(p.ready for p in pods.values()),
        selector=label_selector(selector(md, None)),
        runtime=md.status.runtime if isinstance(runtime, Refused) else runtime.name,
        registry=md.status.registry,
        served_alias=None if snapshot.alias is None else snapshot.alias.status,
        monitoring=situation.monitoring,
        sizing=_sizing(situation, stable),
        stable=stable,
        canary=canary,
        group=stands,
        old=rollout.old,
        history=rollout.history,
    )
