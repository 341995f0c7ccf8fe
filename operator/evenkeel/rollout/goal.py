"""Which revision a rollout heads for."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from evenkeel.api.modeldeploymentstatus import ModelDeploymentStatus
from evenkeel.meta.refusal import Refused
from evenkeel.serving.model_source import Target
from evenkeel.serving.wanted import Revision


class Goal(NamedTuple):
    """A revision and the model that it serves."""

    revision: str
    target: Target


def rollout_goal(
    status: ModelDeploymentStatus, wanted: Revision | Refused, denied: Container[str]
) -> Goal | None:
    """The wanted revision; where it cannot be had, what runs goes on and nothing new begins.

    A canary on trial may still go back then. A person's refusal of the very version on trial ends
    the trial. denied: names of the ModelVersions that a person has refused. None: nothing runs.
    """
    if not isinstance(wanted, Refused):
        return Goal(wanted.name, wanted.target)
    if status.stable is None:
        return None
    canary = status.canary
    on_trial = canary is not None and canary.version not in denied
    current = canary if canary is not None and on_trial else status.stable
    return Goal(current.revision, Target(current.uri, current.version, current.format))
