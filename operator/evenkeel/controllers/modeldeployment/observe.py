"""Reads the world around a ModelDeployment into one snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from evenkeel.api import labels
from evenkeel.api.common import ModelFormat
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.servingruntime import ClusterServingRuntime, ServingRuntime
from evenkeel.controllers.indicatortemplates import with_templates
from evenkeel.controllers.kind import Context
from evenkeel.controllers.known_versions import followed, number_of, tried_by
from evenkeel.controllers.modeldeployment import drifts, step_webhooks, web_counters
from evenkeel.controllers.modeldeployment.children import watches
from evenkeel.controllers.modeldeployment.earlier_life import with_former_rollouts
from evenkeel.controllers.modeldeployment.groups import others
from evenkeel.controllers.modeldeployment.registered import from_registries, with_resolution
from evenkeel.controllers.modeldeployment.snapshot import DeploymentSnapshot
from evenkeel.controllers.modeldeployment.wanted_looks import platform_queries, wanted_looks
from evenkeel.kube.client import ApiError
from evenkeel.kube.ownership import controlled_by
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key, Manifest, Ref
from evenkeel.meta.refusal import Refused
from evenkeel.meta.resources import DEPLOYMENT, HPA, INFERENCE_POOL, JOB, POD, ResourceType
from evenkeel.meta.times import parse
from evenkeel.outside.poll import Sighting
from evenkeel.performance.measurement import Loads
from evenkeel.pods.diagnosis import first_diagnosis
from evenkeel.pods.slim import DIVIDED
from evenkeel.rollout.step_jobs import StepJobs
from evenkeel.serving import model_source
from evenkeel.serving.children import own_labels
from evenkeel.serving.feedback import feedback_name
from evenkeel.serving.model_source import Past
from evenkeel.serving.observed import Child, deployment_pods
from evenkeel.serving.pod_marks import ServingPod
from evenkeel.serving.pod_metadata import with_given
from evenkeel.serving.ports import service_ports
from evenkeel.serving.processes import holds_room, processes
from evenkeel.serving.runtime_selection import Selected, select_runtime
from evenkeel.traffic import diagnosis
from evenkeel.traffic.inference_pool import pool_port
from evenkeel.traffic.preview import preview_name
from evenkeel.verdict.indicators import UnresolvedIndicator
from evenkeel.verdict.judgement import Observations

JSON = dict[str, Any]


async def observe(context: Context, md: ModelDeployment) -> DeploymentSnapshot:
    """The snapshot.

    Prometheus is not asked here: what looks have brought so far is taken, and more are wanted.
    """
    # All else is read at one moment.
    unlabelled = await _unlabelled(context, md)
    copied = await _copied(context, md)
    store, now = context.store, datetime.now(UTC)
    versions = _versions(store, md)
    md, unmade = with_templates(store, with_former_rollouts(md, versions))
    evidence = drifts.begun(md, now)
    beside = drifts.polls(md, evidence, now) | web_counters.polls(md) | step_webhooks.polls(md)
    registered = from_registries(context, md, versions, now, beside)
    resolution = registered.resolution
    md = step_webhooks.with_answer(with_resolution(md, resolution), registered.others)
    number = number_of(store, md.metadata.namespace, md.spec.model.follow or "")
    target = model_source.resolve(
        md.spec.model,
        versions,
        number,
        _past(md, versions),
        None if resolution is None else resolution.model,
    )
    runtime = _runtime(store, md, None if isinstance(target, Refused) else target.format)
    known = [*_children(context, md), *unlabelled]
    return DeploymentSnapshot(
        deployment=md,
        target=target,
        runtime=runtime,
        children=tuple(_with_pods(store, md, c) for c in known),
        versions=tuple(versions),
        seen=_seen(context, md, runtime, unmade, registered.others),
        settings=context.pods,
        now=now,
        present=_present(store, md, now),
        registry=resolution,
        told=registered.told,
        alias=registered.alias,
        drift=drifts.observed(md, evidence, registered.others, now),
        unmade=unmade,
        loads=_loads(store, md),
        pods=_serving_pods(store, md),
        steps=_steps(store, md),
        others=others(store, md),
        copied=copied,
    )


def _versions(store: Store, md: ModelDeployment) -> list[ModelVersion]:
    """Those that may be served, and those that a verdict is recorded on."""
    namespace, source, status = md.metadata.namespace, md.spec.model, md.status
    names = {source.version, *(o.version for o in status.history)}
    names |= {r.version for r in (status.stable, status.canary) if r is not None}
    named = (store.get(Key(ModelVersion.kind, namespace, name)) for name in names if name)
    found = [v for v in named if v is not None]
    found += followed(store, namespace, source.follow or "", len(names))
    if status.stable is None:
        found += tried_by(store, namespace, md.metadata.name)
    known = {v["metadata"]["name"]: v for v in found}
    return [store.parse(ModelVersion, v) for v in known.values()]


def _past(md: ModelDeployment, versions: list[ModelVersion]) -> Past:
    stable, history = md.status.stable, md.status.history
    serves = {stable.version} if stable is not None else set()
    gone = stable is not None and stable.version not in {v.metadata.name for v in versions}
    return Past(
        served={o.version for o in history if o.outcome == "Promoted"} | serves,
        taken_back={o.version for o in history if o.outcome == "RolledBack"} - serves,
        gone=parse(stable.trained_time) if stable and gone and stable.trained_time else None,
    )


def _runtime(store: Store, md: ModelDeployment, format_: ModelFormat | None) -> Selected | Refused:
    namespaced = store.all("ServingRuntime", md.metadata.namespace)
    return select_runtime(
        md.spec.runtime,
        format_,
        [store.parse(ServingRuntime, o) for o in namespaced],
        [store.parse(ClusterServingRuntime, o) for o in store.all("ClusterServingRuntime")],
    )


def _seen(
    context: Context,
    md: ModelDeployment,
    runtime: Selected | Refused,
    unmade: Mapping[str, UnresolvedIndicator],
    polled: Mapping[str, Sighting[object]],
) -> Observations:
    """What is known of the canary's indicators; empty without a canary."""
    key = Key(md.kind, md.metadata.namespace, md.metadata.name)
    if md.status.canary is None or md.metadata.deletion_timestamp is not None:
        return context.looks.want(key, None)
    platform = platform_queries(context.store)
    told = web_counters.told(md, polled)
    return context.looks.want(key, wanted_looks(md, runtime, platform, unmade, told))


def _children(context: Context, md: ModelDeployment) -> list[Child]:
    return [
        _child(md, watch.type, obj)
        for watch in watches()
        if watch.type != POD
        for obj in context.store.labelled(
            watch.type.kind, md.metadata.namespace, labels.DEPLOYMENT, md.metadata.name
        )
        if controlled_by(obj, md.metadata.uid)
        or (_named(md, obj) and context.ownership.belongs(obj, _owner(md)))
    ]


def _named(md: ModelDeployment, obj: JSON) -> bool:
    """Whether it has a child's name: a copy that somebody has made of one has another."""
    meta = obj["metadata"]
    own = (md.metadata.name, feedback_name(md.metadata.name), preview_name(md))
    return meta["name"] in (*own, (meta.get("labels") or {}).get(labels.REVISION))


def _owner(md: ModelDeployment) -> dict[str, Any]:
    return labels.owner_reference(md.kind, md.metadata)


async def _unlabelled(context: Context, md: ModelDeployment) -> list[Child]:
    """Deployments that the status tells of, and that somebody has taken the labels from.

    They serve on, and a rollout must not take them for lost.
    """
    status, namespace = md.status, md.metadata.namespace
    revisions = [r.revision for r in (status.stable, status.canary, *status.old) if r is not None]
    if status.canary is not None and status.canary.baseline:
        revisions.append(status.canary.baseline)
    keys = [Key(DEPLOYMENT.kind, namespace, revision) for revision in revisions]
    missing = [k for k in keys if not _labelled(context.store.get(k), md)]
    found = [await context.ownership.own(key, _owner(md)) for key in missing]
    return [_child(md, DEPLOYMENT, obj) for obj in found if obj is not None]


async def _copied(context: Context, md: ModelDeployment) -> Manifest | None:
    """The pod template of stable's Deployment as it is, which the store does not keep; None unless
    a baseline is to be made of it, or where it is gone. Raises ApiError."""
    stable, canary, namespace = md.status.stable, md.status.canary, md.metadata.namespace
    if stable is None or canary is None or not canary.baseline:
        return None
    there = context.store.get(Key(DEPLOYMENT.kind, namespace, canary.baseline))
    if there is not None and controlled_by(there, md.metadata.uid):
        return None
    try:
        found = await context.client.get(DEPLOYMENT, namespace, stable.revision)
    except ApiError as error:
        if error.status != 404:
            raise
        return None
    if not context.ownership.belongs(found, _owner(md)):
        return None
    template: Manifest = found["spec"]["template"]
    return template


def _labelled(obj: JSON | None, md: ModelDeployment) -> bool:
    labelled = obj is not None and (obj["metadata"].get("labels") or {}).get(labels.DEPLOYMENT)
    return labelled == md.metadata.name


def _child(md: ModelDeployment, type_: ResourceType, obj: JSON) -> Child:
    meta, kind = obj["metadata"], type_.kind
    given = meta.get("labels") or {}
    ref = Ref(type_.api_version, kind, meta["namespace"], meta["name"], meta.get("uid", ""))
    left = not controlled_by(obj, md.metadata.uid)
    if kind == DEPLOYMENT.kind and ref.name == feedback_name(md.metadata.name):
        return Child(ref, pods=deployment_pods(obj), left_behind=left)
    if kind == DEPLOYMENT.kind:
        # It is named as its revision, whatever has become of its labels.
        whole = own_labels(md, ref.name).items() <= given.items()
        pods = deployment_pods(obj)
        return Child(ref, ref.name, pods=pods, left_behind=left, unlabelled=not whole)
    return Child(
        ref,
        given.get(labels.REVISION, ""),
        ports=service_ports(obj) if kind == "Service" else None,
        number=pool_port(obj) if kind == INFERENCE_POOL.kind else None,
        scales=obj["spec"]["scaleTargetRef"]["name"] if kind == HPA.kind else "",
        diagnosis=diagnosis(kind, obj),
        left_behind=left,
    )


def _with_pods(store: Store, md: ModelDeployment, child: Child) -> Child:
    """The Deployment with its model servers, and what ails its pods if some are not ready."""
    if child.ref.kind != "Deployment":
        return child
    if child.revision:
        found = [p for p in _pods(store, md) if _revision(p) == child.revision]
    else:
        meta = md.metadata
        found = list(store.labelled(POD.kind, meta.namespace, labels.FEEDBACK, meta.name))
    blind = sum(not p.get(DIVIDED) and not p["metadata"].get("deletionTimestamp") for p in found)
    pods = replace(child.pods, processes=processes(found), blind=blind if child.revision else 0)
    if pods.ready < pods.wanted and not pods.diagnosis:
        pods = replace(pods, diagnosis=first_diagnosis(found))
    return replace(child, pods=pods)


def _present(store: Store, md: ModelDeployment, now: datetime) -> dict[str, int]:
    """By revision the pods that hold room."""
    return dict(Counter(_revision(p) for p in _pods(store, md) if holds_room(p, now)))


def _pods(store: Store, md: ModelDeployment) -> list[JSON]:
    kind, meta = POD.kind, md.metadata
    return list(store.labelled(kind, meta.namespace, labels.DEPLOYMENT, meta.name))


def _serving_pods(store: Store, md: ModelDeployment) -> tuple[ServingPod, ...]:
    """Those that are not on their way out."""
    found = (p for p in _pods(store, md) if not p["metadata"].get("deletionTimestamp"))
    return tuple(
        with_given(
            ServingPod(
                Ref(POD.api_version, POD.kind, meta["namespace"], meta["name"], meta["uid"]),
                _revision(pod),
                meta.get("labels") or {},
                meta.get("annotations") or {},
                divides=bool(pod.get(DIVIDED)),
            )
        )
        for pod in found
        for meta in (pod["metadata"],)
    )


def _loads(store: Store, md: ModelDeployment) -> Loads:
    """The Jobs that measure its revisions, and their pods."""
    meta = md.metadata
    pods = store.labelled(POD.kind, meta.namespace, labels.PERFORMANCE, meta.name)
    return Loads(_jobs(store, md, of_steps=False), tuple(pods))


def _steps(store: Store, md: ModelDeployment) -> StepJobs:
    """The Jobs of its steps, and their pods."""
    meta = md.metadata
    pods = store.labelled(POD.kind, meta.namespace, labels.STEP_JOB, meta.name)
    return StepJobs(_jobs(store, md, of_steps=True), tuple(pods))


def _jobs(store: Store, md: ModelDeployment, *, of_steps: bool) -> dict[str, JSON]:
    meta = md.metadata
    jobs = store.labelled(JOB.kind, meta.namespace, labels.DEPLOYMENT, meta.name)
    return {
        job["metadata"]["name"]: job
        for job in jobs
        if controlled_by(job, meta.uid)
        and (labels.STEP_JOB in job["metadata"]["labels"]) == of_steps
    }


def _revision(pod: JSON) -> str:
    return str(pod["metadata"]["labels"].get(labels.REVISION, ""))
