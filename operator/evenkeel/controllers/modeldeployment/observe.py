"""Reads the world around a ModelDeployment into one snapshot."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from evenkeel.adapters.prometheus import Prometheus, PrometheusError
from evenkeel.api import (
    ClusterServingRuntime,
    ModelDeployment,
    ModelVersion,
    ServingRuntime,
    labels,
)
from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.resources import BY_KIND
from evenkeel.controllers.modeldeployment.plan import TROUBLE_AFTER, Child, DeploymentSnapshot
from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Ref
from evenkeel.meta.refusal import Refused
from evenkeel.meta.resources import POD
from evenkeel.meta.times import seconds_since
from evenkeel.pods.diagnosis import first_trouble
from evenkeel.serving.model_source import resolve as resolve_model
from evenkeel.serving.observed import Pods
from evenkeel.serving.pod_template import PodSettings
from evenkeel.serving.runtime_selection import Selected, select_runtime
from evenkeel.traffic.route_diagnosis import route_trouble
from evenkeel.verdict.counters import Counts, Look
from evenkeel.verdict.indicators import PART, Queries, Side, UnresolvedIndicator, resolve
from evenkeel.verdict.judgement import Observations, Unobserved

log = logging.getLogger(__name__)

JSON = dict[str, Any]
CHILD_KINDS = (
    "Deployment",
    "Service",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "HTTPRoute",
)


async def observe(
    store: Store,
    client: Client,
    prometheus: Prometheus,
    prometheus_url: str,
    settings: PodSettings,
    obj: JSON,
) -> DeploymentSnapshot:
    """The snapshot.

    Prometheus is asked only while a canary is being judged, and the API server for pods only where
    some have not been ready for a while.
    """
    now = datetime.now(UTC)
    md = ModelDeployment.model_validate(obj)
    namespace, source = md.metadata.namespace, md.spec.model
    versions = _versions(store, md)
    status = md.status
    tried = {o.version for o in status.history if o.outcome == "Promoted"}
    if status.stable is not None:
        tried.add(status.stable.version)
    target = resolve_model(source, versions, tried)
    format_ = None if isinstance(target, Refused) else target.format
    runtime = select_runtime(
        md.spec.runtime,
        format_,
        [store.parse(ServingRuntime, o) for o in store.all("ServingRuntime", namespace)],
        [store.parse(ClusterServingRuntime, o) for o in store.all("ClusterServingRuntime")],
    )
    seen: Observations = {}
    canary = status.canary
    judged = canary is not None and canary.stage in ("Stepping", "Promoting")
    if judged and md.spec.analysis is not None and status.stable is not None:
        url = md.spec.analysis.prometheus.url or prometheus_url
        seen = await _look(prometheus, url, md, runtime)
    return DeploymentSnapshot(
        deployment=md,
        target=target,
        runtime=runtime,
        children=tuple([await _with_trouble(client, c, now) for c in _children(store, md)]),
        versions=tuple(versions),
        seen=seen,
        settings=settings,
        now=now,
    )


def _versions(store: Store, md: ModelDeployment) -> list[ModelVersion]:
    """Those that may be served, and those that a verdict is recorded on."""
    namespace, source, status = md.metadata.namespace, md.spec.model, md.status
    names = {source.version, *(o.version for o in status.history)}
    names |= {r.version for r in (status.stable, status.canary) if r is not None}
    return [
        store.parse(ModelVersion, o)
        for o in store.all("ModelVersion", namespace)
        if o["metadata"]["name"] in names or o["spec"]["model"] == source.follow
    ]


def _children(store: Store, md: ModelDeployment) -> list[Child]:
    found = []
    for kind in CHILD_KINDS:
        for obj in store.labelled(kind, md.metadata.namespace, labels.DEPLOYMENT, md.metadata.name):
            meta = obj["metadata"]
            owners = meta.get("ownerReferences") or ()
            if any(o["uid"] == md.metadata.uid for o in owners):
                found.append(_child(kind, obj))
    return found


def _child(kind: str, obj: JSON) -> Child:
    meta = obj["metadata"]
    ref = Ref(BY_KIND[kind].api_version, kind, meta["namespace"], meta["name"], meta.get("uid", ""))
    revision = (meta.get("labels") or {}).get(labels.REVISION, "")
    if kind == "Service":
        ports = tuple(p.get("name", "http") for p in obj["spec"].get("ports", ()))
        return Child(ref, revision, ports=ports)
    if kind == "HTTPRoute":
        return Child(ref, revision, unrouted=route_trouble(obj))
    if kind != "Deployment":
        return Child(ref, revision)
    status = obj.get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    available = conditions.get("Available", {})
    progressing = conditions.get("Progressing", {})
    failure = conditions.get("ReplicaFailure", {})
    return Child(
        ref,
        revision,
        pods=Pods(
            wanted=obj["spec"].get("replicas", 1),
            ready=status.get("readyReplicas", 0),
            unready_since=available.get("lastTransitionTime")
            if available.get("status") == "False"
            else None,
            # No pod could be created at all: a quota, Pod Security.
            trouble=failure.get("message", "") if failure.get("status") == "True" else "",
        ),
        stuck=progressing.get("message", "")
        if progressing.get("reason") == "ProgressDeadlineExceeded"
        else "",
    )


async def _with_trouble(client: Client, child: Child, now: datetime) -> Child:
    """The Deployment with what ails its pods, if they have not been ready for a while."""
    pods, ref = child.pods, child.ref
    if pods.unready_since is None or pods.trouble or not pods.wanted:
        return child
    if seconds_since(pods.unready_since, now) < TROUBLE_AFTER:
        return child
    try:
        found, _ = await client.list(
            POD, namespace=ref.namespace, selector=f"{labels.REVISION}={child.revision}"
        )
    except ApiError as error:
        log.warning("pods of %s/%s: %s", ref.namespace, ref.name, error)
        return child
    return replace(child, pods=replace(pods, trouble=first_trouble(found)))


async def _look(
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
    except PrometheusError as error:
        return spec.name, Unobserved("PrometheusUnavailable", str(error))
    return spec.name, Look(canary, stable)


async def _side(prometheus: Prometheus, url: str, queries: Queries) -> dict[str, Counts]:
    parts = await prometheus.split(url, queries.together, PART)
    return counts(parts.get("total", {}), parts.get("counted", {}), good=queries.bad is None)


def counts(total: dict[str, int], other: dict[str, int], *, good: bool) -> dict[str, Counts]:
    """All and bad events by series; a series that `other` lacks has counted none there.

    Raises PrometheusError for a series that `total` lacks: its events would be overlooked.
    """
    if stray := sorted(other.keys() - total.keys()):
        raise PrometheusError(
            f"{'good' if good else 'bad'} has the series {{{stray[0]}}} and total has not: both "
            "queries must give the same labels, for example by sum by (pod)"
        )
    return {
        key: (n, max(0, n - other.get(key, 0)) if good else min(n, other.get(key, 0)))
        for key, n in total.items()
    }
