"""The children of a ModelDeployment: they follow from the rollout's state alone."""

from __future__ import annotations

from typing import NamedTuple

from evenkeel import traffic
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.meta.objects import Manifest, Ref
from evenkeel.meta.refusal import Refused
from evenkeel.meta.resources import Watch, distinct
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
    others = [c for c in (hpa(md, divided.stable), pdb(md)) if c is not None]
    return Owned([*workloads.applies, *routed, *others], workloads.scales)


def unwanted(snapshot: DeploymentSnapshot, rollout: RolloutState) -> tuple[Ref, ...]:
    """Children of revisions that are no more, and kinds of children no longer asked for."""
    md = snapshot.deployment
    if rollout.stable is None:
        return ()
    revisions = {rollout.stable.revision, *(o.revision for o in rollout.old)}
    if rollout.canary is not None:
        revisions.add(rollout.canary.revision)
    kinds = unwanted_kinds(md.spec)
    strategy, of_traffic = strategy_of(md.spec.traffic), {w.type.kind for w in traffic.watches()}
    return tuple(
        c.ref
        for c in snapshot.children
        if c.ref.kind in kinds
        or (c.revision and c.revision not in revisions)
        or (c.ref.kind in of_traffic and not strategy.keeps(c.ref.kind, c.revision))
    )


def _replicas(
    snapshot: DeploymentSnapshot, rollout: RolloutState, pods: dict[str, Pods]
) -> dict[str, int | None]:
    """The number of pods by revision; None where an autoscaler owns it."""
    md, stable, canary = snapshot.deployment, rollout.stable, rollout.canary
    assert stable is not None
    full = full_replicas(md, pods.get(stable.revision, Pods()))
    numbers: dict[str, int | None] = {stable.revision: None if md.spec.autoscaling else full}
    if canary is not None:
        numbers[canary.revision] = stage_replicas(md, canary, full)
    return numbers


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
