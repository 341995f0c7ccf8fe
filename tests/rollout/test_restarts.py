"""Pods that are replaced without a new revision."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from evenkeel.meta.plan import Plan
from evenkeel.meta.times import timestamp

from tests.rollout.test_step_words import BY_TIME, B, model, serving
from tests.support.rollout_world import World, run

MARK = "evenkeel.dev/restart-time"


def marks(plan: Plan) -> dict[str, Any]:
    """By revision the annotation of what is applied."""
    return {
        m["metadata"]["name"]: m["spec"]["template"]["metadata"].get("annotations", {}).get(MARK)
        for m in plan.applies
        if m["kind"] == "Deployment"
    }


def asked(w: World, seconds: int) -> str:
    time = timestamp(w.now + timedelta(seconds=seconds))
    w.edit(restartTime=time)
    return time


def test_the_template_changes_at_that_time_and_no_revision_with_it() -> None:
    w = serving([BY_TIME])
    revision = w.status["stable"]["revision"]
    time = asked(w, 60)
    plan = w.settle()
    assert marks(plan) == {revision: None}
    assert plan.requeue_after == 60
    w.pass_time(60)
    plan = w.settle()
    assert marks(plan) == {revision: time}
    assert plan.requeue_after is None
    assert w.wanted() == revision
    assert not w.status.get("canary")


def test_both_sides_of_a_trial_whose_models_alone_differ() -> None:
    w = serving([{**BY_TIME, "pauseSeconds": 600}])
    stable = w.status["stable"]["revision"]
    w.edit(model=model(B))
    run(w, 20)
    assert set(marks(w.settle())) == {w.wanted()}
    time = asked(w, 0)
    assert marks(w.settle()) == {stable: time, w.wanted(): time}


def test_a_template_that_is_not_known_any_more_stays() -> None:
    w = serving([{**BY_TIME, "pauseSeconds": 600}])
    w.edit(model=model(B), env=[{"name": "A", "value": "b"}])
    run(w, 20)
    time = asked(w, 0)
    assert marks(w.settle()) == {w.wanted(): time}


def test_a_time_that_no_calendar_has_replaces_nothing() -> None:
    w = serving([BY_TIME])
    w.edit(restartTime="2026-06-30T23:59:60Z")
    assert set(marks(w.settle()).values()) == {None}
