"""The conditions of a ModelDeployment: one file each, all in `CONDITIONS`."""

from __future__ import annotations

from collections.abc import Callable

from evenkeel.controllers.modeldeployment.conditions.alias_current import alias_current
from evenkeel.controllers.modeldeployment.conditions.available import available
from evenkeel.controllers.modeldeployment.conditions.drifted import drifted
from evenkeel.controllers.modeldeployment.conditions.group_complete import group_complete
from evenkeel.controllers.modeldeployment.conditions.labels_ready import labels_ready
from evenkeel.controllers.modeldeployment.conditions.model_resolved import model_resolved
from evenkeel.controllers.modeldeployment.conditions.monitored import monitored
from evenkeel.controllers.modeldeployment.conditions.performance_measured import (
    performance_measured,
)
from evenkeel.controllers.modeldeployment.conditions.ready import ready
from evenkeel.controllers.modeldeployment.conditions.registry_read import registry_read
from evenkeel.controllers.modeldeployment.conditions.registry_told import registry_told
from evenkeel.controllers.modeldeployment.conditions.rollout_healthy import rollout_healthy
from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.controllers.modeldeployment.conditions.steering_accepted import (
    steering_accepted,
)
from evenkeel.meta.conditions import Observation

__all__ = ["CONDITIONS", "Situation", "observations"]

CONDITIONS: tuple[Callable[[Situation], tuple[Observation, ...]], ...] = (
    ready,
    model_resolved,
    registry_read,
    registry_told,
    alias_current,
    available,
    rollout_healthy,
    steering_accepted,
    group_complete,
    monitored,
    drifted,
    labels_ready,
    performance_measured,
)


def observations(situation: Situation) -> tuple[Observation, ...]:
    """All conditions, Ready first."""
    return tuple(o for condition in CONDITIONS for o in condition(situation))
