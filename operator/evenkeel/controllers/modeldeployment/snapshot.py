"""All that the plan of a ModelDeployment depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modelversion import ModelVersion
from evenkeel.controllers.modeldeployment.drift import Drift
from evenkeel.meta.objects import Manifest, Taken
from evenkeel.meta.refusal import Refused
from evenkeel.performance.measurement import Loads
from evenkeel.registries.aliases import Kept
from evenkeel.registries.resolution import Resolution
from evenkeel.registries.tags import Telling
from evenkeel.rollout.step_jobs import StepJobs
from evenkeel.serving.model_source import Target
from evenkeel.serving.observed import Child
from evenkeel.serving.pod_marks import ServingPod
from evenkeel.serving.pod_template import PodSettings
from evenkeel.serving.runtime_selection import Selected
from evenkeel.verdict.indicators import UnresolvedIndicator
from evenkeel.verdict.judgement import Observations


@dataclass(frozen=True, slots=True)
class DeploymentSnapshot:
    """versions: those that may be served or that a verdict is recorded on.

    present: by revision the pods that have not ended, also of one without a Deployment.
    seen: what Prometheus said of the canary's indicators; empty while none is judged.
    taken: objects of others that have the names of children. registry: what a registry's model is.
    told: whether the registry knows how rollouts went. alias: what spec.servedAlias means.
    drift: what is known of the stable revision's. unmade: indicators that their templates do not
    make, and why. loads: what measures revisions. pods: those that serve or are about to. steps:
    the Jobs of steps. others: ModelDeployments that its group is about. copied: the pod template of
    stable's Deployment, where a baseline is to be made of it.
    """

    deployment: ModelDeployment
    target: Target | Refused
    runtime: Selected | Refused
    children: tuple[Child, ...]
    versions: tuple[ModelVersion, ...]
    seen: Observations
    settings: PodSettings
    now: datetime
    present: Mapping[str, int] = field(default_factory=dict)
    taken: tuple[Taken, ...] = ()
    registry: Resolution | None = None
    told: Telling | None = None
    alias: Kept | None = None
    drift: Drift = field(default_factory=Drift)
    unmade: Mapping[str, UnresolvedIndicator] = field(default_factory=dict)
    loads: Loads = field(default_factory=Loads)
    pods: tuple[ServingPod, ...] = ()
    steps: StepJobs = field(default_factory=StepJobs)
    others: tuple[ModelDeployment, ...] = ()
    copied: Manifest | None = None
