"""The children of a ModelDeployment: they follow from the rollout's state alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from evenkeel import traffic
from evenkeel.api.common import ChildMetadata
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.objects import Manifest, Ref
from evenkeel.meta.refusal import Refused
from evenkeel.meta.resources import HPA, JOB, SERVICE, Watch, distinct
from evenkeel.meta.times import sooner
from evenkeel.performance.job import WATCH as LOADS
from evenkeel.rollout.baseline import baseline_replicas
from evenkeel.rollout.capacity import floor_replicas, full_replicas, stage_replicas
from evenkeel.rollout.probation import after_trial, taken_over
from evenkeel.rollout.state import RolloutState
from evenkeel.rollout.step_jobs import WATCH as STEPS
from evenkeel.rollout.stop_first import LOOK_AGAIN, occupied, stays_stopped, waits
from evenkeel.serving.baseline import baseline_template
from evenkeel.serving.children import WATCHES, hpa, own_labels, pdb, unwanted_kinds
from evenkeel.serving.deployments import deployments
from evenkeel.serving.division import PassedOn, division_marks, told
from evenkeel.serving.feedback import feedback_name, feedback_objects, feedback_of
from evenkeel.serving.observed import Pods
from evenkeel.serving.pod_marks import marked
from evenkeel.serving.pod_metadata import role_marks
from evenkeel.serving.ports import HTTP, Ports, port_number, template_ports
from evenkeel.serving.restarts import restarted
from evenkeel.serving.wanted import Revision, stable_template
from evenkeel.traffic import Division, strategy_of
from evenkeel.traffic.preview import left_over

HAND_OVER = 1.0
"""Seconds between two looks while one autoscaler has to go before another takes over."""


def watches() -> tuple[Watch, ...]:
    """What serves a model, measures it and divides its requests, one watch a type."""
    return distinct((*WATCHES, LOADS, STEPS, *traffic.watches()))


class Owned(NamedTuple):
    """Objects to apply, and Deployments whose number of replicas is set apart.

    beside: objects without which the model serves and is judged as well. marks: of pods that are
    to have other labels or annotations.
    replicas: the number of pods by revision; None where an autoscaler owns it.
    requeue_after: seconds until the next look where something waits for what others take away.
    """

    applies: list[Manifest]
    scales: list[tuple[Ref, int]]
    replicas: dict[str, int | None]
    requeue_after: float | None = None
    beside: Sequence[Manifest] = ()
    marks: tuple[tuple[Ref, Manifest], ...] = ()


def owned(
    snapshot: DeploymentSnapshot,
    wanted: Revision | Refused,
    rollout: RolloutState,
    divided: Division | None,
    pods: dict[str, Pods],
) -> Owned:
    """What the model needs now; nothing before the first revision."""
    md = snapshot.deployment
    if divided is None:
        return Owned([], [], {})
    assert rollout.stable is not None, "there is a division only beside a stable revision"
    templates = _templates(snapshot, wanted, rollout.stable.revision, pods)
    if rollout.canary is not None and rollout.canary.baseline not in pods:
        templates |= _copied(snapshot, rollout.canary.baseline)
    taken = occupied(pods, snapshot.present)
    replicas = _replicas(md, rollout, pods, taken)
    workloads = deployments(md, replicas, templates, pods)
    ports = _ports(snapshot, wanted, templates)
    routed = strategy_of(md.spec.traffic).objects(md, ports, divided)
    scalers = _autoscalers(md, rollout, pods)
    free = [s for s in scalers if not _selected(snapshot, s)]
    again = LOOK_AGAIN if _waiting(rollout, pods, taken) else None
    budget = pdb(md)
    others = [*free, *([] if budget is None else [budget])]
    return Owned(
        [*workloads.applies, *routed, *others],
        workloads.scales,
        replicas,
        sooner(again, HAND_OVER if len(free) < len(scalers) else None),
        feedback_objects(md, snapshot.settings.meter_image),
        marked(
            snapshot.pods,
            [
                division_marks(divided.stable, _passed_on(md, divided, ports)),
                role_marks(_roles(md, rollout)),
            ],
        ),
    )


def _roles(md: ModelDeployment, rollout: RolloutState) -> dict[str, ChildMetadata]:
    """By revision what its pods are given; the one that serves is stable, as in probation."""
    wanted, canary = md.spec.rollout.pod_metadata, rollout.canary
    if wanted is None:
        return {}
    found = {rollout.serving: wanted.stable}
    if canary is not None and not taken_over(canary):
        found[canary.revision] = wanted.canary
    return {revision: metadata for revision, metadata in found.items() if metadata is not None}


def _passed_on(md: ModelDeployment, divided: Division, ports: Ports) -> str:
    """What stable's meters are told to pass on; empty for nothing."""
    if divided.canary is None:
        return ""
    affinity = md.spec.traffic.affinity
    header = affinity.header if affinity is not None else None
    return told(
        md,
        PassedOn(
            divided.canary,
            mirror=divided.mirror,
            share=divided.passed,
            header=header.name if header is not None else "",
            grpc=ports.grpc,
        ),
    )


def relabelled(snapshot: DeploymentSnapshot) -> tuple[tuple[Ref, dict[str, str]], ...]:
    """The labels of children that somebody has taken them from, so that they are watched again."""
    md = snapshot.deployment
    lost = (c for c in snapshot.children if c.unlabelled)
    return tuple((c.ref, own_labels(md, c.revision)) for c in lost)


def unwanted(
    snapshot: DeploymentSnapshot,
    rollout: RolloutState,
    divided: Division | None,
    jobs: Collection[str] = (),
) -> tuple[Ref, ...]:
    """Children of revisions that are no more, and kinds of children no longer asked for.

    jobs: names of those that stay.
    """
    md = snapshot.deployment
    if rollout.stable is None or divided is None:
        return ()
    revisions = {rollout.stable.revision, *(o.revision for o in rollout.old)}
    if rollout.canary is not None:
        revisions |= {rollout.canary.revision, rollout.canary.baseline}
    canary = rollout.canary
    trial = canary.revision if canary is not None and not after_trial(canary) else ""
    kinds = unwanted_kinds(md.spec)
    of_labels = feedback_name(md.metadata.name) if feedback_of(md) is None else ""
    strategy, of_traffic = strategy_of(md.spec.traffic), {w.type.kind for w in traffic.watches()}
    return tuple(
        c.ref
        for c in snapshot.children
        if c.ref.kind in kinds
        or c.ref.name == of_labels
        or (c.revision and c.revision not in revisions)
        or (c.ref.kind == JOB.kind and c.ref.name not in jobs)
        or (c.ref.kind == HPA.kind and c.revision and c.revision != trial)
        or (
            c.ref.kind in of_traffic
            and not strategy.keeps(c.ref.kind, c.revision)
            # Jobs of steps may ask each revision by itself, and stable's meters pass requests on.
            and not (trial and c.ref.kind == SERVICE.kind and c.revision in revisions)
        )
        or (c.ref.kind in of_traffic and left_over(md, divided, c.ref.kind, c.ref.name))
    )


def _waiting(rollout: RolloutState, pods: dict[str, Pods], taken: int) -> bool:
    """Whether stable waits for room to come back."""
    stable = rollout.stable
    if stable is None:
        return False
    return waits(stable, rollout.canary, pods.get(stable.revision, Pods()), taken)


def _selected(snapshot: DeploymentSnapshot, scaler: Manifest) -> bool:
    """Whether another autoscaler is still there for the same pods.

    Both would leave them alone (AmbiguousSelector). The other one goes with this plan, or is set
    on another revision; meanwhile the pods stay as many as they are.
    """
    name, target = scaler["metadata"]["name"], scaler["spec"]["scaleTargetRef"]["name"]
    there = (c for c in snapshot.children if c.ref.kind == HPA.kind and c.ref.name != name)
    return any(c.scales == target for c in there)


def _replicas(
    md: ModelDeployment, rollout: RolloutState, pods: dict[str, Pods], taken: int
) -> dict[str, int | None]:
    """The number of pods by revision; None where an autoscaler owns it. taken: pods that hold
    room."""
    stable, canary = rollout.stable, rollout.canary
    assert stable is not None
    own, beside = Pods(), pods.get(stable.revision, Pods())
    if canary is not None:
        own = pods.get(canary.revision, Pods())
    full = full_replicas(md, beside, canary, own, stable.stopped_replicas)
    scaling = md.spec.autoscaling
    # An autoscaler leaves a Deployment without pods alone.
    numbers = {stable.revision: None if scaling and beside.wanted else full}
    if stays_stopped(stable, canary, beside, taken):
        numbers[stable.revision] = 0
    if canary is None:
        return numbers
    if after_trial(canary):
        probation = md.spec.rollout.probation
        watched = probation is not None and taken_over(canary)
        floor = floor_replicas(probation, full) if probation and watched else full
        served = None if scaling and own.wanted else full
        return {stable.revision: floor, canary.revision: served}
    wanted = 0 if canary.stage == "Stopping" else stage_replicas(md, canary, full)
    # Its autoscaler may have given it more, and needs time to give it as many. A Deployment that
    # is made without a number would begin with one pod.
    grown = own.wanted >= wanted > 0 and not canary.shrinks
    numbers[canary.revision] = None if scaling and grown else wanted
    if canary.baseline:
        numbers[canary.baseline] = baseline_replicas(md, canary, own, full)
    return numbers


def _autoscalers(
    md: ModelDeployment, rollout: RolloutState, pods: dict[str, Pods]
) -> list[Manifest]:
    """Stable's, and the canary's own during its trial, so that load may grow on either side.

    Stable keeps the size with which the trial began, so that going back needs no pods; one that
    has just been promoted keeps what it has for as long as the former revision lives on, and one
    that was stopped what it had until it has it again.
    """
    stable, canary, scaling = rollout.stable, rollout.canary, md.spec.autoscaling
    if stable is None or scaling is None:
        return []
    if canary is not None and after_trial(canary):
        # The former revision has a number of its own, so there is one autoscaler.
        return [s for s in (hpa(md, canary.revision, scaling.min_replicas),) if s is not None]
    beside = pods.get(stable.revision, Pods())
    former = min(stable.stopped_replicas or 0, scaling.max_replicas)
    least = max(scaling.min_replicas, former)
    if canary is not None:
        least = max(least, canary.stable_replicas)
    elif rollout.old:
        least = max(least, beside.wanted)
    made = [hpa(md, stable.revision, least)]
    if canary is not None and not canary.stop_first:
        own = pods.get(canary.revision)
        full = full_replicas(md, beside, canary, own, stable.stopped_replicas)
        made.append(hpa(md, canary.revision, stage_replicas(md, canary, full), own=True))
    return [scaler for scaler in made if scaler is not None]


def _templates(
    snapshot: DeploymentSnapshot, wanted: Revision | Refused, stable: str, pods: dict[str, Pods]
) -> dict[str, Manifest]:
    """The known pod templates. A stable Deployment that was deleted is made again if possible, and
    one whose pods are to be replaced gets its template once more."""
    md, runtime, now = snapshot.deployment, snapshot.runtime, snapshot.now
    known = {} if isinstance(wanted, Refused) else {wanted.name: wanted.template}
    if stable not in known and (stable not in pods or md.spec.restart_time is not None):
        lost = stable_template(md, runtime, snapshot.versions, snapshot.settings)
        if lost is not None:
            known[stable] = lost
    return {revision: restarted(md, template, now) for revision, template in known.items()}


def _copied(snapshot: DeploymentSnapshot, baseline: str) -> dict[str, Manifest]:
    """The template of a baseline that is to be made; once there it stays as it is."""
    if not baseline or snapshot.copied is None:
        return {}
    return {baseline: baseline_template(snapshot.copied, baseline)}


def _ports(
    snapshot: DeploymentSnapshot, wanted: Revision | Refused, templates: Mapping[str, Manifest]
) -> Ports:
    """The wanted revision's ports, or else those of the Service that is there; with the numbers
    of all revisions whose pods are known or have been led to by number already."""
    led = {c.revision: c.number for c in snapshot.children}
    known = {name: port_number(made["spec"], HTTP) for name, made in templates.items()}
    numbers = {name: n for name, n in (led | known).items() if n is not None}
    if not isinstance(wanted, Refused):
        return template_ports(wanted.template)._replace(http=numbers)
    name = snapshot.deployment.metadata.name
    main = (c.ports for c in snapshot.children if c.ref.kind == "Service" and c.ref.name == name)
    return next((p for p in main if p is not None), Ports())._replace(http=numbers)
