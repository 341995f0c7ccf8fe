"""Labels and names of everything that the operator creates."""

from __future__ import annotations

from typing import Any

from evenkeel.api.base import API_VERSION, GROUP
from evenkeel.meta import owners
from evenkeel.meta.objects import ObjectMeta

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "evenkeel"
DEPLOYMENT = f"{GROUP}/deployment"
REVISION = f"{GROUP}/revision"
MODEL = f"{GROUP}/model"
FEEDBACK = f"{GROUP}/feedback"
"""Of the pod that takes a ModelDeployment's labels, which is none of the model's."""
DIVISION = f"{GROUP}/division"
"""An annotation of pods: whom their meters pass requests on to."""
GIVEN = f"{GROUP}/given-metadata"
"""An annotation of pods: the labels and annotations of spec.rollout.podMetadata that they have."""
SCHEDULE = f"{GROUP}/schedule"
RUN = f"{GROUP}/run"
PERFORMANCE = f"{GROUP}/performance"
"""Of pods that are loaded to measure a model: its ModelDeployment. They serve nobody."""
STEP_JOB = f"{GROUP}/step-job"
"""Of a step's Job and its pods: the ModelDeployment. They serve nobody."""
STEP = f"{GROUP}/step"
"""Of these: the number of the step."""
RESTART_TIME = f"{GROUP}/restart-time"
"""An annotation of pods: spec.restartTime, so that they are replaced for it."""
COUNTED = f"{GROUP}/counted-alerts"
"""An annotation of a run: the alerts that it counts, as the status after it remembers them."""


def owner_reference(kind: str, meta: ObjectMeta) -> dict[str, Any]:
    """The controller reference that lets the garbage collector remove children."""
    return owners.owner_reference(API_VERSION, kind, meta.name, meta.uid)
