"""The children of a ModelDeployment: they follow from the rollout's state alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from evenkeel import traffic
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.objects import Manifest, Ref
from evenkeel.meta.refusal import Refused
from evenkeel.meta.resources import HPA, Watch, distinct
from evenkeel.rollout.capacity import full_replicas, stage_replicas
from evenkeel.rollout.state import RolloutState
from evenkeel.serving.children import WATCHES, hpa, pdb, unwanted_kinds
from evenkeel.serving.deployments import deployments
from evenkeel.serving.observed import Pods
from evenkeel.serving.ports import Ports, template_ports
from evenkeel.serving.wanted import Revision, stable_template
from evenkeel.traffic import Division, strategy_of


def watches() -> tuple[Watch, ...]:
    """What serves a model and divides its requests, one watch a type."""
    return distinct((*WATCHES, *traffic.watches()))


class Owned(NamedTuple):
    """Objects to apply, and Deployments whose number of replicas is set apart."""

    applies: list[Manifest]
    scales: list[tuple[Ref, int]]


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
        return Owned([], [])
    templates = _templates(snapshot, wanted, divided.stable, pods)
    workloads = deployments(md, _replicas(snapshot, rollout, pods), templates, pods)
    routed = strategy_of(md.spec.traffic).objects(md, _ports(snapshot, wanted), divided)
    others = [c for c in (*_autoscalers(md, rollout, pods), pdb(md)) if c is not None]
    return Owned([*workloads.applies, *routed, *others], workloads.scales)


def unwanted(snapshot: DeploymentSnapshot, rollout: RolloutState) -> tuple[Ref, ...]:
    """Children of revisions that are no more, and kinds of children no longer asked for."""
    md = snapshot.deployment
    if rollout.stable is None:
        return ()
    revisions = {rollout.stable.revision, *(o.revision for o in rollout.old)}
    if rollout.canary is not None:
        revisions.add(rollout.canary.revision)
    trial = rollout.canary.revision if rollout.canary is not None else ""
    kinds = unwanted_kinds(md.spec)
    strategy, of_traffic = strategy_of(md.spec.traffic), {w.type.kind for w in traffic.watches()}
    return tuple(
        c.ref
        for c in snapshot.children
        if c.ref.kind in kinds
        or (c.revision and c.revision not in revisions)
        or (c.ref.kind == HPA.kind and c.revision and c.revision != trial)
        or (c.ref.kind in of_traffic and not strategy.keeps(c.ref.kind, c.revision))
    )


def _replicas(
    snapshot: DeploymentSnapshot, rollout: RolloutState, pods: dict[str, Pods]
) -> dict[str, int | None]:
    """The number of pods by revision; None where an autoscaler owns it."""
    md, stable, canary = snapshot.deployment, rollout.stable, rollout.canary
    assert stable is not None
    own, beside = Pods(), pods.get(stable.revision, Pods())
    if canary is not None:
        own = pods.get(canary.revision, Pods())
    full = full_replicas(md, beside, canary, own)
    scaling = md.spec.autoscaling
    if scaling is None:
        numbers: dict[str, int | None] = {stable.revision: full}
    else:
        # An autoscaler leaves a Deployment without pods alone.
        numbers = {stable.revision: None if beside.wanted else scaling.min_replicas}
    if canary is None:
        return numbers
    wanted = stage_replicas(md, canary, full)
    if md.spec.rollout.stop_first:
        numbers[stable.revision] = 0
        wanted = 0 if beside.existing else wanted
    # Its autoscaler may have given it more, and needs time to give it as many. A Deployment that
    # is made without a number would begin with one pod.
    numbers[canary.revision] = None if scaling and own.wanted >= wanted > 0 else wanted
    return numbers


def _autoscalers(
    md: ModelDeployment, rollout: RolloutState, pods: dict[str, Pods]
) -> Iterator[Manifest | None]:
    """Stable's, and the canary's own during its trial, so that load may grow on either side.

    Stable keeps the size with which the trial began, so that going back needs no pods; one that
    has just been promoted keeps what it has for as long as the former revision lives on.
    """
    stable, canary, scaling = rollout.stable, rollout.canary, md.spec.autoscaling
    if stable is None or scaling is None:
        return
    beside = pods.get(stable.revision, Pods())
    least = scaling.min_replicas
    if canary is not None:
        least = max(least, canary.stable_replicas)
    elif rollout.old:
        least = max(least, beside.wanted)
    yield hpa(md, stable.revision, least)
    if canary is None or md.spec.rollout.stop_first:
        return
    full = full_replicas(md, beside, canary, pods.get(canary.revision))
    wanted = stage_replicas(md, canary, full)
    yield hpa(md, canary.revision, wanted, own=True)


def _templates(
    snapshot: DeploymentSnapshot, wanted: Revision | Refused, stable: str, pods: dict[str, Pods]
) -> dict[str, Manifest]:
    """The known pod templates. A stable Deployment that was deleted is made again if possible."""
    known = {} if isinstance(wanted, Refused) else {wanted.name: wanted.template}
    if stable not in pods and stable not in known:
        md, runtime = snapshot.deployment, snapshot.runtime
        lost = stable_template(md, runtime, snapshot.versions, snapshot.settings)
        if lost is not None:
            known[stable] = lost
    return known


def _ports(snapshot: DeploymentSnapshot, wanted: Revision | Refused) -> Ports:
    """The wanted revision's ports, or else those of the Service that is there."""
    if not isinstance(wanted, Refused):
        return template_ports(wanted.template)
    name = snapshot.deployment.metadata.name
    main = (c.ports for c in snapshot.children if c.ref.kind == "Service" and c.ref.name == name)
    return next((ports for ports in main if ports is not None), Ports())
