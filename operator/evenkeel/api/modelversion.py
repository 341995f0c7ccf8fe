"""ModelVersion: the immutable record of one trained model and of what became of it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from evenkeel.api.base import Column, Digest, Name, Resource
from evenkeel.api.cause import Cause
from evenkeel.api.common import Approval, Gates, Metrics, ModelFormat, Slices
from evenkeel.api.data import UsedDataList
from evenkeel.api.enginerun import EngineRun
from evenkeel.api.performance import VersionPerformance
from evenkeel.api.registration import RegisteredAs, Registration
from evenkeel.api.tracking import TrackedRun
from evenkeel.api.uri import VersionURI
from evenkeel.meta.conditions import Conditions
from evenkeel.meta.model import Model, Rule, map_list
from evenkeel.meta.times import Timestamp


class ApprovalDecision(Model):
    """Whether and how the version may go to production."""

    mode: Annotated[
        Approval,
        Field(
            description="Automatic: approved once its gates pass. Manual: a person sets decision."
        ),
    ] = "Automatic"
    decision: Annotated[
        Literal["Approved", "Denied"] | None,
        Field(description="A person's decision; Denied also overrules Automatic."),
    ] = None
    by: Annotated[str, Field(max_length=253, description="Who decided.")] = ""
    comment: Annotated[str, Field(max_length=1024, description="Why.")] = ""


_OPTIONAL = (
    "digest",
    "data",
    "dataRevision",
    "codeRevision",
    "parameters",
    "metrics",
    "slices",
    "trainingRun",
    "run",
    "cause",
    "champion",
    "gates",
    "registration",
    "mlflow",
)
_UNCHANGED = " && ".join(
    [f"self.{name} == oldSelf.{name}" for name in ("model", "uri", "format")]
    + [
        f"has(self.{name}) == has(oldSelf.{name}) "
        f"&& (!has(self.{name}) || self.{name} == oldSelf.{name})"
        for name in _OPTIONAL
    ]
)


class ModelVersionSpec(Model):
    """What was trained, from what and why. Only approval can change, and trainedTime be added."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            _UNCHANGED,
            "a ModelVersion is immutable except for approval; create another ModelVersion",
        ),
        Rule(
            "!self.uri.startsWith('mlflow+') || has(self.mlflow)",
            "what a tracking server hands out needs mlflow.registry, the ModelRegistry whose "
            "Secret it is shown",
        ),
        Rule(
            "!has(oldSelf.trainedTime) || "
            "has(self.trainedTime) && self.trainedTime == oldSelf.trainedTime",
            "trainedTime can be set once; create another ModelVersion",
        ),
    )
    model: Annotated[Name, Field(description="Name of the model that this is a version of.")]
    uri: Annotated[
        VersionURI,
        Field(
            description="Where the artefact is; mlflow+https://HOST/api/2.0/mlflow-artifacts/... "
            "is what a tracking server of MLflow hands out itself."
        ),
    ]
    format: Annotated[ModelFormat, Field(description="Format of the artefact.")]
    digest: Annotated[
        Digest | None,
        Field(description="Digest of the artefact."),
    ] = None
    data: UsedDataList = ()
    data_revision: Annotated[
        str, Field(max_length=253, description="Revision of the training data, in short.")
    ] = ""
    code_revision: Annotated[
        str, Field(max_length=253, description="Revision of the training code.")
    ] = ""
    parameters: Annotated[
        dict[str, Annotated[str, Field(max_length=4096)]],
        Field(max_length=64, description="Parameters of the training."),
    ] = Field(default_factory=dict)
    metrics: Metrics = ()
    slices: Slices = ()
    training_run: Annotated[
        str, Field(max_length=253, description="TrainingRun that produced it.")
    ] = ""
    run: Annotated[
        EngineRun | None, Field(description="That of the engine, where it keeps its own runs.")
    ] = None
    cause: Annotated[Cause | None, Field(description="Why it was trained.")] = None
    trained_time: Annotated[
        Timestamp | None,
        Field(
            description="When it was trained, by which the versions of a model are ordered. "
            "Without it the time of its first creation counts."
        ),
    ] = None
    champion: Annotated[
        str | None,
        Field(
            max_length=253,
            description="Version in production when this one was made, for gates that compare "
            "with it; empty if none was. Without it the one of the first look counts.",
        ),
    ] = None
    gates: Gates = ()
    mlflow: Annotated[
        TrackedRun | None, Field(description="Where MLflow has its training, if it has.")
    ] = None
    registration: Annotated[
        Registration | None, Field(description="Where the version is registered, if anywhere.")
    ] = None
    approval: Annotated[ApprovalDecision, Field(description="The way to production.")] = (
        ApprovalDecision()
    )


class GateResult(Model):
    """What a gate found, once and for all."""

    name: Annotated[str, Field(max_length=63, description="Name of the gate.")]
    passed: Annotated[bool, Field(description="Whether the gate passed.")]
    message: Annotated[str, Field(max_length=1024, description="Figures that were compared.")]


class Rollout(Model):
    """What became of the version in one ModelDeployment."""

    deployment: Annotated[str, Field(max_length=253, description="The ModelDeployment.")]
    revision: Annotated[str, Field(max_length=63, description="Revision that served it.")]
    outcome: Annotated[
        Literal["Progressing", "Promoted", "RolledBack", "Superseded"],
        Field(description="How the rollout went."),
    ]
    time: Annotated[Timestamp, Field(description="When the outcome was reached.")]
    reason: Annotated[str, Field(max_length=128, description="CamelCase reason.")] = ""
    message: Annotated[str, Field(max_length=2048, description="The verdict with its counts.")] = ""
    alias: Annotated[
        str, Field(max_length=255, description="Alias in the registry that means the version here.")
    ] = ""


class Download(Model):
    """What a tracking server is shown, as the version's ModelRegistry says."""

    secret_name: Annotated[str, Field(max_length=253, description="Secret, if any.")] = ""
    workspace: Annotated[
        str, Field(max_length=63, description="Workspace, if not the default.")
    ] = ""


class ModelVersionStatus(Model):
    """Gate results, approval and rollouts.

    Two writers share it: `rollouts` and `performance` belong to the ModelDeployment's reconcile.
    """

    observed_generation: Annotated[int, Field(description="Generation last acted upon.")] = 0
    conditions: Conditions = ()
    trained_time: Annotated[
        Timestamp | None, Field(description="Its place in the order of the model's versions.")
    ] = None
    champion: Annotated[
        str | None, Field(max_length=253, description="Version that the gates compared with.")
    ] = None
    gates: Annotated[
        tuple[GateResult, ...],
        Field(max_length=32, description="Results.", json_schema_extra=map_list("name")),
    ] = ()
    rollouts: Annotated[
        tuple[Rollout, ...],
        Field(
            max_length=64,
            description="What became of it, by ModelDeployment.",
            json_schema_extra=map_list("deployment"),
        ),
    ] = ()
    performance: Annotated[
        tuple[VersionPerformance, ...],
        Field(
            max_length=64,
            description="What a pod of it carries, by ModelDeployment.",
            json_schema_extra=map_list("deployment"),
        ),
    ] = ()
    rolled_back: Annotated[
        tuple[Rollout, ...],
        Field(
            max_length=64,
            description="Where it was taken back, which outlives `rollouts`.",
            json_schema_extra=map_list("deployment"),
        ),
    ] = ()
    download: Annotated[
        Download | None,
        Field(description="What its server is shown, where that hands the artefact out itself."),
    ] = None
    registered: Annotated[
        RegisteredAs | None, Field(description="What it is in its registry, once it is.")
    ] = None
    lineage: Annotated[
        str,
        Field(
            max_length=4096,
            description="The chain from the cause to the verdict, for people.",
        ),
    ] = ""


class ModelVersion(Resource):
    """Immutable record of a trained model."""

    kind: ClassVar[str] = "ModelVersion"
    plural: ClassVar[str] = "modelversions"
    short_names: ClassVar[tuple[str, ...]] = ("mdv",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Model", ".spec.model"),
        Column("Validated", '.status.conditions[?(@.type=="Validated")].status'),
        Column("Approved", '.status.conditions[?(@.type=="Approved")].status'),
        Column("Rollout", ".status.rollouts[*].outcome"),
        Column("Registered", ".status.registered.version", wide=True),
        Column("Cause", ".spec.cause.message", wide=True),
        Column("URI", ".spec.uri", wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    lasting: ClassVar[frozenset[str]] = frozenset(("trainedTime", "rolledBack", "registered"))
    spec: Annotated[ModelVersionSpec, Field(description="What was trained, from what and why.")]
    status: Annotated[ModelVersionStatus, Field(description="What became of it.")] = (
        ModelVersionStatus()
    )
