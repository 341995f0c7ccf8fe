"""How a canary is judged: indicators, limits and where they are read."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from evenkeel.api.base import Limit, Name, Seconds
from evenkeel.api.prometheus import Prometheus
from evenkeel.api.webcounters import WebCounters
from evenkeel.meta.model import UNSTATED, Model, Rule, map_list, says

Tolerance = Annotated[
    str,
    Field(
        max_length=16,
        pattern=r"^[0-9]+(\.[0-9]+)?$",
        json_schema_extra=says('write a decimal number, at least 0, in quotes, such as "0.25"'),
    ),
]
"""A margin as a decimal string, at least 0."""


ArgumentName = Annotated[
    str,
    Field(
        max_length=63,
        pattern=r"^[A-Za-z][A-Za-z0-9_-]*$",
        json_schema_extra=says("a parameter's name needs letters, digits, - and _, a letter first"),
    ),
]
"""Name of a template's parameter."""
ArgumentValue = Annotated[
    str,
    Field(
        max_length=256,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        json_schema_extra=says("a value is one line of text, without control characters"),
    ),
]
"""What stands for a template's parameter."""


class TemplateRef(Model):
    """An IndicatorTemplate of the same namespace, or a ClusterIndicatorTemplate."""

    kind: Annotated[
        Literal["IndicatorTemplate", "ClusterIndicatorTemplate"], Field(description="Kind.")
    ] = "IndicatorTemplate"
    name: Annotated[Name, Field(description="Name.")]


class Argument(Model):
    """A value for a parameter of the template."""

    name: Annotated[ArgumentName, Field(description="Name of the parameter.")]
    value: Annotated[
        ArgumentValue,
        Field(description="Value; it may have placeholders, such as {{revision}}."),
    ]


TotalQuery = Annotated[
    str | None, Field(max_length=2048, description="PromQL of all events, as counters.")
]
BadQuery = Annotated[
    str | None, Field(max_length=2048, description="PromQL of the bad events, as counters.")
]
GoodQuery = Annotated[
    str | None, Field(max_length=2048, description="PromQL of the good events, as counters.")
]
WEB_HAS_NO_THRESHOLD = Rule(
    "!has(self.web) || !has(self.thresholdSeconds)",
    "thresholdSeconds is a histogram's; a web API itself tells what was slow",
)


def _of_pairs(rule: str, message: str) -> Rule:
    return Rule(f"!has(self.source) || self.source != 'Pairs' || ({rule})", message)


PAIRS = (
    _of_pairs(
        "!has(self.total) && self.name in "
        "['disagreement', 'errors', 'latency', 'paired-errors', 'paired-latency']",
        "source Pairs takes no queries, and counts disagreement, errors and latency (also as "
        "paired-errors and paired-latency); take one of these names",
    ),
    _of_pairs(
        "(self.name == 'disagreement') == has(self.maxRatio)",
        "disagreement of Pairs is judged by maxRatio alone, and needs it; errors and latency of "
        "Pairs by tolerance and acceptable, without maxRatio",
    ),
    _of_pairs(
        "self.name.endsWith('latency') == has(self.thresholdSeconds)",
        "of Pairs latency needs thresholdSeconds, and nothing else has it",
    ),
)
"""Of requests that both sides answer. An analysis may have errors of both kinds, by two names."""


class IndicatorSpec(Model):
    """A service-level indicator that stable and canary are compared by."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.total) == (has(self.bad) || has(self.good))",
            "a custom indicator needs total and one of bad or good",
        ),
        Rule("!(has(self.bad) && has(self.good))", "give either bad or good, not both"),
        Rule(
            "!has(self.maxRatio) || has(self.templateRef) && !has(self.acceptable) || "
            "has(self.source) && self.source == 'Pairs' || "
            "double(has(self.acceptable) ? self.acceptable : '0.005') <= double(self.maxRatio)",
            "acceptable must not exceed maxRatio; lower acceptable (0.005 by default)",
        ),
        Rule(
            "!(self.name in ['errors', 'stream-errors']) || has(self.total) || "
            "has(self.templateRef) || has(self.web) || !has(self.thresholdSeconds)",
            "thresholdSeconds belongs to latency and other times, errors has none",
        ),
        Rule(
            "self.name != 'latency' || has(self.total) || has(self.thresholdSeconds) || "
            "has(self.templateRef) || has(self.web)",
            "latency needs thresholdSeconds, the slowest acceptable answer",
        ),
        Rule(
            "!(self.name in ['time-to-first-token', 'time-per-output-token', "
            "'inter-token-latency']) || has(self.total) || has(self.thresholdSeconds) || "
            "has(self.templateRef) || has(self.web)",
            "a time of language models needs thresholdSeconds, the slowest acceptable one",
        ),
        Rule(
            "[has(self.templateRef), has(self.web), has(self.total) || has(self.source)]"
            ".filter(g, g).size() <= 1",
            "an indicator has at most one of templateRef, web, and source or queries of its own",
        ),
        WEB_HAS_NO_THRESHOLD,
        *PAIRS,
        Rule("!has(self.args) || has(self.templateRef)", "args are a template's; add templateRef"),
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
        Literal["Meter", "Runtime", "Traefik", "Istio", "Pairs"] | None,
        Field(
            description="Whose metrics are read where no queries are given. Without it, the "
            "meter's where both revisions have it, else the runtime's. Pairs are requests that "
            "a mirror step copies to the canary."
        ),
    ] = None
    threshold_seconds: Annotated[
        Seconds | None,
        Field(description="Requests slower than this are bad; a bucket bound of the histogram."),
    ] = None
    total: TotalQuery = None
    bad: BadQuery = None
    good: GoodQuery = None
    web: Annotated[
        WebCounters | None, Field(description="The counters of a web API, in place of queries.")
    ] = None
    template_ref: Annotated[
        TemplateRef | None, Field(description="The template that the indicator is made of.")
    ] = None
    args: Annotated[
        tuple[Argument, ...],
        Field(
            max_length=16,
            description="Values of the template's parameters.",
            json_schema_extra=map_list("name"),
        ),
    ] = ()
    tolerance: Annotated[
        Tolerance,
        Field(
            description="How much worse than stable, as a share of stable's bad ratio; the "
            "template's or 0.25 by default.",
            json_schema_extra=UNSTATED,
        ),
    ] = "0.25"
    acceptable: Annotated[
        Limit,
        Field(
            description="Bad ratio that is acceptable whatever stable does; the template's or "
            "0.005 by default.",
            json_schema_extra=UNSTATED,
        ),
    ] = "0.005"
    max_ratio: Annotated[
        Limit | None, Field(description="Bad ratio that fails the canary whatever stable does.")
    ] = None
    burn_in_requests: Annotated[
        int | None,
        Field(
            ge=0,
            le=1000000,
            description="First requests of each pod that are left out on both sides; 100 for an "
            "indicator with thresholdSeconds, since models load and compile by them, else 0.",
        ),
    ] = None
    dry_run: Annotated[
        bool,
        Field(
            description="Whether it is only looked at and shown: it neither fails a canary nor "
            "has to pass, and takes no share of alpha from the others."
        ),
    ] = False


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
            description="Successive comparisons with stable that must agree before a verdict. 2 is "
            "advised only where Prometheus cannot tell when it scraped.",
        ),
    ] = 1
    on_undecided: Annotated[
        Literal["Hold", "Promote", "Rollback"],
        Field(
            description="At a step's deadline: Hold waits on, Promote goes to the next step if "
            "data was seen, Rollback goes back."
        ),
    ] = "Rollback"
