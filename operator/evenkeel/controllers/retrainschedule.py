"""The reconcile of a RetrainSchedule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from evenkeel.api import labels
from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.controllers.kind import Context, Kind
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.plan import Plan
from evenkeel.retraining.plan import ScheduleSnapshot, plan_schedule

JSON = dict[str, Any]


async def reconcile(context: Context, key: Key, obj: JSON, invalid: str | None) -> Plan:
    """What to write for the RetrainSchedule: all its alerts are taken by one reconcile."""
    store = context.store
    runs = store.labelled("TrainingRun", key.namespace, labels.SCHEDULE, key.name)
    plan = plan_schedule(
        ScheduleSnapshot(
            schedule=RetrainSchedule.model_validate(obj),
            runs=tuple(store.parse(TrainingRun, r) for r in runs),
            alerts=context.inbox.take(key),
            now=datetime.now(UTC),
        )
    )
    for run in plan.creates:
        known = {r["metadata"]["name"] for r in runs}
        context.inbox.entered(key, run["metadata"]["name"], known)
    return plan


def concerns(store: Store, schedule: JSON) -> Iterator[Key]:
    """Its runs: alerts are counted on them, also on the last one while it ends."""
    status = schedule.get("status", {})
    last = status.get("lastRun", {}).get("name")
    for name in {*(status.get("active") or ()), *([last] if last else ())}:
        yield Key("TrainingRun", schedule["metadata"]["namespace"], name)


KIND = Kind(
    RetrainSchedule,
    reconcile=reconcile,
    owner=True,
    labels=lambda: (labels.SCHEDULE,),
    concerns=concerns,
)
