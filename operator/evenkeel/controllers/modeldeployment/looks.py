"""Looks at a canary's indicators in Prometheus."""

from __future__ import annotations

import asyncio

from evenkeel.adapters.prometheus import Prometheus, PrometheusError
from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.refusal import Refused
from evenkeel.serving.runtime_selection import Selected
from evenkeel.verdict.counters import Counts, Look, UnequalSeries, counts
from evenkeel.verdict.indicators import PART, Queries, Side, UnresolvedIndicator, resolve
from evenkeel.verdict.judgement import Observations
from evenkeel.verdict.samples import Unobserved


async def look(
    prometheus: Prometheus, url: str, md: ModelDeployment, runtime: Selected | Refused
) -> Observations:
    """The counters of all indicators on both sides."""
    assert md.spec.analysis is not None
    if not url:
        missing = Unobserved(
            "PrometheusUnavailable",
            "no Prometheus is configured; set spec.analysis.prometheus.url or the operator's",
        )
        return {i.name: missing for i in md.spec.analysis.indicators}
    looks = await asyncio.gather(
        *(_indicator(prometheus, url, md, runtime, i) for i in md.spec.analysis.indicators)
    )
    return dict(looks)


async def _indicator(
    prometheus: Prometheus,
    url: str,
    md: ModelDeployment,
    runtime: Selected | Refused,
    spec: IndicatorSpec,
) -> tuple[str, Look | Unobserved]:
    meta, status = md.metadata, md.status
    assert status.canary is not None
    assert status.stable is not None
    metrics = None if isinstance(runtime, Refused) else runtime.spec.metrics
    queries: list[Queries] = []
    for revision in (status.canary.revision, status.stable.revision):
        one = resolve(spec, metrics, Side(meta.namespace, meta.name, revision))
        if isinstance(one, UnresolvedIndicator):
            return spec.name, Unobserved("InvalidIndicator", one.message)
        queries.append(one)
    try:
        canary, stable = await asyncio.gather(*(_side(prometheus, url, q) for q in queries))
    except (PrometheusError, UnequalSeries) as error:
        return spec.name, Unobserved("PrometheusUnavailable", str(error))
    return spec.name, Look(canary, stable)


async def _side(prometheus: Prometheus, url: str, queries: Queries) -> dict[str, Counts]:
    parts = await prometheus.split(url, queries.together, PART)
    return counts(parts.get("total", {}), parts.get("counted", {}), good=queries.bad is None)
