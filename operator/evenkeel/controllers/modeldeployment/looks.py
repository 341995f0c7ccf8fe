"""Looks at a canary's indicators in Prometheus."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from evenkeel.adapters.access import Access
from evenkeel.adapters.prometheus import Prometheus, PrometheusError
from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.refusal import Refused
from evenkeel.serving.runtime_selection import Selected
from evenkeel.verdict.indicators import PART, Queries, Side, UnresolvedIndicator, resolve
from evenkeel.verdict.judgement import Observations, begins
from evenkeel.verdict.samples import Look, Reading, Unobserved
from evenkeel.verdict.tally import Tally


async def look(
    prometheus: Prometheus,
    access: Access | Unobserved,
    md: ModelDeployment,
    runtime: Selected | Refused,
) -> Observations:
    """The counters of all indicators on both sides."""
    assert md.spec.analysis is not None
    if isinstance(access, Unobserved):
        return {i.name: access for i in md.spec.analysis.indicators}
    looks = await asyncio.gather(
        *(_tally(prometheus, access, md, runtime, i) for i in md.spec.analysis.indicators)
    )
    return dict(looks)


async def _tally(
    prometheus: Prometheus,
    access: Access,
    md: ModelDeployment,
    runtime: Selected | Refused,
    spec: IndicatorSpec,
) -> tuple[str, Tally | Unobserved]:
    canary, analysis = md.status.canary, md.spec.analysis
    assert canary is not None
    assert analysis is not None
    kept = next((i for i in canary.indicators if i.name == spec.name), None)
    since = begins(canary, md.spec.rollout.warm_up_seconds)
    try:
        tally = Tally.resume(spec, analysis, kept, since)
    except ValueError as error:
        return spec.name, Unobserved("InvalidIndicator", str(error))
    name, seen = await _indicator(prometheus, access, md, runtime, spec)
    return name, tally.take(seen)


async def _indicator(
    prometheus: Prometheus,
    access: Access,
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
        canary, stable = await asyncio.gather(*(_side(prometheus, access, q) for q in queries))
    except PrometheusError as error:
        return spec.name, Unobserved(error.reason, str(error))
    return spec.name, Look(canary, stable, datetime.now(UTC).timestamp())


async def _side(prometheus: Prometheus, access: Access, queries: Queries) -> dict[str, Reading]:
    parts = await prometheus.split(access, queries.together, PART)
    total, counted = parts.get("total", {}), parts.get("counted", {})
    return {key: Reading(n, counted.get(key), good=queries.bad is None) for key, n in total.items()}
