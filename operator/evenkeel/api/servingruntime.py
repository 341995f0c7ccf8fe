"""ServingRuntime and ClusterServingRuntime: from a model format to a pod template.

The spec is shaped like KServe's, so that theirs convert by renaming the apiVersion.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.api.base import Annotations, Column, Labels, Resource, Seconds
from evenkeel.api.common import CONTAINER
from evenkeel.api.warmup import RuntimeWarmUp
from evenkeel.meta.model import ATOMIC, Model, OpenObject, Rule, map_list, says


class SupportedModelFormat(Model):
    """A format that the runtime can serve."""

    name: Annotated[str, Field(min_length=1, max_length=63, description="Name of the format.")]
    version: Annotated[str | None, Field(max_length=63, description="Version of the format.")] = (
        None
    )
    auto_select: Annotated[
        bool, Field(description="Whether a ModelDeployment that names no runtime may get this one.")
    ] = False
    priority: Annotated[
        int, Field(ge=0, description="The highest priority wins among several candidates.")
    ] = 0


class MetricQuery(Model):
    """A service-level indicator as two counters.

    Placeholders: {{namespace}}, {{deployment}}, {{revision}}, {{pods}} (a regular expression that
    matches the revision's pods), {{service}} (the revision's Service), {{route}} (the HTTPRoute);
    for latency {{threshold}} (seconds) and {{le}}, {{leMillis}}, {{leMicros}} (a regular
    expression that matches the bucket's label in that unit). Both queries return one series for
    each counting process, so that restarts are seen. Prefer good to bad: a series that is missing
    then never looks like health.
    """

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z][a-z0-9-]*$",
            max_length=63,
            description="Indicator, such as errors or latency.",
        ),
    ]
    total: Annotated[str, Field(max_length=2048, description="PromQL: all events, as counters.")]
    bad: Annotated[
        str | None, Field(max_length=2048, description="PromQL: the bad events, as counters.")
    ] = None
    good: Annotated[
        str | None,
        Field(max_length=2048, description="PromQL: the good events, where bad has no counter."),
    ] = None
    thresholds: Annotated[
        tuple[Seconds, ...],
        Field(
            max_length=64,
            description="Bucket bounds that the histogram has, in seconds.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("has(self.good) != has(self.bad)", "give either good or bad, not both and not none"),
    )


class RuntimeMetrics(Model):
    """Where the runtime exposes Prometheus metrics and what they mean."""

    port: Annotated[str, Field(max_length=15, description="Name of the container port.")] = (
        "metrics"
    )
    path: Annotated[
        str,
        Field(
            max_length=256,
            pattern=r"^/",
            description="HTTP path.",
            json_schema_extra=says("a path begins with /"),
        ),
    ] = "/metrics"
    indicators: Annotated[
        tuple[MetricQuery, ...],
        Field(
            max_length=16,
            description="Indicators that a canary analysis may name.",
            json_schema_extra=map_list("name"),
        ),
    ] = ()


class ServingRuntimeSpec(Model):
    """Pod template, formats, ports and metrics of a model server."""

    supported_model_formats: Annotated[
        tuple[SupportedModelFormat, ...],
        Field(
            max_length=32,
            description="Formats that the runtime can serve.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()
    disabled: Annotated[bool, Field(description="Whether the runtime is out of use.")] = False
    protocol_versions: Annotated[
        tuple[Annotated[str, Field(max_length=63)], ...],
        Field(
            max_length=8,
            description="Inference protocols, such as v2.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()
    annotations: Annotated[Annotations, Field(description="Annotations of the pods.")] = Field(
        default_factory=dict
    )
    labels: Annotated[Labels, Field(description="Labels of the pods.")] = Field(
        default_factory=dict
    )
    containers: Annotated[
        tuple[OpenObject, ...],
        Field(
            min_length=1,
            max_length=16,
            description="Containers; the model server is the one named model or "
            "kserve-container, otherwise the first. {{.Name}}, {{.Namespace}}, {{.Model}}, "
            "{{.ModelPath}} and {{.Version}} are replaced. It needs a port named http (or its "
            "first port) and a readiness probe that tests the loaded model.",
            json_schema_extra={"items": CONTAINER, **map_list("name")},
        ),
    ]
    volumes: Annotated[
        tuple[OpenObject, ...],
        Field(max_length=32, description="Volumes of the pod.", json_schema_extra=ATOMIC),
    ] = ()
    pod_spec: Annotated[
        OpenObject,
        Field(description="Further fields of the PodSpec (tolerations, securityContext...)."),
    ] = Field(default_factory=dict)
    model_mount_path: Annotated[
        str,
        Field(
            max_length=256,
            pattern=r"^/",
            description="Where the model is mounted.",
            json_schema_extra=says("a path begins with /"),
        ),
    ] = "/mnt/models"
    warm_up: Annotated[
        RuntimeWarmUp | None,
        Field(description="Defaults of a ModelDeployment's warmUp; without effect by itself."),
    ] = None
    metrics: Annotated[
        RuntimeMetrics | None, Field(description="The runtime's Prometheus metrics.")
    ] = None


class ServingRuntime(Resource):
    """A model server for one namespace."""

    kind: ClassVar[str] = "ServingRuntime"
    plural: ClassVar[str] = "servingruntimes"
    short_names: ClassVar[tuple[str, ...]] = ("ekrt",)
    has_status: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Formats", ".spec.supportedModelFormats[*].name"),
        Column("Disabled", ".spec.disabled", "boolean"),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    spec: Annotated[ServingRuntimeSpec, Field(description="The model server.")]


class ClusterServingRuntime(Resource):
    """A model server for all namespaces."""

    kind: ClassVar[str] = "ClusterServingRuntime"
    plural: ClassVar[str] = "clusterservingruntimes"
    short_names: ClassVar[tuple[str, ...]] = ("ekcrt",)
    namespaced: ClassVar[bool] = False
    has_status: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = ServingRuntime.columns
    spec: Annotated[ServingRuntimeSpec, Field(description="The model server.")]
