"""What the conditions of a ModelDeployment are read from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.monitoringstatus import MonitoringStatus
from evenkeel.meta.refusal import Refused
from evenkeel.outside.poll import Sighting
from evenkeel.performance.measurement import Measurement
from evenkeel.registries.aliases import Kept
from evenkeel.registries.resolution import Resolution
from evenkeel.registries.tags import Telling
from evenkeel.rollout.group import AWAITING
from evenkeel.rollout.state import RolloutState
from evenkeel.serving.observed import Child, Pods
from evenkeel.serving.wanted import Revision


@dataclass(frozen=True, slots=True)
class Situation:
    """wanted: the revision that the spec asks for. pods: those of the revision that
    serves.

    unnamed: why its children cannot have their names, if so. registry: what a registry's model is.
    told: whether the registry knows how rollouts went. alias: what spec.servedAlias means.
    monitoring: what is known of drift; None without a meter. meters: how they count. load: what is
    measured now. apart: why the members of its group are none, if so.
    """

    md: ModelDeployment
    wanted: Revision | Refused
    rollout: RolloutState
    pods: Pods
    children: tuple[Child, ...]
    now: datetime
    unnamed: Refused | None = None
    registry: Resolution | None = None
    told: Telling | None = None
    alias: Kept | None = None
    monitoring: MonitoringStatus | None = None
    meters: Sighting[object] | None = None
    load: Measurement | None = None
    apart: Refused | None = None

    @property
    def awaiting(self) -> str:
        """The reason of a trial that waits for its group; else empty."""
        decision = self.rollout.decision
        return AWAITING if decision is not None and decision.reason == AWAITING else ""

    @property
    def finding(self) -> str:
        """The verdict on the canary in words, or whom its promotion waits for."""
        canary, decision = self.rollout.canary, self.rollout.decision
        if decision is not None and self.awaiting:
            return decision.message
        return "" if canary is None else canary.message

    @property
    def scaled_to_zero(self) -> bool:
        """Whether the user asks for no pods at all."""
        return self.md.spec.replicas == 0 and self.md.spec.autoscaling is None
