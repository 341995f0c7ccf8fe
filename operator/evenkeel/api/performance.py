"""How much a revision carries: how it is measured, and the figures."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.api.base import Positive, Seconds
from evenkeel.api.warmup import RequestPath
from evenkeel.meta.model import Model, Rule, cel, map_list, says
from evenkeel.meta.times import Timestamp

Quantile = Annotated[
    str,
    Field(
        max_length=6,
        pattern=r"^0\.[5-9][0-9]{0,3}$",
        json_schema_extra=says('write a quantile from 0.5 to 0.9999 in quotes, such as "0.99"'),
    ),
]
"""A share of requests as a decimal string."""

Rate = Annotated[
    Positive,
    Field(
        json_schema_extra=cel(
            Rule("double(self) <= 100000.0", "a rate is 100000 requests a second at most")
        )
    ),
]
"""Requests a second as a decimal string."""


class LatencyBound(Model):
    """So large a share of the requests is answered well within this time."""

    quantile: Annotated[Quantile, Field(description="Share of the requests.")] = "0.99"
    seconds: Annotated[Seconds, Field(description="Longest time for them.")]


class FastEnough(Model):
    """What a pod must carry before its revision gets requests."""

    min_rate: Annotated[
        Rate,
        Field(description="Requests a second that one pod must carry within the latency."),
    ]


class PerformanceProfile(Model):
    """A measurement of each new revision by load on a pod of its own, before it gets requests."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.fastEnough) || double(self.fastEnough.minRate) <= double(self.maxRate)",
            "fastEnough.minRate is above maxRate, up to which is measured: raise maxRate",
        ),
    )
    latency: Annotated[LatencyBound, Field(description="The bound that the load has to keep.")]
    max_rate: Annotated[
        Rate, Field(description="Highest rate that is tried, in requests a second.")
    ] = "1000"
    duration_seconds: Annotated[
        int, Field(ge=30, le=7200, description="Longest time of the load.")
    ] = 300
    path: Annotated[
        RequestPath | None,
        Field(description="HTTP path; that of the warm-up requests by default."),
    ] = None
    body: Annotated[
        str | None,
        Field(
            max_length=65536,
            description="Body of each request, as text; that of the warm-up requests by default.",
        ),
    ] = None
    peak_rate: Annotated[
        Rate | None,
        Field(description="Requests a second that all pods together have to carry."),
    ] = None
    cost_per_hour: Annotated[
        Positive | None, Field(description="Cost of one pod in an hour, in any currency.")
    ] = None
    fast_enough: Annotated[
        FastEnough | None,
        Field(description="Takes a revision back that carries less, before it gets requests."),
    ] = None


class QuantileLatency(Model):
    """Latency of a share of the requests."""

    quantile: Annotated[str, Field(max_length=8, description="Share of the requests.")]
    seconds: Annotated[str, Field(max_length=32, description="They are answered within this.")]


class Performance(Model):
    """What was measured of a pod. Figures that are unknown are absent."""

    definition: Annotated[
        str, Field(max_length=64, description="Digest of how it was measured.")
    ] = ""
    time: Annotated[Timestamp, Field(description="When it was measured.")]
    reason: Annotated[str, Field(max_length=128, description="Measured, or why there is no rate.")]
    message: Annotated[str, Field(max_length=1024, description="The figures in words.")] = ""
    rate: Annotated[
        str | None,
        Field(max_length=32, description="Most requests a second within the latency; 0: none."),
    ] = None
    latency: Annotated[LatencyBound | None, Field(description="The bound that was kept.")] = None
    limited_by: Annotated[
        str,
        Field(
            max_length=32,
            description="Why no higher rate was found: Latency, MaxRate, Time, Failure or "
            "Generator.",
        ),
    ] = ""
    latencies: Annotated[
        tuple[QuantileLatency, ...],
        Field(
            max_length=8,
            description="Latencies at that rate.",
            json_schema_extra=map_list("quantile"),
        ),
    ] = ()
    alone_seconds: Annotated[
        str | None, Field(max_length=32, description="Latency of a request without others.")
    ] = None
    cold_start_seconds: Annotated[
        str | None,
        Field(max_length=32, description="From the pod's creation until it was ready."),
    ] = None
    cpu: Annotated[
        str | None, Field(max_length=32, description="Processors in use at that rate.")
    ] = None
    memory_bytes: Annotated[
        int | None, Field(ge=0, description="Most memory that it could not give back.")
    ] = None


class Recommended(Model):
    """What the figures recommend for a ModelDeployment's pods."""

    recommended_replicas: Annotated[int | None, Field(description="Pods that carry peakRate.")] = (
        None
    )
    recommended_cpu: Annotated[
        str | None,
        Field(
            max_length=32,
            alias="recommendedCPU",
            description="Request for a pod at its full rate.",
        ),
    ] = None
    recommended_memory: Annotated[
        str | None, Field(max_length=32, description="A fifth more than the peak.")
    ] = None
    cost_per_1000: Annotated[
        str | None,
        Field(
            max_length=32,
            alias="costPer1000",
            description="Cost of 1,000 requests where every pod has its full rate.",
        ),
    ] = None


class Sizing(Recommended):
    """What the figures recommend, beside what is set."""

    replicas: Annotated[
        int | None, Field(description="Pods that may be: replicas, or autoscaling's most.")
    ] = None
    cpu: Annotated[
        str | None, Field(max_length=64, description="The model server's request, if any.")
    ] = None
    memory: Annotated[
        str | None,
        Field(max_length=64, description="The model server's limit, else its request, if any."),
    ] = None


class VersionPerformance(Recommended):
    """What was measured of a version in one ModelDeployment."""

    deployment: Annotated[str, Field(max_length=253, description="The ModelDeployment.")]
    revision: Annotated[str, Field(max_length=63, description="Revision that was measured.")]
    figures: Annotated[Performance, Field(description="The figures.")]
