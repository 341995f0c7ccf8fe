"""What the objects that run trainings have in common: conditions, suspension, a late report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from evenkeel.api.base import GROUP
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.objects import Manifest
from evenkeel.meta.times import parse
from evenkeel.training.engine import State

Json = Mapping[str, Any]

QUEUE = "kueue.x-k8s.io/queue-name"
"""Kueue's label on what waits for its turn."""
LOOK_SOON = 5.0
LOOK_AGAIN = 15.0
"""Seconds after which it is asked again why there is no pod; nothing tells of a change."""
POD_WAIT_SECONDS = 60
"""For so long a finished training's pod may be missing from the snapshot, which can lag behind."""


def identity(obj: Json) -> Manifest:
    """The object's metadata, with no annotations but the operator's own."""
    meta = {k: v for k, v in obj["metadata"].items() if k not in ("managedFields", "annotations")}
    given = obj["metadata"].get("annotations") or {}
    own = {key: value for key, value in given.items() if key.startswith(f"{GROUP}/")}
    return {**meta, **({"annotations": own} if own else {})}


def conditions(main: Json) -> dict[str, Json]:
    """The object's conditions by type."""
    return {c.get("type", ""): c for c in (main.get("status") or {}).get("conditions") or ()}


def true(condition: Json | None) -> bool:
    """Whether the condition is there and True."""
    return condition is not None and condition.get("status") == "True"


def queue(main: Json) -> str:
    """Kueue's queue that the object is in; empty without one."""
    labels = (main.get("metadata") or {}).get("labels") or {}
    return str(labels.get(QUEUE, ""))


def why_suspended(run: TrainingRun, kind: str, main: Json) -> str:
    """By a queue or a person."""
    if name := queue(main):
        return f"the {kind} waits in Kueue's queue {name}"
    if run.spec.training.suspend:
        return (
            f"the {kind} starts suspended, as training.suspend asks; whoever sets its spec.suspend "
            "to false lets it start"
        )
    return f"the {kind} is suspended, for instance by a quota queue"


def seconds_left(
    run: TrainingRun, now: datetime, *, resumed: str | None = None, grace: float = 0.0
) -> float:
    """Until timeoutSeconds is over by the run's own clock; it begins anew after a suspension.

    resumed: when that was last, if the object tells; the operator may have been away. grace: for
    so long it is left to the object's own deadline, should its controller be there.
    """
    told = [parse(time) for time in (run.status.active_time, resumed) if time is not None]
    limit = timedelta(seconds=run.spec.training.timeout_seconds + grace)
    return (max(told, default=now) + limit - now).total_seconds()


def of_its_life(main: Json, pods: Iterable[Json]) -> list[Json]:
    """The pods that are not those of an earlier object of the same name."""
    born = str((main.get("metadata") or {}).get("creationTimestamp", ""))
    return [p for p in pods if str(p["metadata"].get("creationTimestamp", "")) >= born]


def without_report(run: TrainingRun, kind: str, complete: Json, now: datetime) -> State:
    """Of a training that is complete and whose pod is not there: it is waited for a while, unless
    the report is elsewhere."""
    if run.spec.training.result_from is not None:
        return State("Succeeded", "", completed=complete.get("lastTransitionTime"))
    since = complete.get("lastTransitionTime")
    if since and (now - parse(since)).total_seconds() < POD_WAIT_SECONDS:
        return State(
            "Running",
            f"the {kind} is complete; waiting for its pod's report",
            requeue_after=float(POD_WAIT_SECONDS),
        )
    return State(
        "ReportLost",
        f"the {kind} is complete, but its pod was deleted before the report in its termination "
        "message was read",
    )
