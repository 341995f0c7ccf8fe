"""Weight follows what the ready pods carry, with and without an autoscaler."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.api.modeldeploymentstatus import CanaryStatus
from evenkeel.rollout.capacity import carried_weight
from hypothesis import given
from hypothesis import strategies as st

from tests.rollout.test_rollout import B, canary, outcome, run, stable, started, world
from tests.support.rollout_world import World

JSON = dict[str, Any]
STEPS = [{"weight": 10, "analysis": False, "pauseSeconds": 20},
         {"weight": 50, "analysis": False, "pauseSeconds": 20}]  # fmt: skip
GATEWAY = {"gateway": {"parentRefs": [{"name": "gw"}]}}


def status(weight: int) -> CanaryStatus:
    time = "2026-01-31T09:00:00Z"
    return CanaryStatus(revision="r", start_time=time, stage_time=time, weight=weight)


@given(weight=st.integers(1, 99), ready=st.integers(0, 200), full=st.integers(1, 200))
def test_weight_is_the_largest_that_the_ready_pods_carry(
    weight: int, ready: int, full: int
) -> None:
    found = carried_weight(status(weight), ready, full)
    assert ready * 100 >= full * found
    assert found == weight or not ready or ready * 100 < full * (found + 1)


def route_weight(w: World) -> int:
    (rule,) = w.others["HTTPRoute", "fraud"]["spec"]["rules"]
    name = w.status["canary"]["revision"]
    return next((b["weight"] for b in rule["backendRefs"] if b["name"] == name), 0)


def test_a_step_begins_when_its_pods_are_ready_and_falls_back_without_them() -> None:
    w = started(world(STEPS, replicas=10, traffic=GATEWAY), B)
    revision = w.wanted()
    w.pass_time(21)
    w.settle()
    assert (w.pods[revision].replicas, route_weight(w)) == (5, 10)
    w.pass_time(60)
    w.settle()
    found = canary(w)
    assert found is not None
    assert (found["reason"], found["trafficWeight"]) == ("CanaryUnavailable", 10)
    w.pods_ready()
    w.settle()
    assert route_weight(w) == 50
    w.pass_time(10)
    w.pods[revision].ready = 3
    w.settle()
    assert route_weight(w) == 30
    w.pods[revision].ready = 0
    w.settle()
    assert route_weight(w) == 0
    w.pods_ready()
    w.settle()
    w.pass_time(21)
    w.settle()
    found = canary(w)
    assert found is not None
    assert (found["stage"], found["losses"]) == ("Stepping", 1)
    w.pass_time(45)
    w.settle()
    w.pods_ready()
    w.settle()
    assert stable(w) == B, "a single short loss is forgiven"


def test_pods_that_never_come_end_the_step() -> None:
    w = world(STEPS, replicas=10, traffic=GATEWAY)
    w.edit_rollout(progressDeadlineSeconds=100)
    started(w, B)
    w.pass_time(21)
    w.settle()
    w.pods[w.wanted()].diagnosis = "Unschedulable: no room"
    w.pass_time(101)
    w.settle()
    assert w.status["history"][0]["reason"] == "CanaryUnavailable"
    assert w.status["history"][0]["cause"] == "Infrastructure"


def least(w: World) -> dict[str, int]:
    found = {n: m for (k, n), m in w.others.items() if k == "HorizontalPodAutoscaler"}
    return {m["spec"]["scaleTargetRef"]["name"]: m["spec"]["minReplicas"] for m in found.values()}


def test_autoscalers_on_both_sides_and_a_hand_over_at_full_size() -> None:
    w = world(STEPS, autoscaling={"minReplicas": 2, "maxReplicas": 20}, traffic=GATEWAY)
    old = w.status["stable"]["revision"]
    w.pods[old].replicas = w.pods[old].ready = 10
    started(w, B)
    new = w.wanted()
    assert least(w) == {old: 10, new: 1}
    w.pass_time(21)
    w.settle()
    assert least(w) == {old: 10, new: 5}
    w.pods[new].replicas = w.pods[new].ready = 8  # Its autoscaler has met more load.
    w.settle()
    assert w.pods[new].replicas == 8
    w.pass_time(21)
    w.settle()
    assert (w.status["canary"]["stage"], w.pods[new].replicas) == ("Promoting", 15)
    w.pods_ready()
    w.settle()
    assert stable(w) == B
    assert least(w) == {new: 15}, "the load is on it now; it keeps its size at first"
    w.pass_time(31)
    w.settle()
    assert (least(w), w.pods[new].replicas) == ({new: 2}, 15)


@pytest.mark.parametrize("period", [2, 6, 20, 60])
@pytest.mark.parametrize("steps", [STEPS, [{"weight": 20, "deadlineSeconds": 3000}]])
def test_a_flapping_canary_goes_back(period: int, steps: list[JSON]) -> None:
    w = started(world(steps, traffic=GATEWAY), B)
    w.pods[w.wanted()].crashes = 0
    for number in range(40):
        if canary(w) is None:
            break
        w.pass_time(period // 2)
        w.pods_ready(w.wanted(), ready=number % 2 == 1)
        w.settle()
    assert (stable(w), outcome(w)) != (B, "Promoted")
    assert outcome(w) == "RolledBack"
    assert w.status["history"][0]["reason"] == "CanaryUnstable"


def test_a_canary_that_crashes_goes_back_with_its_last_words() -> None:
    w = started(world(STEPS), B)
    w.pods[w.wanted()].crashes = 2
    w.settle()
    w.pass_time(25)
    w.settle()
    assert w.status["canary"]["reason"] == "Unsteady"
    w.pods[w.wanted()].crashes = 3
    w.settle()
    last = w.status["history"][0]
    assert (last["reason"], last["cause"]) == ("CanaryCrashing", "Model")
    assert last["message"] == "3 times: exit code 3: no"


def test_where_stable_crashes_alike_the_canary_waits() -> None:
    w = started(world(STEPS), B)
    w.pods[w.status["stable"]["revision"]].crashes = 8
    w.pods[w.wanted()].crashes = 3
    w.settle()
    w.pass_time(30)
    w.settle()
    assert w.status["canary"]["reason"] == "Unsteady"


def both_crash_every(w: World, seconds: int, hours: float) -> None:
    old, new = w.status["stable"]["revision"], w.wanted()
    for _ in range(int(hours * 3600 / seconds)):
        w.pass_time(seconds)
        w.pods[old].crashes += 2
        w.pods[new].crashes += 1
        w.settle()
        if canary(w) is None:
            break


@pytest.mark.parametrize("seconds", [40, 600, 3000])
def test_a_trial_in_which_both_crash_ends_and_blames_nobody(seconds: int) -> None:
    pause = 30 if seconds == 40 else 7200
    w = started(world([{"weight": 50, "analysis": False, "pauseSeconds": pause}]), B)
    both_crash_every(w, seconds, hours=pause / 3600 + 3)
    last = w.status["history"][0]
    assert (last["reason"], last["cause"]) == ("BothCrash", "Infrastructure")
    assert "exit code 3" in last["message"]


def test_crashes_of_both_that_leave_time_between_hold_nothing() -> None:
    w = started(world([{"weight": 50, "analysis": False, "pauseSeconds": 60}]), B)
    w.pods_ready()
    both_crash_every(w, 55, hours=0.2)
    assert canary(w) is not None
    run(w, 300)
    assert stable(w) == B


@pytest.mark.parametrize("stables", [True, False])
def test_pods_that_are_lost_as_stables_are_no_fault_of_the_canary(stables: bool) -> None:
    w = started(world([{"weight": 50, "analysis": False, "pauseSeconds": 600}]), B)
    old, new = w.status["stable"]["revision"], w.wanted()
    while canary(w) is not None:
        w.pass_time(30)
        w.pods[old].crashes += 2 * stables
        w.pods[new].crashes += stables
        w.pods_ready(new, ready=False)
        w.settle()
        w.pass_time(30)
        w.pods_ready()
        w.settle()
    last = w.status["history"][0]
    found = (last["reason"], last["cause"])
    both = ("BothCrash", "Infrastructure")
    assert found == (both if stables else ("CanaryUnstable", "Model"))


def test_one_autoscaler_goes_before_another_takes_its_pods() -> None:
    w = world(STEPS, autoscaling={"minReplicas": 2, "maxReplicas": 20}, traffic=GATEWAY)
    old = w.status["stable"]["revision"]
    w.pods[old].replicas = w.pods[old].ready = 10
    started(w, B)
    new = w.wanted()
    while canary(w) is not None:
        w.pass_time(21)
        w.pods_ready()
        plan = w.reconcile()
    assert stable(w) == B
    assert new in {ref.name for ref in plan.deletes if ref.kind == "HorizontalPodAutoscaler"}
    assert least(w) == {old: 10}
    assert w.pods[new].replicas == 10
    plan = w.reconcile()
    assert (least(w), w.pods[new].replicas) == ({new: 10}, 10)
    w.edit(model={"uri": "s3://m/a", "format": {"name": "sklearn"}})
    w.settle()
    assert set(least(w)) == {new, old}


@pytest.mark.parametrize(
    ("replicas", "pods", "weight"),
    [(3, 3, 20), ("50%", 5, 20), (1, 1, 10), (99, 10, 20)],
)
def test_a_step_s_own_size_and_what_it_carries(replicas: int | str, pods: int, weight: int) -> None:
    """More pods change no weight; too few get what they carry, and that is told."""
    steps = [{"weight": 20, "replicas": replicas, "analysis": False, "pauseSeconds": 60}]
    w = started(world(steps, replicas=10, traffic=GATEWAY), B)
    assert w.pods[w.wanted()].replicas == pods
    assert route_weight(w) == weight
    found = canary(w)
    assert found is not None
    assert ("of which the step's 1 pods carry 10 %" in found["message"]) is (weight < 20)
    run(w, 80)
    assert outcome(w) == "Promoted"
    assert w.pods[w.wanted()].replicas == 10


def test_the_size_of_a_mirror_or_preview() -> None:
    steps = [{"preview": {}, "replicas": "25%", "analysis": False, "pauseSeconds": 60}]
    w = started(world(steps, replicas=10), B)
    assert w.pods[w.wanted()].replicas == 3
