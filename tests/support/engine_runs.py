"""A run whose engine is not a Job: what is planned for it, from what the cluster holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.conditions import Condition
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import timestamp
from evenkeel.pods.slim import slim
from evenkeel.training.engine import Observed
from evenkeel.training.plan import plan_run
from evenkeel.training.snapshot import RunSnapshot
from hypothesis import strategies as st

Json = dict[str, Any]
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
LATE = NOW + timedelta(days=1)
NAME = "elec-1a"
REPORT = json.dumps({"uri": "s3://m/1", "format": {"name": "sklearn"}})


def run(training: Json, **spec: Any) -> TrainingRun:
    meta = {"name": NAME, "namespace": "ml", "uid": "u1", "generation": 1}
    return TrainingRun.model_validate(
        {
            "metadata": {**meta, "creationTimestamp": timestamp(NOW)},
            "spec": {"model": "elec", "training": training, **spec},
        }
    )


def plan(
    subject: TrainingRun,
    main: Json | None = None,
    *pods: Json,
    now: datetime = NOW,
    refusal: str = "",
) -> Plan:
    observed = Observed(main, {"Pod": tuple(map(slim, pods))}, refusal)
    return plan_run(RunSnapshot(run=subject, now=now, observed=observed))


def after(subject: TrainingRun, done: Plan) -> TrainingRun:
    return TrainingRun.model_validate({**subject.wire(), "status": done.status.wire()})


def started(subject: TrainingRun) -> TrainingRun:
    """The run once its object is created."""
    return after(subject, plan(subject))


def ready(done: Plan) -> Condition:
    return done.status.conditions[0]  # type: ignore[attr-defined, no-any-return]


def said(done: Plan) -> tuple[str, str]:
    return ready(done).reason, ready(done).message


def main(spec: Json, status: Json, **meta: Any) -> Json:
    """The engine's object as the API server has it."""
    known = {
        "name": NAME,
        "namespace": "ml",
        "uid": "w1",
        "labels": {"evenkeel.dev/run": NAME},
        "ownerReferences": [{"uid": "u1"}],
        "creationTimestamp": timestamp(NOW),
        "managedFields": [{"manager": "somebody"}],
    }
    return {"metadata": {**known, **meta}, "spec": spec, "status": status}


def pod(
    container: str,
    phase: str = "Running",
    state: Json | None = None,
    *,
    at: int = 0,
    name: str = "",
) -> Json:
    """A pod of the run, made so many seconds after its object."""
    made = timestamp(NOW + timedelta(seconds=at))
    told = state or ({"running": {}} if phase == "Running" else {})
    return {
        "metadata": {
            "name": name or f"{NAME}-{at}",
            "namespace": "ml",
            "creationTimestamp": made,
            "labels": {"evenkeel.dev/run": NAME},
        },
        "spec": {"containers": [{"name": container}]},
        "status": {"phase": phase, "containerStatuses": [{"name": container, "state": told}]},
    }


def ended(code: int, message: str = "", *, at: int = 60) -> Json:
    finished = timestamp(NOW + timedelta(seconds=at))
    return {"terminated": {"exitCode": code, "message": message, "finishedAt": finished}}


def env(container: Json) -> dict[str, str]:
    return {e["name"]: e["value"] for e in container["env"]}


def json_objects(*names: tuple[str, ...], texts: tuple[str, ...] = ()) -> st.SearchStrategy[Json]:
    """Objects of these fields with whatever values, these texts among them."""
    words = st.sampled_from(("", "a", "{{b}}", *texts))
    leaves = st.none() | st.booleans() | st.integers(0, 3) | words
    keys = st.sampled_from([name for several in names for name in several])

    def extended(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)

    return st.dictionaries(keys, st.recursive(leaves, extended, max_leaves=12), max_size=4)
