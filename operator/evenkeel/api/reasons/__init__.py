"""Every reason that conditions, Events and records of rollouts give; docs/reasons.md shows them.

A test holds the table to the source: a reason that is not here cannot be emitted, and none is here
that is never emitted.
"""

from evenkeel.api.reasons.modeldeployment import MODEL_DEPLOYMENT
from evenkeel.api.reasons.modelregistry import MODEL_REGISTRY
from evenkeel.api.reasons.modelversion import MODEL_VERSION
from evenkeel.api.reasons.reason import Carrier, Reason
from evenkeel.api.reasons.retrainschedule import RETRAIN_SCHEDULE
from evenkeel.api.reasons.rollout import ROLLOUT
from evenkeel.api.reasons.trainingrun import TRAINING_RUN

REASONS: dict[str, tuple[Reason, ...]] = {
    "ModelDeployment": MODEL_DEPLOYMENT + ROLLOUT,
    "RetrainSchedule": RETRAIN_SCHEDULE,
    "TrainingRun": TRAINING_RUN,
    "ModelVersion": MODEL_VERSION,
    "ModelRegistry": MODEL_REGISTRY,
}
"""By kind; a kind without conditions has none."""

__all__ = ["REASONS", "Carrier", "Reason"]
