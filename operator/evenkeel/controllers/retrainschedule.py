"""The reconcile of a RetrainSchedule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic.alias_generators import to_camel

from evenkeel.api import labels
from evenkeel.api.base import API_VERSION
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.controllers import decays, shown_drifts
from evenkeel.controllers.kind import Context, Kind
from evenkeel.controllers.known_versions import promoted_last
from evenkeel.kube.index import Entry, Index
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key, Ref
from evenkeel.meta.owners import left_behind
from evenkeel.meta.plan import Plan
from evenkeel.meta.resources import READ
from evenkeel.retraining import triggers
from evenkeel.retraining.plan import ScheduleSnapshot, plan_schedule
from evenkeel.retraining.production import oversees
from evenkeel.retraining.sources import polls
from evenkeel.versions.champion import champion

JSON = dict[str, Any]

OVERSEES = "schedules that look at a model's version in production"


async def reconcile(context: Context, key: Key, obj: JSON, invalid: str | None) -> Plan:
    """What to write for the RetrainSchedule: all its alerts are taken by one reconcile."""
    store, schedule = context.store, RetrainSchedule.model_validate(obj)
    runs = store.labelled("TrainingRun", key.namespace, labels.SCHEDULE, key.name)
    now, version = datetime.now(UTC), _champion(store, schedule)
    evidence = decays.begun(schedule, version, now)
    asked = polls(schedule) | decays.polls(schedule, evidence, version, now)
    sightings = context.polls.want(key, asked)
    shown = decays.folded(schedule, evidence, sightings)
    return plan_schedule(
        ScheduleSnapshot(
            schedule=schedule,
            runs=tuple(store.parse(TrainingRun, r) for r in runs),
            alerts=context.inbox.take(key, triggers.standing(schedule.spec.triggers)),
            now=now,
            left_behind=tuple(_left_behind(schedule, runs)),
            sightings=sightings,
            champion=version,
            decays=shown,
            drifts=shown_drifts.shown(store, schedule, version),
            decays_due=decays.due(schedule, evidence, shown, now),
        )
    )


def _champion(store: Store, schedule: RetrainSchedule) -> ModelVersion | None:
    """The version in production, if a trigger looks at it."""
    if not oversees(schedule):
        return None
    namespace, model = schedule.metadata.namespace, schedule.spec.model
    return champion(promoted_last(store, namespace, model), model)


def _left_behind(schedule: RetrainSchedule, runs: list[JSON]) -> Iterator[Ref]:
    """Runs that it created, not those that a person counts in it."""
    own = schedule.metadata
    for run in runs:
        meta, made = run["metadata"], run["metadata"]["labels"].get(labels.MANAGED_BY)
        gone = left_behind(meta, API_VERSION, schedule.kind, own.name, own.uid)
        if gone and made == labels.MANAGER and not meta.get("deletionTimestamp"):
            yield Ref(API_VERSION, TrainingRun.kind, own.namespace, meta["name"], meta["uid"])


def concerns(store: Store, schedule: JSON) -> Iterator[Key]:
    """Its runs: alerts are counted on them, also on the last one while it ends."""
    status = schedule.get("status", {})
    last = status.get("lastRun", {}).get("name")
    for name in {*(status.get("active") or ()), *([last] if last else ())}:
        yield Key("TrainingRun", schedule["metadata"]["namespace"], name)


def _overseen(schedule: JSON) -> Iterator[Entry]:
    """By the model whose version in production one of its triggers looks at."""
    fields = [to_camel(k.field) for k in triggers.TRIGGERS if k.overseer is not None]
    spec = schedule["spec"]
    if any(trigger.get(field) for trigger in spec["triggers"] for field in fields):
        yield Entry(spec["model"])


KIND = Kind(
    RetrainSchedule,
    reconcile=reconcile,
    owner=True,
    labels=lambda: (labels.SCHEDULE,),
    indices=lambda: (Index(OVERSEES, RetrainSchedule.kind, _overseen),),
    concerns=concerns,
    verbs=(*READ, "patch"),
)
