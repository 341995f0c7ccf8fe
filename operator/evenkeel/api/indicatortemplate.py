"""IndicatorTemplate and ClusterIndicatorTemplate: an indicator that analyses take by name."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.api.analysis import (
    WEB_HAS_NO_THRESHOLD,
    ArgumentName,
    ArgumentValue,
    BadQuery,
    GoodQuery,
    Tolerance,
    TotalQuery,
)
from evenkeel.api.base import Column, Limit, Resource, Seconds
from evenkeel.api.webcounters import WebCounters
from evenkeel.meta.model import ATOMIC, Model, Rule, exactly_one, map_list


class Parameter(Model):
    """What an analysis may or must say of its own."""

    name: Annotated[ArgumentName, Field(description="Name; a query has it as {{args.NAME}}.")]
    description: Annotated[
        str | None, Field(max_length=1024, description="What it is, for people.")
    ] = None
    default: Annotated[
        ArgumentValue | None, Field(description="Its value where an analysis gives none.")
    ] = None


class IndicatorTemplateSpec(Model):
    """An indicator as two counters, with parameters and limits.

    Placeholders are those of a ServingRuntime's queries, and {{args.NAME}}. Within quotes an
    argument is escaped, so that it stays the text that it is; outside of them it may be a name, a
    number or a duration only.
    """

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("a template", ("total", "web")),
        Rule(
            "has(self.web) ? !has(self.good) && !has(self.bad) : has(self.good) != has(self.bad)",
            "give either good or bad beside total, not both and not none",
        ),
        WEB_HAS_NO_THRESHOLD,
        Rule(
            "!has(self.maxRatio) || "
            "double(has(self.acceptable) ? self.acceptable : '0.005') <= double(self.maxRatio)",
            "acceptable must not exceed maxRatio; lower acceptable (0.005 by default)",
        ),
    )
    description: Annotated[
        str | None, Field(max_length=4096, description="What it tells, for people.")
    ] = None
    parameters: Annotated[
        tuple[Parameter, ...],
        Field(
            max_length=16,
            description="What analyses give as args.",
            json_schema_extra=map_list("name"),
        ),
    ] = ()
    total: TotalQuery = None
    bad: BadQuery = None
    good: GoodQuery = None
    web: Annotated[
        WebCounters | None, Field(description="The counters of a web API, in place of PromQL.")
    ] = None
    thresholds: Annotated[
        tuple[Seconds, ...],
        Field(
            max_length=64,
            description="Bucket bounds that the histogram has, in seconds; thresholdSeconds is "
            "one of them.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()
    threshold_seconds: Annotated[
        Seconds | None, Field(description="thresholdSeconds where an analysis gives none.")
    ] = None
    tolerance: Annotated[
        Tolerance | None, Field(description="tolerance where an analysis gives none.")
    ] = None
    acceptable: Annotated[
        Limit | None, Field(description="acceptable where an analysis gives none.")
    ] = None
    max_ratio: Annotated[
        Limit | None, Field(description="maxRatio where an analysis gives none.")
    ] = None
    burn_in_requests: Annotated[
        int | None,
        Field(ge=0, le=1000000, description="burnInRequests where an analysis gives none."),
    ] = None


class IndicatorTemplate(Resource):
    """An indicator for the analyses of one namespace."""

    kind: ClassVar[str] = "IndicatorTemplate"
    plural: ClassVar[str] = "indicatortemplates"
    short_names: ClassVar[tuple[str, ...]] = ("indt",)
    has_status: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Parameters", ".spec.parameters[*].name"),
        Column("Acceptable", ".spec.acceptable"),
        Column("Max Ratio", ".spec.maxRatio"),
        Column("Description", ".spec.description", wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    spec: Annotated[IndicatorTemplateSpec, Field(description="The indicator.")]


class ClusterIndicatorTemplate(Resource):
    """An indicator for the analyses of all namespaces."""

    kind: ClassVar[str] = "ClusterIndicatorTemplate"
    plural: ClassVar[str] = "clusterindicatortemplates"
    short_names: ClassVar[tuple[str, ...]] = ("cindt",)
    namespaced: ClassVar[bool] = False
    has_status: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = IndicatorTemplate.columns
    spec: Annotated[IndicatorTemplateSpec, Field(description="The indicator.")]
