"""Rollouts that something odd befalls: edits, restarts of long ago, growing load, a long pause."""

from __future__ import annotations

import pytest

from tests.rollout.test_capacity import GATEWAY
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

STEPS = [{"weight": 10, "analysis": False, "pauseSeconds": 20},
         {"weight": 50, "analysis": False, "pauseSeconds": 20}]  # fmt: skip


def test_steps_taken_away_during_the_warm_up_are_not_missed() -> None:
    w = world(STEPS)
    w.edit_rollout(warmUpSeconds=30)
    started(w, B)
    assert w.status["canary"]["stage"] == "WarmingUp"
    w.edit_rollout(steps=[])
    run(w, 60)
    assert stable(w) == B


def test_going_back_to_a_revision_with_old_crashes_is_a_fresh_trial() -> None:
    w = world([])
    w.edit_rollout(scaleDownDelaySeconds=300)
    w.pods[w.wanted()].crashes = 5
    for uri in (B, A):
        w.edit(model=model(uri))
        run(w, 10)
        assert stable(w) == uri, "no pod has crashed since the trial began"


def test_stables_crashes_of_long_ago_do_not_excuse_the_canary() -> None:
    w = world([{"weight": 50, "analysis": False, "pauseSeconds": 600}])
    w.pods[w.wanted()].crashes = 20
    started(w, B)
    for _ in range(3):
        w.pass_time(100)
        w.pods[w.wanted()].crashes += 1
        w.settle()
    assert (outcome(w), w.status["history"][0]["reason"]) == ("RolledBack", "CanaryCrashing")


def grows(stage: str) -> World:
    """A canary of a model that is scaled by load, and that has 50 % and more to carry."""
    steps = [{"weight": 50, "analysis": False, "pauseSeconds": 60 if stage == "Stepping" else 0}]
    w = world(steps, autoscaling={"minReplicas": 10, "maxReplicas": 30}, traffic=GATEWAY)
    w.pods[w.wanted()].replicas = w.pods[w.wanted()].ready = 10
    w = started(w, B)
    assert w.status["canary"]["stage"] == stage
    return w


@pytest.mark.parametrize("stage", ["Stepping", "Promoting"])
def test_growing_load_whose_pods_come_late_is_no_failure(stage: str) -> None:
    w = grows(stage)
    old, new = w.status["stable"]["revision"], w.wanted()
    asked = [w.pods[new].replicas] * 3
    for _ in range(60):
        w.pass_time(60)
        w.pods[old].replicas = w.pods[old].ready = min(30, w.pods[old].replicas + 1)
        asked.append(w.pods[new].replicas)
        w.pods[new].ready = asked[-3]
        w.settle()
        if canary(w) is None:
            break
    assert stable(w) == B


def test_pods_that_never_come_end_a_growing_rollout() -> None:
    w = grows("Promoting")
    old = w.status["stable"]["revision"]
    for _ in range(60):
        w.pass_time(60)
        w.pods[old].replicas = w.pods[old].ready = min(30, w.pods[old].replicas + 1)
        w.settle()
    assert w.status["history"][0]["reason"] == "ProgressDeadlineExceeded"


@pytest.mark.parametrize("between", [None, 0])
def test_pods_that_an_edit_asks_for_get_the_whole_deadline(between: int | None) -> None:
    w = started(world([{"weight": 50, "analysis": False}]), B)
    assert w.status["canary"]["stage"] == "Promoting"
    w.pass_time(590)
    w.settle()
    if between is not None:
        w.edit(replicas=between)
        w.settle()
        w.pass_time(1000)
        w.settle()
    w.edit(replicas=6)
    w.settle()
    w.pass_time(590)
    w.settle()
    assert canary(w) is not None
    w.pass_time(11)
    w.settle()
    assert w.status["history"][0]["reason"] == "ProgressDeadlineExceeded"


@pytest.mark.parametrize("paused", [True, False])
def test_a_canary_that_may_take_over_is_looked_at_when_stable_is_given_up(paused: bool) -> None:
    w = world([{"weight": 20, "pauseSeconds": 7200, "analysis": False}])
    w.edit_rollout(onStableUnavailable="Promote", progressDeadlineSeconds=100, paused=paused)
    started(w, B)
    w.pods_ready(w.status["stable"]["revision"], ready=False)
    plan = w.settle()
    assert plan.requeue_after == 100
    w.pass_time(100)
    w.settle()
    assert w.status["canary"]["reason"] == "StableUnavailable"


def test_with_an_autoscaler_too_no_pod_starts_before_stable_has_stopped() -> None:
    w = world([], autoscaling={"minReplicas": 2, "maxReplicas": 20})
    w.edit_rollout(stopFirst=True)
    w.edit(model=model(B))
    w.reconcile()
    assert {name: p.replicas for name, p in w.pods.items() if name == w.wanted()} == {w.wanted(): 0}
    w.settle()
    w.pods_ready()
    w.settle()
    assert stable(w) == B


def test_a_trial_of_weeks_outlives_drained_nodes() -> None:
    day, steps = 86400, [{"weight": 50, "pauseSeconds": 20 * 86400, "analysis": False}]
    w = started(world(steps, replicas=10), B)
    for _ in range(21):
        if canary(w) is None:
            break
        w.pass_time(day - 300)
        w.pods[w.wanted()].ready -= 1
        w.settle()
        w.pass_time(300)
        w.pods_ready()
        w.settle()
    run(w, day * 2, 3600)
    assert (stable(w), outcome(w)) == (B, "Promoted")


def test_losses_in_a_short_time_are_not_forgiven() -> None:
    w = started(world([{"weight": 50, "pauseSeconds": 86400, "analysis": False}], replicas=10), B)
    w.edit_rollout(progressDeadlineSeconds=100)
    for _ in range(4):
        w.pass_time(3500)
        w.pods[w.wanted()].ready -= 1
        w.settle()
        w.pass_time(2)
        w.pods_ready()
        w.settle()
    assert w.status["history"][0]["reason"] == "CanaryUnstable"


@pytest.mark.parametrize("field", ["promote", "retry"])
def test_steering_of_a_revision_that_is_wanted_no_more_is_told(field: str) -> None:
    w = run(started(world(), C), 30)
    gone = w.wanted()
    run(started(w, B), 60)
    w.edit_rollout(**{field: gone})
    w.settle()
    found = condition(w, "SteeringAccepted")
    assert (found["status"], found["reason"]) == ("False", "RevisionNotOnTrial")
    assert "not wanted any more" in found["message"]


def test_a_spent_retry_may_stay_when_the_model_has_moved_on() -> None:
    w = run(started(world(), C), 30)
    w.edit_rollout(retry=w.wanted())
    run(w, 60)
    assert w.status["history"][0]["spent"] == ["Retry"]
    run(started(w, B), 60)
    assert condition(w, "SteeringAccepted")["status"] == "True"


def test_a_stopped_stable_revision_excuses_no_crashes() -> None:
    w = world([])
    w.edit_rollout(stopFirst=True)
    w.edit(model=model(B))
    w.settle()
    w.pods[w.wanted()].crashes = 3
    w.settle()
    assert w.status["history"][0]["reason"] == "CanaryCrashing"
    assert w.pods[w.status["stable"]["revision"]].replicas == 4


def test_pods_that_crash_once_each_on_their_way_up_are_forgiven() -> None:
    w = world([{"weight": 50, "pauseSeconds": 20, "analysis": False}], replicas=10)
    w.edit(model=model(B))
    w.settle()
    w.pods[w.wanted()].crashes = 5
    w.settle()
    w.pods_ready()
    run(w, 600)
    assert (stable(w), outcome(w)) == (B, "Promoted")


def test_pods_that_crash_in_a_loop_before_they_are_ready_go_back() -> None:
    w = world([{"weight": 50}], replicas=10)
    w.edit(model=model(B))
    w.settle()
    w.pods[w.wanted()].crashes = 15
    w.settle()
    assert w.status["history"][0]["reason"] == "CanaryCrashing"


def test_a_step_lowered_in_mid_trial_takes_no_pods_from_the_present_share() -> None:
    w = started(world([{"weight": 30, "pauseSeconds": 60, "analysis": False}], replicas=4), B)
    assert w.pods[w.wanted()].replicas == 2
    w.edit_rollout(steps=[{"weight": 25, "pauseSeconds": 60, "analysis": False}])
    w.settle()
    assert w.pods[w.wanted()].replicas == 2
