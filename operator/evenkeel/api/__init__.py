"""The API: pydantic models, one file per kind, from which crds/ is generated."""

from evenkeel.api.base import API_VERSION, GROUP, VERSION, Resource
from evenkeel.api.indicatortemplate import ClusterIndicatorTemplate, IndicatorTemplate
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.api.servingruntime import ClusterServingRuntime, ServingRuntime
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.conditions import Condition

KINDS: tuple[type[Resource], ...] = (
    ModelDeployment,
    RetrainSchedule,
    TrainingRun,
    ModelVersion,
    ServingRuntime,
    ClusterServingRuntime,
    IndicatorTemplate,
    ClusterIndicatorTemplate,
    ModelRegistry,
)

__all__ = [
    "API_VERSION",
    "GROUP",
    "KINDS",
    "VERSION",
    "ClusterIndicatorTemplate",
    "ClusterServingRuntime",
    "Condition",
    "IndicatorTemplate",
    "ModelDeployment",
    "ModelRegistry",
    "ModelVersion",
    "Resource",
    "RetrainSchedule",
    "ServingRuntime",
    "TrainingRun",
]
