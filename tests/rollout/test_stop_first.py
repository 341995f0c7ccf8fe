"""Rollouts without spare capacity: stable stops, and nobody starts before the room is free."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from tests.rollout.test_rollout import A, B, C, canary, model, outcome, run, stable, world
from tests.support.rollout_world import Crash, World

JSON = dict[str, Any]
SCALED = {"minReplicas": 2, "maxReplicas": 20}


def stop_first(uri: str | None = B, **fields: Any) -> World:
    w = world([], **fields)
    w.edit_rollout(stopFirst=True, progressDeadlineSeconds=100)
    if uri is not None:
        w.edit(model=model(uri))
    return w


def replicas(w: World) -> dict[str, int]:
    return {name: pods.replicas for name, pods in w.pods.items()}


def scaled_to(w: World, number: int) -> World:
    """Load has given the stable revision so many pods."""
    serving = w.pods[w.status["stable"]["revision"]]
    serving.replicas = serving.ready = number
    w.settle()
    return w


def least(w: World) -> int:
    return int(w.others["HorizontalPodAutoscaler", "fraud"]["spec"]["minReplicas"])


def test_the_room_is_free_before_the_new_revision_starts() -> None:
    w = stop_first(replicas=1)
    old = w.status["stable"]["revision"]
    w.reconcile()
    assert replicas(w) == {old: 0, w.wanted(): 0}
    assert w.status["canary"]["stage"] == "Stopping"
    w.settle()
    assert replicas(w) == {old: 0, w.wanted(): 1}
    w.pods_ready(w.wanted())
    w.settle()
    assert stable(w) == B


def test_a_failure_brings_stable_back() -> None:
    w = stop_first(replicas=1)
    w.settle()
    w.pass_time(101)
    w.settle()
    assert (stable(w), outcome(w)) == (A, "RolledBack")
    assert replicas(w) == {w.status["stable"]["revision"]: 1}


def test_pods_that_are_going_hold_their_room_on_the_way_there() -> None:
    w = stop_first(replicas=1)
    w.lingers = True
    w.settle()
    w.pass_time(500)
    w.settle()
    assert w.status["canary"]["reason"] == "Stopping"
    assert replicas(w)[w.wanted()] == 0
    w.pods_gone()
    w.settle()
    assert replicas(w)[w.wanted()] == 1
    w.pass_time(99)
    w.settle()
    assert canary(w) is not None, "the deadline began with its pods"
    w.pods_ready(w.wanted())
    w.settle()
    assert stable(w) == B


def test_pods_that_are_going_hold_their_room_on_the_way_back() -> None:
    w = stop_first(replicas=1)
    w.lingers = True
    w.settle()
    w.pods_gone()
    w.settle()
    w.pass_time(101)
    plan = w.settle()
    old = w.status["stable"]["revision"]
    assert outcome(w) == "RolledBack"
    assert replicas(w) == {old: 0}
    assert plan.requeue_after is not None, "a pod of a lost node tells nothing"
    w.pods_gone()
    w.settle()
    assert replicas(w) == {old: 1}


def test_a_wish_to_promote_waits_for_the_room_too() -> None:
    w = stop_first(replicas=1)
    w.lingers = True
    w.edit_rollout(promote=w.wanted())
    w.settle()
    assert replicas(w)[w.wanted()] == 0
    w.pods_gone()
    w.settle()
    assert replicas(w)[w.wanted()] == 1


def test_without_a_change_of_pods_nothing_is_written_while_the_room_is_taken() -> None:
    w = stop_first(replicas=1)
    w.lingers = True
    w.settle()
    before = w.status
    w.pass_time(30)
    w.settle()
    assert w.status == before


@pytest.mark.parametrize("lingers", [False, True])
def test_stable_comes_back_with_the_size_that_load_had_given_it(lingers: bool) -> None:
    w = scaled_to(stop_first(None, autoscaling=SCALED), 9)
    w.lingers = lingers
    old = w.status["stable"]["revision"]
    w.edit(model=model(B))
    w.settle()
    w.pods_gone()
    w.settle()
    assert replicas(w) == {old: 0, w.wanted(): 9}
    w.pass_time(101)
    w.settle()
    w.pods_gone()
    w.settle()
    assert (replicas(w), least(w)) == ({old: 9}, 9)
    w.pods_ready()
    w.settle()
    assert least(w) == 2, "load decides again"
    assert "stoppedReplicas" not in w.status["stable"]


@pytest.mark.parametrize(("most", "back"), [(5, 5), (20, 9), (30, 9)])
def test_the_former_size_keeps_to_the_present_limits(most: int, back: int) -> None:
    w = scaled_to(stop_first(autoscaling=SCALED, uri=None), 9)
    w.edit(model=model(B))
    w.settle()
    w.edit(autoscaling={**SCALED, "maxReplicas": most})
    w.pass_time(101)
    w.settle()
    assert replicas(w) == {w.status["stable"]["revision"]: back}


def test_a_later_edit_starts_with_the_size_that_stable_had() -> None:
    w = scaled_to(stop_first(None, autoscaling=SCALED), 9)
    w.edit(model=model(B))
    w.settle()
    w.edit(model=model(C))
    w.settle()
    assert replicas(w) == {w.status["stable"]["revision"]: 0, w.wanted(): 9}
    w.pods_ready()
    w.settle()
    assert stable(w) == C
    assert least(w) == 9


@pytest.mark.parametrize("crash_after", range(6))
def test_the_size_is_known_before_stable_is_stopped(crash_after: int) -> None:
    w = scaled_to(stop_first(None, autoscaling=SCALED), 9)
    old = w.status["stable"]["revision"]
    w.edit(model=model(B))
    with suppress(Crash):
        w.reconcile(crash_after=crash_after)
    w.settle()
    w.pass_time(101)
    w.settle()
    assert replicas(w) == {old: 9}


def test_the_setting_counts_from_the_next_trial_on() -> None:
    w = world([{"weight": 50, "pauseSeconds": 60, "analysis": False}])
    w.edit(model=model(B))
    w.settle()
    w.pods_ready()
    w.settle()
    before = replicas(w)
    assert w.status["canary"]["trafficWeight"] == 50
    w.edit_rollout(stopFirst=True, steps=[])
    w.settle()
    assert all(replicas(w)[name] >= number for name, number in before.items())
    run(w, 60)
    assert stable(w) == B
    w.edit(model=model(A))
    w.reconcile()
    assert set(replicas(w).values()) == {0}


def test_taking_the_setting_back_starts_no_pods_without_room() -> None:
    w = stop_first(replicas=1)
    w.settle()
    old = w.status["stable"]["revision"]
    w.edit_rollout(stopFirst=False, steps=[{"weight": 20}])
    w.settle()
    assert replicas(w) == {old: 0, w.wanted(): 1}
    w.pods_ready()
    w.settle()
    assert stable(w) == B, "stable has no pods to divide requests with"


def test_a_trial_of_another_kind_beside_a_stopped_stable_brings_it_back() -> None:
    w = stop_first(replicas=1)
    w.settle()
    old = w.status["stable"]["revision"]
    w.edit_rollout(stopFirst=False)
    w.edit(model=model(C))
    w.settle()
    assert replicas(w) == {old: 1, w.wanted(): 1}


def test_what_has_its_pods_already_needs_no_stop() -> None:
    w = world([])
    w.edit_rollout(scaleDownDelaySeconds=600)
    w.edit(model=model(B))
    run(w, 10)
    assert stable(w) == B
    w.edit_rollout(stopFirst=True)
    w.edit(model=model(A))
    plan = w.reconcile()
    assert not [ref for ref, number in plan.scales if number == 0]
    w.settle()
    assert stable(w) == A
