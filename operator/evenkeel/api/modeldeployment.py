"""ModelDeployment: the desired serving of one model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from evenkeel.api.base import (
    ATOMIC,
    Column,
    Conditions,
    Labels,
    Model,
    Name,
    OpenObject,
    Ratio,
    Resource,
    Rule,
    Seconds,
    Timestamp,
    cel,
    map_list,
    says,
)
from evenkeel.api.common import URI_RULES, ModelFormat, TemplateMeta


class Storage(Model):
    """Credentials and resources of the download."""

    secret_name: Annotated[
        str | None,
        Field(max_length=253, description="Secret whose keys become the initializer's variables."),
    ] = None
    resources: Annotated[
        OpenObject | None, Field(description="Resources of the initializer container.")
    ] = None


class ModelSource(Model):
    """Which model is served: by URI, by ModelVersion, or by following a model's versions."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(has(self.uri) ? 1 : 0) + (has(self.version) ? 1 : 0) + (has(self.follow) ? 1 : 0) "
            "== 1",
            "model needs exactly one of uri, version (a ModelVersion) or follow (a model name)",
        ),
        Rule(
            "!has(self.format) || has(self.uri)",
            "format goes with uri; a ModelVersion brings its own format",
        ),
    )
    uri: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=2048,
            description="The artefact: pvc://CLAIM/PATH, s3://, gs://, http(s)://, hf://, "
            "oci://IMAGE (an image volume) or file:///PATH (baked into the runtime's image).",
            json_schema_extra=cel(*URI_RULES),
        ),
    ] = None
    version: Annotated[Name | None, Field(description="Name of a ModelVersion.")] = None
    follow: Annotated[
        Name | None,
        Field(description="Name of a model whose newest approved ModelVersion is served."),
    ] = None
    format: Annotated[ModelFormat | None, Field(description="Format of the artefact at uri.")] = (
        None
    )
    storage: Annotated[Storage, Field(description="The download.")] = Storage()


class RuntimeRef(Model):
    """A ServingRuntime or ClusterServingRuntime."""

    kind: Annotated[
        Literal["ServingRuntime", "ClusterServingRuntime"], Field(description="Kind.")
    ] = "ClusterServingRuntime"
    name: Annotated[Name, Field(description="Name.")]


class Autoscaling(Model):
    """A HorizontalPodAutoscaler, which then owns the number of replicas."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("self.minReplicas <= self.maxReplicas", "minReplicas must not exceed maxReplicas"),
    )
    min_replicas: Annotated[int, Field(ge=1, le=10000, description="Least replicas.")] = 1
    max_replicas: Annotated[int, Field(ge=1, le=10000, description="Most replicas.")]
    target_cpu_utilization_percentage: Annotated[
        int, Field(ge=1, le=1000, description="Target where metrics is empty.")
    ] = 80
    metrics: Annotated[
        tuple[OpenObject, ...],
        Field(max_length=16, description="autoscaling/v2 metrics.", json_schema_extra=ATOMIC),
    ] = ()
    behavior: Annotated[OpenObject | None, Field(description="autoscaling/v2 behavior.")] = None


PodsOrPercentage = Annotated[
    int | str,
    Field(
        json_schema_extra={
            "x-int-or-string": True,
            "maxLength": 4,
            **cel(
                Rule(
                    "type(self) == int ? self >= 0 : self.matches('^([0-9]{1,2}|100)%$')",
                    "write a number of pods or a percentage, such as 1 or 50%",
                )
            ),
        }
    ),
]
"""A number of pods, or a share of them such as 50%."""


class DisruptionBudget(Model):
    """A PodDisruptionBudget over all revisions' pods."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.minAvailable) != has(self.maxUnavailable)",
            "give either minAvailable or maxUnavailable",
        ),
    )
    min_available: Annotated[PodsOrPercentage | None, Field(description="Pods that stay.")] = None
    max_unavailable: Annotated[
        PodsOrPercentage | None, Field(description="Pods that may be gone.")
    ] = None


class PodTemplate(Model):
    """Overlay on the pod template that the runtime gives."""

    metadata: Annotated[
        TemplateMeta | None, Field(description="Labels and annotations of the pods.")
    ] = None
    spec: Annotated[
        OpenObject,
        Field(
            description="Merged over the PodSpec; containers, volumes and env merge by name, other "
            "lists are replaced."
        ),
    ] = Field(default_factory=dict)


class ParentRef(Model):
    """A Gateway that the HTTPRoute attaches to."""

    name: Annotated[str, Field(min_length=1, max_length=253, description="Name of the Gateway.")]
    namespace: Annotated[str | None, Field(max_length=63, description="Its namespace.")] = None
    section_name: Annotated[str | None, Field(max_length=253, description="Its listener.")] = None


HostName = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        json_schema_extra=says("write a host name without scheme, port and path"),
    ),
]
"""A DNS name, or *. before one."""


class Gateway(Model):
    """Weights by Gateway API HTTPRoute."""

    parent_refs: Annotated[
        tuple[ParentRef, ...],
        Field(min_length=1, max_length=8, description="Gateways.", json_schema_extra=ATOMIC),
    ]
    hostnames: Annotated[
        tuple[HostName, ...],
        Field(max_length=16, description="Host names of the route.", json_schema_extra=ATOMIC),
    ] = ()


class Traffic(Model):
    """How requests are divided between stable and canary."""

    gateway: Annotated[
        Gateway | None,
        Field(description="Without it, the share follows from the numbers of replicas."),
    ] = None


class Step(Model):
    """A stage of the canary."""

    weight: Annotated[
        int, Field(ge=1, le=99, description="Share of requests for the canary in percent.")
    ]
    pause_seconds: Annotated[
        int, Field(ge=0, le=2592000, description="Least time at this step.")
    ] = 0
    analysis: Annotated[
        bool, Field(description="Whether the step also waits for a passing verdict.")
    ] = True
    deadline_seconds: Annotated[
        int,
        Field(
            ge=1, le=2592000, description="An undecided verdict is settled by analysis.onUndecided."
        ),
    ] = 3600


class Rollout(Model):
    """How a new revision takes over."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.steps) || self.steps.map(s, s.weight).isSorted()",
            "weights of steps must not fall",
        ),
        Rule(
            "!(has(self.promote) && has(self.abort) && self.promote == self.abort)",
            "promote and abort name the same revision; remove one",
        ),
    )
    steps: Annotated[
        tuple[Step, ...],
        Field(
            max_length=20,
            description="Stages before promotion; none means that a ready revision takes over.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()
    warm_up_seconds: Annotated[
        int,
        Field(ge=0, le=86400, description="Time after readiness that the verdict leaves out."),
    ] = 0
    progress_deadline_seconds: Annotated[
        int,
        Field(ge=1, le=86400, description="A revision not ready within this is rolled back."),
    ] = 600
    scale_down_delay_seconds: Annotated[
        int, Field(ge=0, le=86400, description="The old revision lives on for this long.")
    ] = 30
    paused: Annotated[
        bool, Field(description="Holds the canary at its step; a failing one still goes back.")
    ] = False
    promote: Annotated[
        Name | None,
        Field(description="Revision to promote at once, whatever the verdict; others ignore it."),
    ] = None
    abort: Annotated[Name | None, Field(description="Revision to roll back; others ignore it.")] = (
        None
    )


class Prometheus(Model):
    """Where the indicators are read."""

    url: Annotated[
        str | None,
        Field(
            max_length=2048,
            description="Base URL; the operator's setting applies without it.",
            json_schema_extra=cel(
                Rule("self.matches('^https?://.+')", "url must begin with http:// or https://")
            ),
        ),
    ] = None


Tolerance = Annotated[
    str,
    Field(
        max_length=16,
        pattern=r"^[0-9]+(\.[0-9]+)?$",
        json_schema_extra=says('write a decimal number, at least 0, in quotes, such as "0.25"'),
    ),
]
"""A margin as a decimal string, at least 0."""


class IndicatorSpec(Model):
    """A service-level indicator that stable and canary are compared by."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.total) == (has(self.bad) || has(self.good))",
            "a custom indicator needs total and one of bad or good",
        ),
        Rule("!(has(self.bad) && has(self.good))", "give either bad or good, not both"),
        Rule(
            "!has(self.maxRatio) || double(self.acceptable) <= double(self.maxRatio)",
            "acceptable must not exceed maxRatio; lower acceptable (0.005 by default)",
        ),
        Rule(
            "self.name != 'errors' || has(self.total) || !has(self.thresholdSeconds)",
            "thresholdSeconds belongs to latency, errors has none",
        ),
        Rule(
            "self.name != 'latency' || has(self.total) || has(self.thresholdSeconds)",
            "latency needs thresholdSeconds, the slowest acceptable answer",
        ),
    )
    name: Annotated[
        str,
        Field(
            max_length=63,
            pattern=r"^[a-z][a-z0-9-]*$",
            description="Name; without queries one of the source's, usually errors or latency.",
        ),
    ]
    source: Annotated[
        Literal["Runtime", "Traefik", "Istio"],
        Field(description="Whose metrics are read where no queries are given."),
    ] = "Runtime"
    threshold_seconds: Annotated[
        Seconds | None,
        Field(description="Requests slower than this are bad; a bucket bound of the histogram."),
    ] = None
    total: Annotated[
        str | None, Field(max_length=2048, description="PromQL of all events, as counters.")
    ] = None
    bad: Annotated[
        str | None, Field(max_length=2048, description="PromQL of the bad events, as counters.")
    ] = None
    good: Annotated[
        str | None, Field(max_length=2048, description="PromQL of the good events, as counters.")
    ] = None
    tolerance: Annotated[
        Tolerance,
        Field(description="How much worse than stable, as a share of stable's bad ratio."),
    ] = "0.25"
    acceptable: Annotated[
        Ratio, Field(description="Bad ratio that is acceptable whatever stable does.")
    ] = "0.005"
    max_ratio: Annotated[
        Ratio | None, Field(description="Bad ratio that fails the canary whatever stable does.")
    ] = None


class Analysis(Model):
    """How the canary is judged."""

    prometheus: Annotated[Prometheus, Field(description="Where the indicators are read.")] = (
        Prometheus()
    )
    interval_seconds: Annotated[
        int, Field(ge=1, le=3600, description="Time between two looks.")
    ] = 1
    min_requests: Annotated[
        int, Field(ge=1, le=1000000000, description="Least canary requests in a step to pass it.")
    ] = 50
    indicators: Annotated[
        tuple[IndicatorSpec, ...],
        Field(
            min_length=1,
            max_length=8,
            description="All must pass.",
            json_schema_extra=map_list("name"),
        ),
    ]
    confirmations: Annotated[
        int,
        Field(
            ge=1,
            le=10,
            description="Successive scrapes that must agree before a verdict. With scrapes more "
            "than 2 s apart 2 is advised, since an incident that both revisions suffer is seen "
            "on one of them first.",
        ),
    ] = 1
    on_undecided: Annotated[
        Literal["Hold", "Promote", "Rollback"],
        Field(
            description="At a step's deadline: Hold waits on, Promote goes to the next step if "
            "data was seen, Rollback goes back."
        ),
    ] = "Rollback"


class ModelDeploymentSpec(Model):
    """Model, runtime, replicas, traffic, rollout and analysis."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.analysis) || !has(self.rollout) || !has(self.rollout.steps) || "
            "!self.rollout.steps.exists(s, s.analysis)",
            "a step with analysis needs spec.analysis; add it or set analysis: false in the step",
        ),
        Rule(
            "!has(self.analysis) || has(self.traffic) && has(self.traffic.gateway) || "
            "self.analysis.indicators.all(i, has(i.total) || i.source == 'Runtime')",
            "indicators from a gateway need traffic.gateway",
        ),
        Rule(
            "has(self.runtime) || !has(self.model.uri) || has(self.model.format)",
            "model.uri needs model.format or a runtime, so that a model server can be chosen",
        ),
        Rule(
            "!has(self.autoscaling) || self.replicas > 0",
            "replicas: 0 stops the model, autoscaling keeps it running: remove replicas or "
            "autoscaling",
        ),
    )
    model: Annotated[ModelSource, Field(description="Which model is served.")]
    runtime: Annotated[
        RuntimeRef | None,
        Field(description="Model server; without it one is chosen by the format."),
    ] = None
    replicas: Annotated[
        int,
        Field(
            ge=0,
            le=10000,
            description="Replicas of the stable revision; autoscaling overrules it.",
        ),
    ] = 1
    autoscaling: Annotated[Autoscaling | None, Field(description="Autoscaling.")] = None
    disruption_budget: Annotated[
        DisruptionBudget | None, Field(description="PodDisruptionBudget.")
    ] = None
    resources: Annotated[
        OpenObject | None, Field(description="Resources of the model server's container.")
    ] = None
    env: Annotated[
        tuple[OpenObject, ...],
        Field(
            max_length=128,
            description="Environment of the model server's container.",
            json_schema_extra={
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 253,
                            "description": "Name of the variable.",
                        }
                    },
                    "x-kubernetes-preserve-unknown-fields": True,
                },
                **map_list("name"),
            },
        ),
    ] = ()
    service_account_name: Annotated[
        str | None, Field(max_length=253, description="ServiceAccount of the pods.")
    ] = None
    node_selector: Annotated[Labels, Field(description="Node selector of the pods.")] = Field(
        default_factory=dict
    )
    tolerations: Annotated[
        tuple[OpenObject, ...],
        Field(max_length=32, description="Tolerations of the pods.", json_schema_extra=ATOMIC),
    ] = ()
    affinity: Annotated[OpenObject | None, Field(description="Affinity of the pods.")] = None
    pod_template: Annotated[
        PodTemplate | None, Field(description="Overlay on the runtime's pod template.")
    ] = None
    traffic: Annotated[Traffic, Field(description="Division of requests.")] = Traffic()
    rollout: Annotated[Rollout, Field(description="How a new revision takes over.")] = Rollout()
    analysis: Annotated[Analysis | None, Field(description="How a canary is judged.")] = None


class RevisionStatus(Model):
    """A revision that serves."""

    revision: Annotated[str, Field(max_length=63, description="Name of the revision.")]
    version: Annotated[str, Field(max_length=253, description="ModelVersion, if any.")] = ""
    uri: Annotated[str, Field(max_length=2048, description="The artefact.")] = ""
    format: Annotated[ModelFormat | None, Field(description="Format of the artefact.")] = None
    ready_replicas: Annotated[int, Field(description="Ready pods.")] = 0


class SeriesCount(Model):
    """Last seen counters of one process, so that a restart of the operator loses nothing."""

    key: Annotated[str, Field(max_length=512, description="Side and labels of the series.")]
    total: Annotated[int, Field(description="All events.")]
    bad: Annotated[int, Field(description="Bad events.")]


class IndicatorStatus(Model):
    """Evidence on one indicator."""

    name: Annotated[str, Field(max_length=63, description="Indicator.")]
    value: Annotated[
        Literal["Pass", "Fail", "Undecided"], Field(description="The indicator's verdict.")
    ] = "Undecided"
    message: Annotated[str, Field(max_length=1024, description="Counts and evidence.")] = ""
    step_requests: Annotated[int, Field(description="Canary requests in this step.")] = 0
    evidence: Annotated[OpenObject, Field(description="Accumulated evidence.")] = Field(
        default_factory=dict
    )
    series: Annotated[
        tuple[SeriesCount, ...],
        Field(max_length=1024, description="Last seen counters.", json_schema_extra=ATOMIC),
    ] = ()


CanaryStage = Literal["Starting", "WarmingUp", "Stepping", "Promoting"]


class CanaryStatus(Model):
    """The revision on trial."""

    revision: Annotated[str, Field(max_length=63, description="Name of the revision.")]
    version: Annotated[str, Field(max_length=253, description="ModelVersion, if any.")] = ""
    uri: Annotated[str, Field(max_length=2048, description="The artefact.")] = ""
    format: Annotated[ModelFormat | None, Field(description="Format of the artefact.")] = None
    stage: Annotated[CanaryStage, Field(description="Stage of the rollout.")] = "Starting"
    step: Annotated[int, Field(ge=0, description="Index of the step.")] = 0
    weight: Annotated[int, Field(ge=0, le=100, description="Share of requests in percent.")] = 0
    start_time: Annotated[Timestamp, Field(description="When the rollout began.")]
    stage_time: Annotated[Timestamp, Field(description="When the stage or step began.")]
    look_time: Annotated[
        Timestamp | None, Field(description="When the evidence was last written.")
    ] = None
    ready_replicas: Annotated[int, Field(description="Ready pods.")] = 0
    reason: Annotated[str, Field(max_length=128, description="Reason of the verdict.")] = ""
    message: Annotated[str, Field(max_length=2048, description="The verdict in words.")] = ""
    indicators: Annotated[
        tuple[IndicatorStatus, ...],
        Field(max_length=8, description="Evidence.", json_schema_extra=map_list("name")),
    ] = ()


class OldRevision(Model):
    """A revision that no longer serves and is about to be deleted."""

    revision: Annotated[str, Field(max_length=63, description="Name of the revision.")]
    time: Annotated[Timestamp, Field(description="When it stopped serving.")]


class Outcome(Model):
    """How a rollout ended."""

    revision: Annotated[str, Field(max_length=63, description="Name of the revision.")]
    version: Annotated[str, Field(max_length=253, description="ModelVersion, if any.")] = ""
    outcome: Annotated[
        Literal["Promoted", "RolledBack", "Superseded"], Field(description="How it ended.")
    ]
    reason: Annotated[str, Field(max_length=128, description="CamelCase reason.")] = ""
    message: Annotated[str, Field(max_length=2048, description="The verdict with its counts.")] = ""
    time: Annotated[Timestamp, Field(description="When it ended.")]


class ModelDeploymentStatus(Model):
    """What serves, what is on trial and how earlier rollouts ended."""

    observed_generation: Annotated[int, Field(description="Generation last acted upon.")] = 0
    conditions: Conditions = ()
    url: Annotated[str | None, Field(max_length=2048, description="Where to send requests.")] = None
    replicas: Annotated[int, Field(description="Ready pods of all revisions.")] = 0
    runtime: Annotated[str, Field(max_length=253, description="The runtime in use.")] = ""
    stable: Annotated[RevisionStatus | None, Field(description="The revision that serves.")] = None
    canary: Annotated[CanaryStatus | None, Field(description="The revision on trial.")] = None
    old: Annotated[
        tuple[OldRevision, ...],
        Field(
            max_length=16,
            description="Revisions about to be deleted.",
            json_schema_extra=map_list("revision"),
        ),
    ] = ()
    history: Annotated[
        tuple[Outcome, ...],
        Field(
            max_length=20,
            description="Ended rollouts, newest first; a revision rolled back is not tried again.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()


class ModelDeployment(Resource):
    """The desired serving of one model."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') "
            "&& size(self.metadata.name) <= 63",
            "metadata.name becomes a Service's: it needs lower-case letters, digits and hyphens, "
            "a letter first, at most 63 characters",
        ),
    )
    kind: ClassVar[str] = "ModelDeployment"
    plural: ClassVar[str] = "modeldeployments"
    short_names: ClassVar[tuple[str, ...]] = ("md",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Stable", ".status.stable.revision"),
        Column("Version", ".status.stable.version"),
        Column("Canary", ".status.canary.revision"),
        Column("Weight", ".status.canary.weight", "integer"),
        Column("Replicas", ".status.replicas", "integer"),
        Column("Status", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        Column("URL", ".status.url", wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    spec: Annotated[ModelDeploymentSpec, Field(description="What is to be served, and how.")]
    status: Annotated[ModelDeploymentStatus, Field(description="What is served.")] = (
        ModelDeploymentStatus()
    )
