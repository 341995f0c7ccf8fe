"""The reconcile of a TrainingRun."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from evenkeel.api import labels
from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.controllers.kind import Context, Kind
from evenkeel.controllers.known_versions import promoted_last
from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.index import Entry, Index
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.plan import Plan
from evenkeel.meta.resources import EVENT, READ
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.pods.diagnosis import MOST
from evenkeel.training import asking, awaiting, engine_of, run_labels, run_of, watches
from evenkeel.training.engine import Engine, Observed
from evenkeel.training.plan import plan_run
from evenkeel.training.run_state import finished
from evenkeel.training.snapshot import RunSnapshot
from evenkeel.versions.champion import champion

log = logging.getLogger(__name__)

JSON = dict[str, Any]

REPLACES = "runs that replace a run"
REPORTED = "runs whose report a registry's server has"
CREATED = "SuccessfulCreate"
"""Reason of the Event by which the Job controller tells of a pod."""


async def reconcile(context: Context, key: Key, obj: JSON, invalid: str | None) -> Plan:
    """What to write for the TrainingRun."""
    run, store = TrainingRun.model_validate(obj), context.store
    model = run.spec.model
    schedule = store.get(Key("RetrainSchedule", key.namespace, run.spec.schedule))
    versions = store.labelled("ModelVersion", key.namespace, labels.RUN, key.name)
    now, best = datetime.now(UTC), champion(promoted_last(store, key.namespace, model), model)
    asked, observed = asking.question(run, best, now), await _observed(context, run)
    if asked is not None:
        observed = observed._replace(outside=context.polls.known(key.namespace, asked))
    snapshot = RunSnapshot(
        run=run,
        now=now,
        observed=observed,
        schedule=RetrainSchedule.model_validate(schedule) if schedule else None,
        replaced_by=_replaced_by(store, key, run.spec.schedule),
        version_exists=bool(versions),
        rejection=invalid,
        champion=best,
        switched_off=_switched_off(context, run),
        data_image=context.data_image,
        named=lambda kind, name: store.get(Key(kind, key.namespace, name)),
    )
    return plan_run(replace(snapshot, sighting=_sighting(context, key, snapshot, asked)))


def _sighting(
    context: Context, key: Key, snapshot: RunSnapshot, training: Poll | None
) -> Sighting[Any]:
    """What is known of the run's report, which is asked for from now on if it has to be.

    training: what is asked beside it, of a training outside the cluster.
    """
    wanted = {"training": training, "report": awaiting.question(snapshot)}
    polls = {name: poll for name, poll in wanted.items() if isinstance(poll, Poll)}
    last = asking.parting(snapshot.run)
    return context.polls.want(key, polls, parting=last).get("report", Sighting())


def _switched_off(context: Context, run: TrainingRun) -> bool:
    engine = engine_of(run.spec.training)
    name = engine.integration if engine is not None else ""
    return bool(name) and name not in context.integrations


async def _observed(context: Context, run: TrainingRun) -> Observed:
    """What the cluster holds of the training, by what its engine watches."""
    engine, store = engine_of(run.spec.training), context.store
    if engine is None or engine.type is None:
        return Observed()
    namespace, name = run.metadata.namespace, run.metadata.name
    kinds = {w.type.kind for w in engine.watches} - {engine.type.kind}
    main = store.get(Key(engine.type.kind, namespace, name))
    others = {
        kind: tuple(store.labelled(kind, namespace, engine.run_label(kind), name)) for kind in kinds
    }
    if main is None or finished(run) or any(others.values()):
        return Observed(main, others)
    return Observed(main, others, await _refusal(context.client, engine, main))


async def _refusal(client: Client, engine: Engine, main: JSON) -> str:
    """Why the object's controller could create nothing, if its last try is told to have failed.

    A Job has no condition for it, so that quotas and Pod Security show in Events alone.
    """
    namespace, found = main["metadata"]["namespace"], []
    try:
        for wanted in engine.events(main):
            found += (await client.list(EVENT, namespace=namespace, fields=wanted))[0]
    except ApiError as error:
        log.debug("Events of %s/%s: %s", namespace, main["metadata"]["name"], error)
        return ""
    tries = [e for e in found if e["reason"] in (*engine.refusals, CREATED)]
    newest = max(tries, key=lambda e: e.get("lastTimestamp") or "", default=None)
    if newest is None or newest["reason"] == CREATED:
        return ""
    return str(newest["message"]).removeprefix("Error creating: ")[:MOST]


def _replaced_by(store: Store, key: Key, schedule: str) -> str | None:
    """The newer run of the same schedule that stops this one."""
    newer = store.found(REPLACES, key.kind, key.namespace, key.name)
    own = (
        run for run in newer if run["metadata"].get("labels", {}).get(labels.SCHEDULE) == schedule
    )
    return next((run["metadata"]["name"] for run in own), None)


def concerns(store: Store, run: JSON) -> Iterator[Key]:
    """Its schedule, and the runs that it replaces."""
    namespace, spec = run["metadata"]["namespace"], run["spec"]
    if schedule := spec.get("schedule"):
        yield Key("RetrainSchedule", namespace, schedule)
    for replaced in spec.get("replaces") or ():
        yield Key("TrainingRun", namespace, replaced)


def _replaced(run: JSON) -> Iterator[Entry]:
    return (Entry(name) for name in run["spec"].get("replaces") or ())


def _reported(run: JSON) -> Iterator[Entry]:
    place = (run["spec"]["training"].get("resultFrom") or {}).get("mlflow")
    if place and not run.get("status", {}).get("result"):
        yield Entry(place["registry"])


KIND = Kind(
    TrainingRun,
    reconcile=reconcile,
    owner=True,
    children=watches,
    concerns=concerns,
    belongs=run_of,
    labels=lambda: (labels.RUN, *run_labels()),
    indices=lambda: (
        Index(REPLACES, TrainingRun.kind, _replaced),
        Index(REPORTED, TrainingRun.kind, _reported),
    ),
    verbs=(*READ, "create", "delete", "patch"),
)
