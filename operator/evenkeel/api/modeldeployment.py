"""ModelDeployment: the desired serving of one model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from evenkeel.api.analysis import Analysis
from evenkeel.api.base import (
    ENVIRONMENT,
    Column,
    Labels,
    Name,
    PodsOrPercentage,
    Resource,
    Scale,
)
from evenkeel.api.common import ChildMetadata
from evenkeel.api.modeldeploymentstatus import ModelDeploymentStatus
from evenkeel.api.modelsource import ModelSource
from evenkeel.api.monitoring import Monitoring
from evenkeel.api.performance import PerformanceProfile
from evenkeel.api.podtemplate import PodTemplate
from evenkeel.api.registration import ServedAlias
from evenkeel.api.rollout import Rollout
from evenkeel.api.traffic import Traffic
from evenkeel.api.warmup import WarmUp
from evenkeel.meta.model import ATOMIC, Model, OpenObject, Rule
from evenkeel.meta.times import Timestamp


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
        int,
        Field(
            alias="targetCPUUtilizationPercentage",  # As autoscaling/v1 writes it.
            ge=1,
            le=1000,
            description="Target where metrics is empty.",
        ),
    ] = 80
    metrics: Annotated[
        tuple[OpenObject, ...],
        Field(max_length=16, description="autoscaling/v2 metrics.", json_schema_extra=ATOMIC),
    ] = ()
    behavior: Annotated[OpenObject | None, Field(description="autoscaling/v2 behavior.")] = None


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


class ChildrenMetadata(Model):
    """Labels and annotations for each kind of child but the pods, which have podTemplate.metadata.

    They start no new revision.
    """

    deployment: Annotated[ChildMetadata | None, Field(description="Of all Deployments.")] = None
    service: Annotated[ChildMetadata | None, Field(description="Of all Services.")] = None
    route: Annotated[
        ChildMetadata | None, Field(description="Of the HTTPRoute and of InferencePools.")
    ] = None
    autoscaler: Annotated[
        ChildMetadata | None, Field(description="Of the HorizontalPodAutoscalers.")
    ] = None
    disruption_budget: Annotated[
        ChildMetadata | None, Field(description="Of the PodDisruptionBudget.")
    ] = None


class ModelDeploymentSpec(Model):
    """Model, runtime, replicas, traffic, rollout and analysis."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.analysis) || !has(self.rollout) || !has(self.rollout.steps) || "
            "!self.rollout.steps.exists(s, s.analysis)",
            "a step with analysis needs spec.analysis; add it or set analysis: false in the step",
        ),
        Rule(
            "!has(self.analysis) || !has(self.rollout) || !has(self.rollout.steps) || "
            "!self.rollout.steps.exists(s, s.analysis) || "
            "self.analysis.indicators.exists(i, !i.dryRun)",
            "a step with analysis needs an indicator that decides; remove dryRun from one, or set "
            "analysis: false in the step",
        ),
        Rule(
            "!has(self.rollout) || !has(self.rollout.probation) || "
            "!has(self.rollout.probation.indicators) || has(self.analysis)",
            "indicators of a probation need spec.analysis, which says where they are read",
        ),
        Rule(
            "!has(self.rollout) || !has(self.rollout.probation) || "
            "!has(self.rollout.probation.indicators) || !has(self.analysis) || "
            "self.rollout.probation.indicators.all(p, "
            "!self.analysis.indicators.exists(i, i.name == p.name))",
            "an indicator of the probation has the name of one of spec.analysis, which is judged "
            "in probation anyway: remove it or choose another name",
        ),
        Rule(
            "!has(self.analysis) || has(self.traffic) && has(self.traffic.gateway) || "
            "self.analysis.indicators.all(i, has(i.total) || !has(i.source) || "
            "i.source in ['Meter', 'Runtime', 'Pairs'])",
            "indicators from a gateway need traffic.gateway",
        ),
        Rule(
            "!has(self.analysis) || has(self.monitoring) || "
            "self.analysis.indicators.all(i, has(i.total) || !has(i.source) || "
            "i.source != 'Meter')",
            "indicators with source: Meter need monitoring; add monitoring: {}",
        ),
        Rule(
            "!has(self.analysis) || has(self.monitoring) && has(self.monitoring.feedback) || "
            "self.analysis.indicators.all(i, i.name != 'labels' || has(i.total) || "
            "!has(i.source) || i.source != 'Meter')",
            "the indicator labels needs monitoring.feedback, with its keys",
        ),
        Rule(
            "!has(self.rollout) || !has(self.rollout.probation) || "
            "!has(self.rollout.probation.indicators) || "
            "has(self.monitoring) && has(self.monitoring.feedback) || "
            "self.rollout.probation.indicators.all(i, i.name != 'labels' || has(i.total) || "
            "!has(i.source) || i.source != 'Meter')",
            "the indicator labels needs monitoring.feedback, with its keys",
        ),
        Rule(
            "!has(self.traffic) || !has(self.traffic.affinity) || "
            "!has(self.traffic.affinity.header) || has(self.monitoring)",
            "affinity by a header needs the meter, which divides by it: add monitoring: {}",
        ),
        Rule(
            "!has(self.analysis) || !self.analysis.indicators.exists(i, has(i.source) && "
            "i.source == 'Pairs') || has(self.rollout) && has(self.rollout.steps) && "
            "self.rollout.steps.exists(s, has(s.mirror))",
            "an indicator with source Pairs needs a step with mirror, which makes pairs; add one, "
            "or take another source",
        ),
        Rule(
            "!has(self.analysis) || !self.analysis.indicators.exists(i, has(i.source) && "
            "i.source == 'Pairs') || self.analysis.indicators.exists(i, "
            "(!has(i.source) || i.source != 'Pairs') && (!has(i.dryRun) || !i.dryRun)) || "
            "!has(self.rollout) || !has(self.rollout.steps) || "
            "self.rollout.steps.all(s, has(s.mirror) || !s.analysis)",
            "pairs are made in steps with mirror alone; for the other steps add an indicator of "
            "another source, or set their analysis to false",
        ),
        Rule(
            "!has(self.rollout) || !has(self.rollout.steps) || has(self.monitoring) || "
            "!self.rollout.steps.exists(s, has(s.mirror))",
            "a step with mirror needs the meter, which copies requests: add monitoring: {}",
        ),
        Rule(
            "!has(self.rollout) || !has(self.rollout.steps) || "
            "has(self.traffic) && has(self.traffic.gateway) || "
            "!self.rollout.steps.exists(s, has(s.match))",
            "a step with match needs a gateway that reads headers: add traffic.gateway, or use "
            "weight, mirror or preview",
        ),
        Rule(
            "!has(self.rollout) || !has(self.rollout.steps) || "
            "has(self.traffic) && has(self.traffic.gateway) || "
            "!self.rollout.steps.exists(s, has(s.preview) && has(s.preview.hostnames) && "
            "size(s.preview.hostnames) > 0)",
            "hostnames of a preview need traffic.gateway; without one it is reached at the Service "
            "<name>-preview",
        ),
        Rule(
            "!has(self.rollout) || !has(self.rollout.steps) || !has(self.traffic) || "
            "!has(self.traffic.gateway) || !has(self.traffic.gateway.hostnames) || "
            "!self.rollout.steps.exists(s, has(s.preview) && has(s.preview.hostnames) && "
            "s.preview.hostnames.exists(h, h in self.traffic.gateway.hostnames))",
            "a preview's host name is one of traffic.gateway.hostnames, where clients come: choose "
            "another",
        ),
        Rule(
            "!has(self.rollout) || !has(self.rollout.steps) || "
            "has(self.traffic) && has(self.traffic.gateway) || "
            "!self.rollout.steps.exists(s, has(s.weight) && has(s.replicas))",
            "without a gateway the numbers of pods are what divides requests: remove replicas "
            "from steps with weight, or add traffic.gateway",
        ),
        Rule(
            "!has(self.rollout) || !has(self.rollout.steps) || !has(self.traffic) || "
            "!has(self.traffic.affinity) || !has(self.traffic.affinity.header) || "
            "!self.rollout.steps.exists(s, has(s.baseline) && s.baseline)",
            "stable's meters divide by a header between stable and canary alone: remove "
            "traffic.affinity.header, or baseline from the steps",
        ),
        Rule(
            "!has(self.rollout) || !has(self.rollout.steps) || !has(self.traffic) || "
            "!has(self.traffic.gateway) || !has(self.traffic.gateway.inferencePool) || "
            "!self.rollout.steps.exists(s, has(s.baseline) && s.baseline)",
            "a baseline has no InferencePool of its own: remove traffic.gateway.inferencePool, or "
            "baseline from the steps",
        ),
        Rule(
            "!has(self.performance) || has(self.performance.body) || has(self.warmUp)",
            "performance needs the body of a request: give performance.body, or warmUp, whose "
            "requests are sent then",
        ),
        Rule(
            "!has(self.performance) || !has(self.rollout) || !has(self.rollout.stopFirst) || "
            "!self.rollout.stopFirst",
            "performance loads one more pod, for which rollout.stopFirst says there is no room; "
            "remove one",
        ),
        Rule(
            "!has(self.rollout) || !has(self.rollout.probation) || "
            "!has(self.rollout.probation.indicators) || "
            "has(self.traffic) && has(self.traffic.gateway) || "
            "self.rollout.probation.indicators.all(i, has(i.total) || !has(i.source) || "
            "i.source in ['Meter', 'Runtime', 'Pairs'])",
            "indicators from a gateway need traffic.gateway",
        ),
        Rule(
            "!has(self.rollout) || !has(self.rollout.probation) || "
            "!has(self.rollout.probation.indicators) || has(self.monitoring) || "
            "self.rollout.probation.indicators.all(i, has(i.total) || !has(i.source) || "
            "i.source != 'Meter')",
            "indicators with source: Meter need monitoring; add monitoring: {}",
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
        Rule(
            "!has(self.servedAlias) || !has(self.model.registry) || "
            "!has(self.model.registry.alias) || "
            "self.servedAlias.alias != self.model.registry.alias || "
            "self.servedAlias.name != self.model.registry.name || "
            "self.servedAlias.registry != self.model.registry.registry",
            "servedAlias is moved to what serves, so it cannot be the alias that model.registry "
            "follows: follow another, such as candidate",
        ),
        # To the default it may go back, since that is how it leaves a manifest.
        Rule(
            "!has(self.autoscaling) || !has(oldSelf.autoscaling) || self.replicas == 1 || "
            "self.replicas == oldSelf.replicas",
            "autoscaling sets the number of replicas: change its minReplicas or maxReplicas, or "
            "remove autoscaling so that another may scale the model",
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
            description="Replicas of the stable revision; autoscaling overrules it. KEDA, a "
            "HorizontalPodAutoscaler on the ModelDeployment and kubectl scale set it by /scale.",
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
            json_schema_extra=ENVIRONMENT,
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
    child_metadata: Annotated[
        ChildrenMetadata | None,
        Field(description="Labels and annotations of what is made for the model."),
    ] = None
    warm_up: Annotated[
        WarmUp | None,
        Field(description="Requests that a pod answers before it gets traffic."),
    ] = None
    monitoring: Annotated[
        Monitoring | None,
        Field(
            description="The meter in front of each model server, which counts requests and values."
        ),
    ] = None
    performance: Annotated[
        PerformanceProfile | None,
        Field(
            description="Measures how many requests a pod of each new revision carries, before it "
            "gets any."
        ),
    ] = None
    served_alias: Annotated[
        ServedAlias | None,
        Field(
            description="Alias that is moved to the registered version that serves: on with each "
            "promotion, and back."
        ),
    ] = None
    restart_time: Annotated[
        Timestamp | None,
        Field(
            description="Pods that are older are replaced then, without a new revision; taking it "
            "away replaces them once more."
        ),
    ] = None
    traffic: Annotated[Traffic, Field(description="Division of requests.")] = Traffic()
    rollout: Annotated[Rollout, Field(description="How a new revision takes over.")] = Rollout()
    analysis: Annotated[Analysis | None, Field(description="How a canary is judged.")] = None


class ModelDeployment(Resource):
    """The desired serving of one model."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') "
            "&& size(self.metadata.name) <= 63",
            "metadata.name becomes a Service's: it needs lower-case letters, digits and hyphens, "
            "a letter first, at most 63 characters",
        ),
        Rule(
            "size(self.metadata.name) <= 55 || !has(self.spec.rollout) || "
            "!has(self.spec.rollout.steps) || !self.spec.rollout.steps.exists(s, has(s.preview))",
            "a preview has the Service <name>-preview: metadata.name may have 55 characters, or "
            "remove the step with preview",
        ),
        Rule(
            "!has(self.spec.rollout) || !has(self.spec.rollout.group) || "
            "self.metadata.name in self.spec.rollout.group.members",
            "rollout.group.members has to name the ModelDeployment itself, beside the others",
        ),
    )
    kind: ClassVar[str] = "ModelDeployment"
    scale: ClassVar[Scale | None] = Scale()
    plural: ClassVar[str] = "modeldeployments"
    short_names: ClassVar[tuple[str, ...]] = ("mdep",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Stable", ".status.stable.revision"),
        Column("Version", ".status.stable.version"),
        Column("Canary", ".status.canary.revision"),
        Column("Weight", ".status.canary.weight", "integer"),
        Column("Replicas", ".status.replicas", "integer"),
        Column("Ready Replicas", ".status.readyReplicas", "integer"),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', wide=True),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        Column("Registered", ".status.stable.registered.version", wide=True),
        Column("URL", ".status.url", wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    lasting: ClassVar[frozenset[str]] = frozenset(
        ("stable", "canary", "history", "registry", "servedAlias")
    )
    spec: Annotated[ModelDeploymentSpec, Field(description="What is to be served, and how.")]
    status: Annotated[ModelDeploymentStatus, Field(description="What is served.")] = (
        ModelDeploymentStatus()
    )
