"""From an indicator of spec.analysis to the PromQL that counts one revision's requests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.servingruntime import MetricQuery, RuntimeMetrics
from evenkeel.verdict.gateway_indicators import GATEWAYS
from evenkeel.verdict.meter_indicators import LABELS, METER

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_OF_POD = "[a-z0-9]{1,10}-[a-z0-9]{5}"
_POD = re.compile(_OF_POD)
_OTHERS: Mapping[str, Sequence[MetricQuery]] = {**GATEWAYS, "Meter": METER}
_OF_THRESHOLD = frozenset({"threshold", "le", "leMillis", "leMicros"})


class Side(NamedTuple):
    """Whose requests are counted: a revision, stable or canary, of a ModelDeployment.

    The API server has made sure that names are DNS labels, so none needs escaping in PromQL.
    meter: whether the revision has the meter. labels: whether the deployment takes labels.
    """

    namespace: str
    deployment: str
    revision: str
    meter: bool = False
    labels: bool = False


class Queries(NamedTuple):
    """Instant queries of counters, one series for each counting process. Exactly one of bad and
    good is set; a process that is missing from it has counted none. revision: whose they are.
    beside: whether another process of the pod counts than the model server."""

    name: str
    total: str
    bad: str | None = None
    good: str | None = None
    revision: str = ""
    beside: bool = False

    @property
    def counted(self) -> str:
        """The query of the bad or the good events."""
        found = self.good if self.bad is None else self.bad
        assert found is not None
        return found


class UnresolvedIndicator(NamedTuple):
    """Why an indicator has no queries. reason: CamelCase; message: cause and remedy."""

    reason: str
    message: str


def resolve(
    indicator: IndicatorSpec, metrics: RuntimeMetrics | None, side: Side
) -> Queries | UnresolvedIndicator:
    """The queries of one side.

    Queries in the indicator itself come first, then those of its source: the runtime's `metrics`
    or the gateway's.
    """
    query = template(indicator, metrics, side)
    if isinstance(query, UnresolvedIndicator):
        return query
    texts = {"total": query.total, "bad": query.bad, "good": query.good}
    used = {name for text in texts.values() for name in placeholders(text or "")}
    values = names_of(side) | {"pods": pods(side.revision)}
    if (problem := _threshold_problem(indicator, query, used)) is not None:
        return problem
    if indicator.threshold_seconds is not None:
        values |= _threshold_values(indicator.threshold_seconds)
    if unknown := sorted(used - values.keys()):
        known = ", ".join(f"{{{{{name}}}}}" for name in sorted(values))
        return UnresolvedIndicator(
            "UnknownPlaceholder",
            f"indicator {indicator.name!r} has the placeholder {{{{{unknown[0]}}}}}; known are "
            f"{known}",
        )
    made = {key: filled(text, values) for key, text in texts.items() if text is not None}
    beside = indicator.total is None and indicator.source == "Meter"
    return Queries(name=indicator.name, revision=side.revision, beside=beside, **made)


def sourced(indicator: IndicatorSpec, *, metered: bool, labels: bool = False) -> IndicatorSpec:
    """The indicator with a source; metered: whether all that are compared have the meter. labels:
    whether the deployment takes labels, which one server counts for all.

    Both sides of a comparison have one source: the meter and a model server do not take the same
    answers for errors, nor the same time for latency.
    """
    if indicator.source is not None:
        return indicator
    by_meter = metered or (labels and indicator.name == LABELS)
    return indicator.model_copy(update={"source": "Meter" if by_meter else "Runtime"})


def template(
    indicator: IndicatorSpec, metrics: RuntimeMetrics | None, side: Side
) -> MetricQuery | UnresolvedIndicator:
    """The queries with their placeholders: the indicator's own, or those of its source."""
    if indicator.total is not None:
        return MetricQuery(
            name=indicator.name, total=indicator.total, bad=indicator.bad, good=indicator.good
        )
    if indicator.source == "Meter" and (missing := _unmetered(indicator, side)) is not None:
        return missing
    if indicator.source in (None, "Runtime"):
        known: Sequence[MetricQuery] = metrics.indicators if metrics is not None else ()
        owner = "the runtime"
        remedy = "add it to the runtime's metrics.indicators, take another source"
    else:
        known = _OTHERS[indicator.source]
        owner = "the meter" if indicator.source == "Meter" else indicator.source
        remedy = "name one of these"
    found = next((query for query in known if query.name == indicator.name), None)
    if found is not None:
        return found
    names = ", ".join(query.name for query in known) or "none"
    return UnresolvedIndicator(
        "UnknownIndicator",
        f"{owner} has no indicator {indicator.name!r} (it has: {names}); {remedy} or give total "
        "and good in the analysis",
    )


def _unmetered(indicator: IndicatorSpec, side: Side) -> UnresolvedIndicator | None:
    """Why nothing counts it on that side, if so."""
    if indicator.name == LABELS:
        # The server for labels counts them, also those of a revision that had no meter: none.
        if side.labels:
            return None
        return UnresolvedIndicator(
            "IndicatorWithoutFeedback",
            f"indicator {LABELS!r} needs a server that takes labels; add spec.monitoring.feedback "
            "with its keys",
        )
    if side.meter:
        return None
    return UnresolvedIndicator(
        "RevisionWithoutMeter",
        f"indicator {indicator.name!r} has source Meter, and revision {side.revision} has no "
        "meter; leave source out until a revision with spec.monitoring serves",
    )


def pods(revision: str) -> str:
    """A regular expression for the names of a revision's pods and of no other Deployment's.

    Pods are named DEPLOYMENT-HASH-RANDOM, with five random characters. Prometheus anchors it.
    """
    return f"{revision}-{_OF_POD}"


def is_pod_of(revision: str, pod: str) -> bool:
    """Whether a pod of that name is one of the revision's."""
    start = f"{revision}-"
    return pod.startswith(start) and _POD.fullmatch(pod, len(start)) is not None


def le_pattern(bound: Decimal) -> str:
    """A regular expression for a bucket bound as exporters and Prometheus write it.

    1 is written 1 or 1.0, 1274820 also 1.27482e+06. It has no backslash, which PromQL's kinds of
    quotes treat differently.
    """
    plain = f"{bound:f}"
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    digits, exponent = plain.replace(".", "").lstrip("0").rstrip("0") or "0", bound.adjusted()
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    scientific = f"{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    forms = [plain, scientific] if "." in plain else [plain, f"{plain}.0", scientific]
    return "|".join(form.replace(".", "[.]").replace("+", "[+]") for form in forms)


def _threshold_problem(
    indicator: IndicatorSpec, query: MetricQuery, used: set[str]
) -> UnresolvedIndicator | None:
    needed = bool(used & _OF_THRESHOLD)
    bounds = ", ".join(query.thresholds)
    if indicator.threshold_seconds is None:
        if not needed:
            return None
        return UnresolvedIndicator(
            "MissingThreshold",
            f"indicator {indicator.name!r} needs thresholdSeconds"
            + (f", one of {bounds}" if bounds else ""),
        )
    if not needed:
        return UnresolvedIndicator(
            "UnusedThreshold",
            f"indicator {indicator.name!r} has no use for thresholdSeconds; remove it",
        )
    threshold = Decimal(indicator.threshold_seconds)
    if query.thresholds and threshold not in {Decimal(bound) for bound in query.thresholds}:
        return UnresolvedIndicator(
            "UnknownThreshold",
            f"thresholdSeconds {indicator.threshold_seconds} of indicator {indicator.name!r} is "
            f"not a bucket bound of its histogram; take one of {bounds}, or give total and good "
            "for a histogram with other buckets",
        )
    return None


def names_of(side: Side) -> dict[str, str]:
    """Placeholders that stand for names, with their values."""
    return {
        "namespace": side.namespace,
        "deployment": side.deployment,
        "revision": side.revision,
        "service": side.revision,
        "route": side.deployment,
    }


def _threshold_values(seconds: str) -> dict[str, str]:
    threshold = Decimal(seconds)
    return {
        "threshold": seconds,
        "le": le_pattern(threshold),
        "leMillis": le_pattern(threshold * 1000),
        "leMicros": le_pattern(threshold * 1_000_000),
    }


def placeholders(text: str) -> list[str]:
    """The placeholders in a text."""
    return _PLACEHOLDER.findall(text)


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with the values of its placeholders."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)
