"""While a child's name is another's nothing new begins, and what serves goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from evenkeel.controllers.modeldeployment.plan import plan_deployment
from evenkeel.meta.objects import Key, Taken
from evenkeel.meta.plan import Plan

from tests.support.rollout_world import World

A, B = ({"uri": f"s3://m/{m}", "format": {"name": "sklearn"}} for m in "ab")
SERVICE = Taken(Key("Service", "shop", "fraud"), "Helm", hand_over="evenkeel.dev/adopt: fraud")
BUDGET = Taken(Key("PodDisruptionBudget", "shop", "fraud"), "Shop checkout")
FORMER = Taken(Key("Service", "shop", "fraud"), "ModelDeployment fraud", former=True)


@pytest.fixture
def world() -> World:
    return World({"model": A, "replicas": 2, "rollout": {"steps": [{"weight": 50}]}})


def plan(world: World, *taken: Taken) -> Plan:
    return plan_deployment(replace(world.snapshot(), taken=taken))


def condition(made: Plan, type_: str) -> tuple[str, str]:
    found = {c["type"]: c for c in made.status.wire()["conditions"]}[type_]
    return found["status"], found["reason"]


def test_nothing_is_made_for_a_new_model(world: World) -> None:
    made = plan(world, SERVICE, BUDGET)
    assert (made.applies, made.scales, made.deletes) == ((), (), ())
    assert condition(made, "Ready") == ("False", "NameTaken")
    assert condition(made, "Stalled") == ("True", "NameTaken")
    assert condition(made, "ModelResolved")[0] == "True"
    message = made.status.wire()["conditions"][0]["message"]
    assert "Service fraud exists and belongs to Helm" in message
    assert "PodDisruptionBudget fraud exists and belongs to Shop checkout" in message
    assert [(e.type, e.reason) for e in made.events] == [("Warning", "NameTaken")]


def test_a_former_namesake_is_waited_for(world: World) -> None:
    made = plan(world, FORMER)
    assert made.applies == ()
    assert condition(made, "Ready") == ("Unknown", "AwaitingGarbageCollection")
    assert made.events == ()
    assert condition(plan(world, FORMER, BUDGET), "Ready") == ("False", "NameTaken")


def test_it_is_told_once_and_looked_at_ever_more_seldom(world: World) -> None:
    waits = []
    for seconds in (0, 4, 60, 600):
        world.now += timedelta(seconds=seconds)
        made = plan(world, SERVICE)
        waits.append(made.requeue_after)
        world.status = made.status.wire()
    assert waits == [2, 2, 16, 30]
    assert made.events == ()


def test_what_serves_goes_on_without_the_taken_object(world: World) -> None:
    world.settle()
    world.pods_ready()
    world.settle()
    stable = world.md.status.stable
    world.edit(model=B)
    made = plan(world, SERVICE)
    kinds = {(m["kind"], m["metadata"]["name"]) for m in made.applies}
    assert ("Service", "fraud") not in kinds
    assert made.status.wire().get("canary") is None, "no trial begins"
    assert made.status.wire()["stable"]["revision"] == stable.revision if stable else False
    assert condition(made, "Available") == ("True", "PodsReady")


def test_a_trial_goes_on(world: World) -> None:
    world.settle()
    world.pods_ready()
    world.settle()
    world.edit(model=B)
    world.settle()
    before = world.md.status.canary
    assert before is not None
    made = plan(world, BUDGET)
    canary = made.status.wire()["canary"]
    assert canary["revision"] == before.revision
    assert made.status.wire().get("history", []) == []
    assert condition(made, "Ready") == ("False", "NameTaken")
