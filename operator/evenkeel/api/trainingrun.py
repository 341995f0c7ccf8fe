"""TrainingRun: one execution of a training, with its cause."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.api.base import Column, Digest, Name, Resource
from evenkeel.api.cause import Cause
from evenkeel.api.common import Approval, Gates, Metrics, ModelFormat, Slices, TrainingTemplate
from evenkeel.api.data import UsedDataList
from evenkeel.api.enginerun import ObservedRun
from evenkeel.api.registration import Registration
from evenkeel.api.tracking import TrackedRun
from evenkeel.meta.conditions import Conditions
from evenkeel.meta.model import SET, Model, Rule, says
from evenkeel.meta.times import Timestamp


class TrainingRunSpec(Model):
    """What to train and why. Immutable."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("self == oldSelf", "a TrainingRun is immutable; create another TrainingRun"),
    )
    model: Annotated[Name, Field(description="Name of the model to train.")]
    schedule: Annotated[
        str,
        Field(
            max_length=63,
            pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$",
            description="RetrainSchedule that created the run.",
            json_schema_extra=says("write a RetrainSchedule's name, or leave it out"),
        ),
    ] = ""
    cause: Annotated[Cause, Field(description="Why the run exists.")] = Cause()
    request_time: Annotated[
        Timestamp | None,
        Field(
            description="When the schedule asked for the run. An object that is much younger was "
            "restored, and trains nothing."
        ),
    ] = None
    replaces: Annotated[
        tuple[Annotated[str, Field(max_length=253)], ...],
        Field(max_length=16, description="Runs that this one stops.", json_schema_extra=SET),
    ] = ()
    training: Annotated[TrainingTemplate, Field(description="How the model is trained.")]
    gates: Gates = ()
    approval: Annotated[Approval, Field(description="Approval of the resulting version.")] = (
        "Automatic"
    )
    registration: Annotated[
        Registration | None,
        Field(description="Where the resulting version is registered, if anywhere."),
    ] = None


class TrainingResult(Model):
    """What the trainer reported: JSON with these fields."""

    uri: Annotated[str, Field(min_length=1, max_length=2048, description="The artefact.")]
    format: Annotated[ModelFormat, Field(description="Format of the artefact.")]
    digest: Annotated[
        Digest | None,
        Field(description="Digest of the artefact."),
    ] = None
    metrics: Metrics = ()
    slices: Slices = ()
    data_revision: Annotated[
        str, Field(max_length=253, description="Revision of the training data.")
    ] = ""
    code_revision: Annotated[
        str, Field(max_length=253, description="Revision of the training code.")
    ] = ""
    parameters: Annotated[
        dict[str, Annotated[str, Field(max_length=4096)]],
        Field(max_length=64, description="Parameters of the training besides the run's own."),
    ] = Field(default_factory=dict)
    mlflow: Annotated[
        TrackedRun | None, Field(description="Its run in MLflow, if the report was read there.")
    ] = None


class CutShort(Model):
    """Attempts whose trainer had failed while other containers kept their pods from ending."""

    attempts: Annotated[int, Field(ge=0, description="How many; the Job does not count them.")] = 0
    pod: Annotated[
        str,
        Field(
            max_length=64, description="UID of the pod that the Job is suspended for, to end it."
        ),
    ] = ""


class TrainingRunStatus(Model):
    """Progress and result."""

    observed_generation: Annotated[int, Field(description="Generation last acted upon.")] = 0
    conditions: Conditions = ()
    creation_time: Annotated[
        Timestamp | None,
        Field(description="When the run was first created; its object is younger if restored."),
    ] = None
    job: Annotated[
        str | None, Field(max_length=253, description="The Job, or the object in its place.")
    ] = None
    run: Annotated[
        ObservedRun | None,
        Field(description="The run in an engine that is no object in the cluster."),
    ] = None
    start_time: Annotated[
        Timestamp | None, Field(description="When that was created, or asked for.")
    ] = None
    active_time: Annotated[
        Timestamp | None,
        Field(
            description="Since when it has not been suspended; the operator's own clock for "
            "timeoutSeconds begins here."
        ),
    ] = None
    trained_time: Annotated[
        Timestamp | None,
        Field(description="When the training succeeded, whose report is read by resultFrom."),
    ] = None
    absent_time: Annotated[
        Timestamp | None,
        Field(description="When its report was first seen to be missing; it may come for a while."),
    ] = None
    completion_time: Annotated[Timestamp | None, Field(description="When the run ended.")] = None
    alert_count: Annotated[
        int, Field(description="Alerts that this run answers, including coalesced ones.")
    ] = 0
    last_failure: Annotated[
        str, Field(max_length=2048, description="Last words of the newest attempt that failed.")
    ] = ""
    cut_short: Annotated[
        CutShort | None, Field(description="Failed attempts beside those that the Job counts.")
    ] = None
    data: UsedDataList = ()
    result: Annotated[TrainingResult | None, Field(description="The trainer's report.")] = None
    model_version: Annotated[
        str | None, Field(max_length=253, description="Resulting ModelVersion.")
    ] = None


class TrainingRun(Resource):
    """One execution of a training, with its cause."""

    kind: ClassVar[str] = "TrainingRun"
    plural: ClassVar[str] = "trainingruns"
    short_names: ClassVar[tuple[str, ...]] = ("trun",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Model", ".spec.model"),
        Column("Cause", ".spec.cause.type"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Version", ".status.modelVersion"),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    lasting: ClassVar[frozenset[str]] = frozenset(
        ("creationTime", "startTime", "completionTime", "alertCount", "modelVersion", "conditions")
    )
    spec: Annotated[TrainingRunSpec, Field(description="What to train and why.")]
    status: Annotated[TrainingRunStatus, Field(description="Progress and result.")] = (
        TrainingRunStatus()
    )
