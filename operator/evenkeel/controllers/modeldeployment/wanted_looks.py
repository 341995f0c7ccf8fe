"""What a ModelDeployment wants to be looked at in Prometheus."""

from __future__ import annotations

from collections.abc import Container, Mapping
from types import MappingProxyType

from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modeldeploymentstatus import CanaryStatus, ModelDeploymentStatus, RevisionStatus
from evenkeel.api.servingruntime import ClusterServingRuntime, MetricQuery, RuntimeMetrics
from evenkeel.controllers.looks.wanted import Asked, Told, Wanted
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.refusal import Refused
from evenkeel.meta.times import parse
from evenkeel.rollout.capacity import carried_mirror
from evenkeel.rollout.probation import judged_by, mirrors, taken_over
from evenkeel.rollout.shown import by_header
from evenkeel.serving.feedback import feedback_of
from evenkeel.serving.runtime_selection import Selected
from evenkeel.traffic import strategy_of
from evenkeel.verdict.catalogue import metrics_of
from evenkeel.verdict.indicators import (
    Queries,
    Side,
    UnresolvedIndicator,
    sourced,
    template,
)
from evenkeel.verdict.judgement import begins
from evenkeel.verdict.pair_indicators import of_pairs, pair_queries
from evenkeel.verdict.resolution import question
from evenkeel.verdict.samples import Unobserved
from evenkeel.verdict.shares import unknown
from evenkeel.verdict.web_counters import WebQuestion

NOTHING_NEW = Told(None)
"""Of pairs while none are made: what was seen of them stays."""


def wanted_looks(
    md: ModelDeployment,
    runtime: Selected | Refused,
    platform: Container[MetricQuery],
    unmade: Mapping[str, UnresolvedIndicator] = MappingProxyType({}),
    told: Mapping[str, Told] = MappingProxyType({}),
) -> Wanted | None:
    """The trial to look at; None where there is none.

    It begins with the trial, since what stable and canary counted before the first step tells
    what they count in it. platform: the queries of all ClusterServingRuntimes. unmade:
    indicators that their templates do not make. told: what web APIs have told, by indicator.
    """
    canary, stable, analysis = md.status.canary, md.status.stable, judged_by(md)
    if canary is None or stable is None or analysis is None:
        return None
    if canary.baseline:
        stable = stable.model_copy(update={"revision": canary.baseline})
    present = None if isinstance(runtime, Refused) else runtime.spec.metrics
    sides = (
        _Side(md, "canary", canary, metrics_of(canary.metrics, present)),
        _Side(md, "stable", stable, metrics_of(stable.metrics, present)),
    )
    metered, labels = all(one.side.meter for one in sides), sides[0].side.labels
    alone, mirrored = taken_over(canary), mirrors(canary)
    return Wanted(
        key=Key(md.kind, md.metadata.namespace, md.metadata.name),
        uid=md.metadata.uid,
        canary=canary,
        stable=stable.revision,
        analysis=analysis,
        begins=begins(canary, md.spec.rollout.warm_up_seconds),
        asked={
            spec.name: Unobserved("InvalidIndicator", unmade[spec.name].message)
            if spec.name in unmade
            else told.get(spec.name)
            or (NOTHING_NEW if of_pairs(spec) and not mirrored else None)
            or _asked(sourced(spec, metered=metered, labels=labels), sides, platform, alone=alone)
            for spec in analysis.indicators
        },
        share=canary_share(md, md.status),
        changed=parse(canary.stage_time).timestamp(),
        alone=alone,
    )


def canary_share(md: ModelDeployment, status: ModelDeploymentStatus) -> float:
    """The canary's share of the requests, from 0 to 1, as a status divides them."""
    canary, stable = status.canary, status.stable
    if canary is None or stable is None:
        return 0.0
    if taken_over(canary):
        return 1.0
    if mirrors(canary):
        # Of what both are asked: copies are no part of the clients' requests.
        copied = carried_mirror(canary, canary.ready_replicas, canary.full_replicas)
        return copied / (100 + copied)
    if canary.exposure in ("Match", "Preview"):
        return unknown(canary.step) if canary.ready_replicas else 0.0
    if canary.baseline:
        # Of what both are asked, which is what they have pods for.
        return unknown(canary.step) if canary.traffic_weight else 0.0
    if by_header(md) and stable.ready_replicas:
        return canary.traffic_weight / 100
    return strategy_of(md.spec.traffic).share(
        canary.traffic_weight, canary.ready_replicas, stable.ready_replicas
    )


def platform_queries(store: Store) -> frozenset[MetricQuery]:
    """The queries of all ClusterServingRuntimes, which no tenant can have written."""
    runtimes = (store.parse(ClusterServingRuntime, o) for o in store.all("ClusterServingRuntime"))
    known = (r.spec.metrics for r in runtimes)
    return frozenset(query for metrics in known if metrics for query in metrics.indicators)


class _Side:
    """One side with what its own revision's runtime counts."""

    def __init__(
        self,
        md: ModelDeployment,
        role: str,
        one: RevisionStatus | CanaryStatus,
        metrics: RuntimeMetrics | None,
    ) -> None:
        self.role = role
        meta = md.metadata
        labels = feedback_of(md) is not None
        self.side = Side(meta.namespace, meta.name, one.revision, bool(one.meter), labels)
        self.metrics = metrics

    def queries(self, spec: IndicatorSpec) -> Queries | WebQuestion | Unobserved:
        found = question(spec, self.metrics, self.side)
        if not isinstance(found, UnresolvedIndicator):
            return found
        return Unobserved(
            "InvalidIndicator",
            f"for the {self.role}, revision {self.side.revision}: {found.message}",
        )


def _asked(
    spec: IndicatorSpec,
    sides: tuple[_Side, _Side],
    platform: Container[MetricQuery],
    *,
    alone: bool,
) -> Asked | Unobserved:
    if of_pairs(spec):
        found = pair_queries(spec, *(one.side for one in sides))
        if isinstance(found, UnresolvedIndicator):
            return Unobserved("InvalidIndicator", found.message)
        return Asked(found.canary, found.stable, own=False)
    canary, stable = (side.queries(spec) for side in sides)
    if isinstance(canary, Unobserved):
        return canary
    if isinstance(stable, Unobserved) and not alone:
        return stable
    if isinstance(canary, WebQuestion) or isinstance(stable, WebQuestion):
        return Unobserved(
            "InvalidIndicator",
            "web asks the same of both revisions; put {{revision}} into its url or its total",
        )
    # On probation stable's would only tell that the queries can have series at all.
    beside = None if isinstance(stable, Unobserved) else stable
    counting = sides if beside is not None else sides[:1]
    templates = [template(spec, one.metrics, one.side) for one in counting]
    shared = spec.total is None and (
        spec.source != "Runtime" or all(one in platform for one in templates)
    )
    return Asked(canary, beside, own=not shared)
