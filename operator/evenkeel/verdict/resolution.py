"""Whether the indicators of an analysis can be asked about a revision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.servingruntime import RuntimeMetrics
from evenkeel.meta.refusal import Refused
from evenkeel.verdict.indicators import Queries, Side, UnresolvedIndicator, resolve
from evenkeel.verdict.pair_indicators import of_pairs, pair_queries
from evenkeel.verdict.web_counters import WebQuestion, web_question


def question(
    indicator: IndicatorSpec, metrics: RuntimeMetrics | None, side: Side
) -> Queries | WebQuestion | UnresolvedIndicator:
    """What is asked about one side: of a Prometheus, or of a web API."""
    if indicator.web is not None:
        return web_question(indicator, side)
    if of_pairs(indicator):
        found = pair_queries(indicator, side, side)
        return found if isinstance(found, UnresolvedIndicator) else found.canary
    return resolve(indicator, metrics, side)


def first_unresolved(
    indicators: Iterable[IndicatorSpec],
    metrics: RuntimeMetrics | None,
    side: Side,
    unmade: Mapping[str, UnresolvedIndicator],
) -> Refused | None:
    """The first indicator that nothing can be asked of: a canary could never pass it. unmade: those
    that their templates do not make."""
    asked = (unmade.get(one.name) or question(one, metrics, side) for one in indicators)
    found = next((one for one in asked if isinstance(one, UnresolvedIndicator)), None)
    return Refused(found.reason, f"spec.analysis: {found.message}") if found is not None else None
