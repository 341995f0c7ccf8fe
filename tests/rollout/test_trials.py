"""Second trials, whose fault a rollback was, and steering by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from evenkeel.api import ModelDeployment
from evenkeel.api.modeldeploymentstatus import Outcome
from evenkeel.meta.times import parse
from evenkeel.rollout.trials import automatic

from tests.rollout.test_rollout import (
    A,
    B,
    C,
    canary,
    condition,
    model,
    outcome,
    run,
    stable,
    started,
    world,
)
from tests.support.rollout_world import World

JSON = dict[str, Any]


def never_ready(w: World, uri: str, diagnosis: str) -> None:
    w.edit_rollout(progressDeadlineSeconds=60)
    w.edit(model=model(uri))
    w.settle()
    w.pods[w.wanted()].diagnosis = diagnosis
    w.pass_time(61)
    w.settle()
    assert outcome(w) == "RolledBack"


@pytest.mark.parametrize(("uri", "after"), [(B, "Promoted"), (C, "RolledBack")])
def test_retry_gives_one_judged_trial(uri: str, after: str) -> None:
    w = world()
    never_ready(w, uri, "Unschedulable: no GPU")
    assert w.status["history"][0]["cause"] == "Infrastructure"
    revision = w.wanted()
    w.edit_rollout(retry="fraud-another")
    run(w, 60)
    assert canary(w) is None, "it means nothing to other revisions"
    w.edit_rollout(retry=revision)
    run(w, 60)
    assert (outcome(w), stable(w)) == (after, B if after == "Promoted" else A)
    run(w, 300)
    assert canary(w) is None, "spent"
    if after == "RolledBack":
        assert "spent" in condition(w, "RolloutHealthy")["message"]
        w.edit_rollout(retry=None)
        w.settle()
        w.edit_rollout(retry=revision)
        w.settle()
        assert canary(w) is not None


@pytest.mark.parametrize(
    ("cause", "attempts", "follow", "wait"),
    [
        ("Infrastructure", 1, True, 600),
        ("Infrastructure", 2, True, 1800),
        ("Infrastructure", 3, True, 3600),
        ("Infrastructure", 4, True, None),
        ("Model", 1, True, None),
        ("User", 1, True, None),
        ("Infrastructure", 1, False, None),
    ],
)
def test_a_followed_version_is_tried_again_after_an_infrastructures_fault(
    cause: Any, attempts: int, follow: bool, wait: float | None
) -> None:
    time = "2026-01-31T09:00:00Z"
    last = Outcome(revision="r", outcome="RolledBack", time=time, cause=cause, attempts=attempts)
    source = {"follow": "fraud"} if follow else {"version": "v1"}
    md = ModelDeployment.model_validate({"metadata": {"name": "fraud"}, "spec": {"model": source}})
    assert automatic(last, md, parse(time)) == wait
    if wait is not None:
        assert automatic(last, md, parse(time) + timedelta(seconds=wait + 1)) == 0


def test_unpausing_rolls_nothing_back() -> None:
    w = world([{"weight": 20, "deadlineSeconds": 60}])
    w.answers = "down"
    started(w, B)
    w.pass_time(20)
    w.settle()
    w.edit_rollout(paused=True)
    w.settle()
    w.pass_time(1000)
    w.settle()
    w.edit_rollout(paused=False)
    w.settle()
    w.pass_time(39)
    w.settle()
    assert canary(w) is not None
    w.pass_time(2)
    w.settle()
    last = w.status["history"][0]
    assert (last["reason"], last["cause"]) == ("Undecided", "Infrastructure")


@pytest.mark.parametrize("field", ["promote", "abort", "retry"])
def test_steering_an_unknown_revision_is_told_once(field: str) -> None:
    w = started(world(), B)
    w.edit_rollout(**{field: "fraud-unknown", "paused": True})
    w.settle()
    found = condition(w, "SteeringAccepted")
    assert (found["status"], found["reason"]) == ("False", "RevisionNotOnTrial")
    assert w.wanted() in found["message"]
    run(w, 30)
    events = [e for p in w.plans for e in p.events if e.reason == "RevisionNotOnTrial"]
    assert len(events) == 1


def test_a_wish_that_has_come_true_stays_accepted() -> None:
    w = started(world(), B)
    w.edit_rollout(promote=w.wanted())
    run(w, 60)
    assert stable(w) == B
    assert condition(w, "SteeringAccepted")["status"] == "True"


def test_a_new_revision_at_zero_takes_over_and_comes_up_later() -> None:
    w = world()
    w.edit(replicas=0)
    w.settle()
    w.edit(model=model(B))
    run(w, 60)
    assert (stable(w), w.status["history"][0]["reason"]) == (B, "ScaledToZero")
    w.edit(replicas=3)
    w.settle()
    assert {n: p.replicas for n, p in w.pods.items()} == {w.wanted(): 3}


def test_zero_in_mid_rollout_holds_the_trial() -> None:
    w = started(world([{"weight": 50, "analysis": False, "pauseSeconds": 50}]), B)
    w.pass_time(10)
    w.settle()
    w.edit(replicas=0)
    w.settle()
    assert all(p.replicas == 0 for p in w.pods.values())
    w.pass_time(5000)
    w.settle()
    assert w.status["canary"]["reason"] == "ScaledToZero"
    w.edit(replicas=4)
    w.settle()
    w.pods_ready()
    w.settle()
    w.pass_time(30)
    w.settle()
    assert w.status["canary"]["stage"] == "Stepping"
    run(w, 30)
    assert stable(w) == B


@pytest.mark.parametrize("edits", [(B, A, B), (B, C, B), (B, C, A, B)])
def test_edits_within_one_rollout_end_at_the_last(edits: tuple[str, ...]) -> None:
    w = world()
    for uri in edits:
        w.edit(model=model(uri))
        w.settle()
        assert len(w.pods) <= 2
    run(w, 120)
    assert stable(w) == edits[-1]
    assert list(w.pods) == [w.wanted()]


def trials(w: World) -> int:
    return sum(e.reason == "RolloutStarted" for p in w.plans for e in p.events)


def unready(w: World, deadlines: int) -> None:
    """Nothing gets ready for so many progress deadlines."""
    for _ in range(deadlines):
        w.pass_time(61)
        w.settle()


@pytest.mark.parametrize("field", ["promote", "retry"])
def test_a_wish_is_spent_by_one_trial_and_can_be_said_again(field: str) -> None:
    w = world()
    never_ready(w, B, "")
    w.edit_rollout(**{field: w.wanted()})
    w.settle()
    assert trials(w) == 2
    unready(w, 5)
    last = w.status["history"][0]
    assert (trials(w), last["wish"], last["spent"]) == (2, field.title(), [field.title()])
    assert f"rollout.{field} is spent" in condition(w, "RolloutHealthy")["message"]
    assert condition(w, "SteeringAccepted")["status"] == "True"
    w.edit_rollout(**{field: None})
    w.settle()
    w.edit_rollout(**{field: w.wanted()})
    w.settle()
    assert trials(w) == 3


@pytest.mark.parametrize(("first", "second"), [("retry", "promote"), ("promote", "retry")])
def test_one_spent_wish_does_not_stand_in_the_way_of_the_other(first: str, second: str) -> None:
    w = world()
    never_ready(w, C, "")
    for field in (first, second):
        w.edit_rollout(**{field: w.wanted()})
        w.settle()
        assert canary(w) is not None
        unready(w, 3)
    assert trials(w) == 3
    assert w.status["history"][0]["spent"] == ["Promote", "Retry"]


def test_a_spent_wish_to_promote_lets_nothing_past_the_verdict() -> None:
    w = world()
    never_ready(w, C, "")
    w.edit_rollout(promote=w.wanted())
    w.settle()
    unready(w, 2)
    w.edit_rollout(retry=w.wanted())
    run(w, 60)
    assert w.status["history"][0]["reason"] == "WorseThanStable"
    assert stable(w) == A


def test_a_wish_to_promote_that_comes_during_the_trial_is_spent_by_it() -> None:
    w = world()
    w.edit_rollout(progressDeadlineSeconds=60)
    started(w, B)
    w.edit_rollout(promote=w.wanted())
    w.settle()
    w.pods_ready(w.wanted(), ready=False)
    unready(w, 5)
    assert trials(w) == 1
    assert w.status["history"][0]["spent"] == ["Promote"]


def steered(named: str) -> tuple[World, str]:
    """A paused trial of B, and a revision's name: unknown, superseded by B, or that serves."""
    w = started(world(), C)
    gone = w.wanted()
    w.edit_rollout(paused=True)
    started(w, B)
    serves = w.status["stable"]["revision"]
    return w, {"unknown": "fraud-unknown", "superseded": gone, "stable": serves}[named]


@pytest.mark.parametrize("field", ["promote", "abort", "retry"])
@pytest.mark.parametrize("named", ["unknown", "superseded", "stable"])
def test_steering_that_can_do_nothing_is_told(field: str, named: str) -> None:
    w, revision = steered(named)
    w.edit_rollout(**{field: revision})
    w.settle()
    told = (field, named) != ("promote", "stable")
    assert (condition(w, "SteeringAccepted")["status"] == "False") is told
    events = [e for p in w.plans for e in p.events if e.reason == "RevisionNotOnTrial"]
    assert len(events) == told
