"""The plan of a ModelDeployment: next rollout state, children that follow from it, conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import ModelDeploymentStatus
from evenkeel.api.modelversion import ModelVersion
from evenkeel.meta.conditions import Observation, merge, readiness
from evenkeel.meta.objects import Manifest, Ref
from evenkeel.meta.plan import Plan
from evenkeel.meta.refusal import Refused
from evenkeel.meta.times import seconds_since
from evenkeel.rollout.state import Rollout, advance, full_replicas, wanted_replicas
from evenkeel.rollout.version_records import version_records
from evenkeel.serving import children
from evenkeel.serving.model_source import Target
from evenkeel.serving.observed import Pods
from evenkeel.serving.pod_template import PodSettings, pod_template
from evenkeel.serving.revision import revision_name
from evenkeel.serving.runtime_selection import Selected
from evenkeel.verdict.indicators import Side, first_unresolved
from evenkeel.verdict.judgement import Observations

TROUBLE_AFTER = 10.0
"""Seconds without availability after which it is asked what ails the pods."""


@dataclass(frozen=True, slots=True)
class Child:
    """An observed child. `revision` is empty where it belongs to all revisions."""

    ref: Ref
    revision: str = ""
    pods: Pods = field(default_factory=Pods)
    stuck: str = ""
    """Message of a Deployment that has exceeded its progress deadline."""
    ports: tuple[str, ...] = ()
    """Port names of a Service."""
    unrouted: str = ""
    """Why no Gateway takes an HTTPRoute."""


@dataclass(frozen=True, slots=True)
class DeploymentSnapshot:
    """All that the plan of a ModelDeployment depends on."""

    deployment: ModelDeployment
    target: Target | Refused
    runtime: Selected | Refused
    children: tuple[Child, ...]
    versions: tuple[ModelVersion, ...]
    seen: Observations
    settings: PodSettings
    now: datetime


def plan_deployment(snapshot: DeploymentSnapshot) -> Plan:
    """What to write for a ModelDeployment; nothing while it is being deleted."""
    if snapshot.deployment.metadata.deletion_timestamp is not None:
        return Plan(status=snapshot.deployment.status)
    wanted = _wanted(snapshot)
    if isinstance(wanted, Refused):
        return _plan(snapshot, "", None, wanted)
    revision, template = wanted
    return _plan(snapshot, revision, template, None)


def _wanted(snapshot: DeploymentSnapshot) -> tuple[str, Manifest] | Refused:
    """The wanted revision and its pod template."""
    md, target, runtime = snapshot.deployment, snapshot.target, snapshot.runtime
    if isinstance(target, Refused):
        return target
    if isinstance(runtime, Refused):
        return runtime
    revision = revision_name(md.metadata.name, target, runtime.spec, md.spec)
    template = pod_template(md, revision, target, runtime.spec, snapshot.settings)
    if isinstance(template, Refused):
        return template
    if md.spec.analysis is not None:
        side = Side(md.metadata.namespace, md.metadata.name, revision)
        refused = first_unresolved(md.spec.analysis.indicators, runtime.spec.metrics, side)
        if refused is not None:
            return refused
    return revision, template


def _stable_template(snapshot: DeploymentSnapshot) -> Manifest | None:
    """The stable revision's pod template, if runtime and spec still give the same revision."""
    md, runtime, stable = snapshot.deployment, snapshot.runtime, snapshot.deployment.status.stable
    if stable is None or isinstance(runtime, Refused):
        return None
    target = Target(stable.uri, stable.version, stable.format)
    version = next((v for v in snapshot.versions if v.metadata.name == stable.version), None)
    if version is not None:
        target = target._replace(digest=version.spec.digest or "", model=version.spec.model)
    if revision_name(md.metadata.name, target, runtime.spec, md.spec) != stable.revision:
        return None
    template = pod_template(md, stable.revision, target, runtime.spec, snapshot.settings)
    return None if isinstance(template, Refused) else template


def _plan(
    snapshot: DeploymentSnapshot, revision: str, template: Manifest | None, refused: Refused | None
) -> Plan:
    md, now = snapshot.deployment, snapshot.now
    pods = {c.revision: c.pods for c in snapshot.children if c.ref.kind == "Deployment"}
    status = md.status
    if refused is None:
        assert isinstance(snapshot.target, Target)
        rollout = advance(md, revision, snapshot.target, pods, snapshot.seen, now)
    elif status.stable is not None:
        # What runs goes on, and a canary on trial may still go back, but nothing new begins; a
        # person's refusal of the very version on trial ends the trial.
        canary = status.canary
        on_trial = canary is not None and not _denied(snapshot, canary.version)
        current = canary if canary is not None and on_trial else status.stable
        target = Target(current.uri, current.version, current.format)
        rollout = advance(md, current.revision, target, pods, snapshot.seen, now)
    else:
        rollout = Rollout(None, None, status.old, status.history)
    stable = rollout.stable
    stable_pods = pods.get(stable.revision, Pods()) if stable else Pods()
    if stable is not None:
        stable = stable.model_copy(update={"ready_replicas": stable_pods.ready})
    observations = _conditions(snapshot, revision, rollout, stable_pods, refused)
    runtime = snapshot.runtime
    new_status = ModelDeploymentStatus(
        observed_generation=md.metadata.generation,
        conditions=merge(status.conditions, observations, md.metadata.generation, now),
        url=_url(md) if stable is not None else None,
        replicas=sum(p.ready for p in pods.values()),
        runtime=status.runtime if isinstance(runtime, Refused) else runtime.name,
        stable=stable,
        canary=rollout.canary,
        old=rollout.old,
        history=rollout.history,
    )
    applies, scales = _children(snapshot, revision, template, rollout, pods)
    return Plan(
        status=new_status,
        foreign=version_records(md, snapshot.versions, rollout, stable_pods.ready > 0, now),
        applies=tuple(applies),
        scales=tuple(scales),
        deletes=tuple(_deletes(snapshot, rollout)),
        events=rollout.events,
        requeue_after=_wake(rollout, pods, now),
    )


def _wake(rollout: Rollout, pods: dict[str, Pods], now: datetime) -> float | None:
    """Also while pods are not ready: no watch tells of what ails them."""
    wakes = [] if rollout.wake is None else [rollout.wake]
    for revision in (r.revision for r in (rollout.stable, rollout.canary) if r is not None):
        if (since := pods.get(revision, Pods()).unready_since) is not None:
            wakes.append(min(60.0, max(TROUBLE_AFTER, seconds_since(since, now))))
    return min(wakes, default=None)


def _denied(snapshot: DeploymentSnapshot, version: str) -> bool:
    return any(
        v.metadata.name == version and v.spec.approval.decision == "Denied"
        for v in snapshot.versions
    )


def _has_traffic(rollout: Rollout, pods: dict[str, Pods]) -> bool:
    canary = rollout.canary
    return canary is not None and canary.weight > 0 and pods.get(canary.revision, Pods()).ready > 0


def _children(
    snapshot: DeploymentSnapshot,
    revision: str,
    template: Manifest | None,
    rollout: Rollout,
    pods: dict[str, Pods],
) -> tuple[list[Manifest], list[tuple[Ref, int]]]:
    """Children by the rollout's state alone.

    Only the wanted revision's template is sure to be known; the others' Deployments stay as they
    are but for their replicas. A stable one that was deleted is made again where possible.
    """
    md, stable, canary = snapshot.deployment, rollout.stable, rollout.canary
    if stable is None:
        return [], []
    applies: list[Manifest] = []
    scales: list[tuple[Ref, int]] = []
    full = full_replicas(md, pods.get(stable.revision, Pods()))
    shares = {stable.revision: None if md.spec.autoscaling else full}
    if canary is not None:
        shares[canary.revision] = wanted_replicas(md, canary, full)
    templates = {revision: template} if template is not None else {}
    if stable.revision not in pods and stable.revision != revision:
        lost = _stable_template(snapshot)
        templates |= {stable.revision: lost} if lost is not None else {}
    for name, replicas in shares.items():
        if name in templates:
            # An autoscaler will own the number: it is set by another field manager then, since a
            # field that is no longer applied would fall back to its default.
            own = None if md.spec.autoscaling else replicas
            applies.append(children.deployment(md, name, templates[name], own))
        exists = name in pods or name in templates
        if replicas is not None and exists and (md.spec.autoscaling or name not in templates):
            scales.append((Ref("apps/v1", "Deployment", md.metadata.namespace, name), replicas))
    ports = template or _observed_ports(snapshot)
    gateway = md.spec.traffic.gateway is not None
    open_to_canary = _has_traffic(rollout, pods)
    everyone = open_to_canary and not gateway
    applies.append(children.service(md, ports, None if everyone else stable.revision))
    if gateway:
        applies += [children.revision_service(md, name, ports) for name in shares]
        weight = canary.weight if canary is not None and open_to_canary else 0
        route = children.http_route(
            md, stable.revision, canary.revision if canary is not None and weight else None, weight
        )
        if route is not None:
            applies.append(route)
    applies += [c for c in (children.hpa(md, stable.revision), children.pdb(md)) if c is not None]
    return applies, scales


def _observed_ports(snapshot: DeploymentSnapshot) -> Manifest:
    """A stand-in for the pod template, of which Services need the port names only."""
    name = snapshot.deployment.metadata.name
    main = next(
        (c for c in snapshot.children if c.ref.kind == "Service" and c.ref.name == name), None
    )
    names = main.ports if main is not None else ("http",)
    ports = [{"name": port, "containerPort": 1} for port in names]
    return {"spec": {"containers": [{"name": "model", "ports": ports}]}}


def _deletes(snapshot: DeploymentSnapshot, rollout: Rollout) -> list[Ref]:
    """Children of revisions that are no more, and kinds of children no longer asked for."""
    md = snapshot.deployment
    if rollout.stable is None:
        return []
    kept = {rollout.stable.revision, *(o.revision for o in rollout.old)}
    if rollout.canary is not None:
        kept.add(rollout.canary.revision)
    unwanted_kinds = {
        kind
        for kind, wanted in (
            ("HorizontalPodAutoscaler", md.spec.autoscaling),
            ("PodDisruptionBudget", md.spec.disruption_budget),
            ("HTTPRoute", md.spec.traffic.gateway),
        )
        if wanted is None
    }
    return [
        c.ref
        for c in snapshot.children
        if c.ref.kind in unwanted_kinds
        or (c.revision and c.revision not in kept)
        or (c.revision and c.ref.kind == "Service" and md.spec.traffic.gateway is None)
    ]


def _url(md: ModelDeployment) -> str:
    gateway = md.spec.traffic.gateway
    if gateway is not None and gateway.hostnames:
        return f"http://{gateway.hostnames[0]}"
    return f"http://{md.metadata.name}.{md.metadata.namespace}.svc"


def _conditions(
    snapshot: DeploymentSnapshot,
    revision: str,
    rollout: Rollout,
    stable_pods: Pods,
    refused: Refused | None,
) -> tuple[Observation, ...]:
    md = snapshot.deployment
    if refused is None:
        resolved = Observation("ModelResolved", "True", "Resolved", f"revision {revision}")
    else:
        resolved = Observation("ModelResolved", "False", refused.reason, refused.message)
    return (
        *_ready(snapshot, revision, rollout, stable_pods, refused),
        resolved,
        _available(md, rollout, stable_pods),
        _healthy(rollout),
    )


def _available(md: ModelDeployment, rollout: Rollout, pods: Pods) -> Observation:
    if rollout.stable is None:
        return Observation("Available", "False", "NoRevision", "no revision serves yet")
    message = f"{pods.ready} of {pods.wanted} pods of {rollout.stable.revision} are ready"
    if pods.ready > 0:
        return Observation("Available", "True", "PodsReady", message)
    if md.spec.replicas == 0 and md.spec.autoscaling is None:
        return Observation("Available", "True", "ScaledToZero", "spec.replicas is 0")
    return Observation("Available", "False", "NoReadyPods", message)


def _healthy(rollout: Rollout) -> Observation:
    """Whether the present or else the last rollout is going or went well."""
    canary = rollout.canary
    if canary is not None:
        where = f"{canary.revision} at {canary.weight} %: {canary.message}"
        return Observation("RolloutHealthy", "True", canary.reason or canary.stage, where)
    if not rollout.history:
        return Observation("RolloutHealthy", "True", "NoRollout", "no rollout yet")
    last = rollout.history[0]
    return Observation(
        "RolloutHealthy",
        "False" if last.outcome == "RolledBack" else "True",
        last.outcome,
        f"{last.revision}: {last.reason}: {last.message}",
    )


def _ready(
    snapshot: DeploymentSnapshot,
    revision: str,
    rollout: Rollout,
    pods: Pods,
    refused: Refused | None,
) -> tuple[Observation, ...]:
    md, stable, canary = snapshot.deployment, rollout.stable, rollout.canary
    if refused is not None:
        if refused.reason in ("NoApprovedVersion", "AwaitingApproval"):
            return readiness("Unknown", refused.reason, refused.message)
        return readiness("False", refused.reason, refused.message, stalled=True)
    assert stable is not None
    if canary is not None:
        return readiness(
            "Unknown",
            "RolloutInProgress",
            f"{canary.revision}, {canary.stage} at {canary.weight} %: {canary.message}",
        )
    if stable.revision != revision and md.spec.model.follow is None:
        last = next(o for o in rollout.history if o.revision == revision)
        return readiness(
            "False", "RolledBack", f"{last.revision}: {last.reason}: {last.message}", stalled=True
        )
    if pods.ready < pods.wanted or pods == Pods():
        if md.spec.replicas == 0 and md.spec.autoscaling is None:
            return readiness("True", "ScaledToZero", "spec.replicas is 0")
        stuck = next(
            (c.stuck for c in snapshot.children if c.stuck and c.revision == stable.revision), ""
        )
        if stuck:
            return readiness("False", "ProgressDeadlineExceeded", pods.told(stuck), stalled=True)
        count = f"{pods.ready} of {pods.wanted} pods are ready"
        return readiness("Unknown", "PodsStarting", pods.told(count))
    unrouted = next((c.unrouted for c in snapshot.children if c.unrouted), "")
    if unrouted and md.spec.traffic.gateway is not None:
        return readiness("Unknown", "RouteNotAccepted", unrouted)
    verb = "pod serves" if pods.ready == 1 else "pods serve"
    return readiness("True", "Serving", f"{pods.ready} {verb} revision {stable.revision}")
