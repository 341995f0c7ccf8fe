"""Faults never promote, lose or double: Prometheus down, the operator killed."""

from __future__ import annotations

import time
from functools import partial

from dev.stack.install import MONITORING
from e2e.support.world import World, deployment, training
from e2e.test_canary import ANALYSIS, GOOD


def test_prometheus_down_holds_and_never_promotes(world: World) -> None:
    name = "blind"
    world.apply(deployment(name, GOOD, rollout={"steps": [{"weight": 50}]}, analysis=ANALYSIS))
    world.ready(name)
    world.load(f"{name}-load", name, name, count=8_000, rate=20)
    world.stack.kubectl("-n", MONITORING, "scale", "deployment/prometheus", "--replicas=0")
    try:
        world.patch("mdep", name, {"env": [{"name": "REVISION", "value": "two"}]})
        world.until(
            "the canary says that Prometheus is down",
            lambda: (
                (world.deployment(name).get("canary") or {}).get("reason")
                == "PrometheusUnavailable"
            ),
        )
        time.sleep(10)
        status = world.deployment(name)
        assert status["canary"]["stage"] == "Stepping"
        assert status["history"] == []
    finally:
        world.stack.kubectl("-n", MONITORING, "scale", "deployment/prometheus", "--replicas=1")
        world.stack.rollout(MONITORING, "prometheus")
    world.until(
        "the canary is promoted once Prometheus is back",
        lambda: [o["outcome"] for o in world.deployment(name)["history"]] == ["Promoted"],
        240,
    )
    world.stop(f"{name}-load")
    world.kubectl("delete", "mdep", name, "--wait=false")


def test_a_killed_operator_goes_on_with_the_canary(world: World) -> None:
    name = "killed"
    steps = [{"weight": 20, "pauseSeconds": 8}, {"weight": 50, "pauseSeconds": 8}]
    world.apply(deployment(name, GOOD, rollout={"steps": steps}, analysis=ANALYSIS))
    world.ready(name)
    world.load(f"{name}-load", name, name, count=8_000, rate=20)
    world.patch("mdep", name, {"env": [{"name": "REVISION", "value": "two"}]})
    for step in (0, 1):
        before = world.until(
            f"step {step + 1}",
            partial(_at_step, world, name, step),
            240,
        )
        world.kill_operator()
        time.sleep(2)
        after = world.deployment(name)
        if after.get("canary"):
            assert after["canary"]["revision"] == before["revision"]
            assert after["canary"]["weight"] >= before["weight"]
    world.until(
        "the canary is promoted once",
        lambda: [o["outcome"] for o in world.deployment(name)["history"]] == ["Promoted"],
        240,
    )
    world.stop(f"{name}-load")
    world.kubectl("delete", "mdep", name, "--wait=false")


def _at_step(world: World, name: str, step: int) -> dict[str, object] | None:
    canary = world.deployment(name).get("canary")
    if canary and canary["stage"] == "Stepping" and canary["step"] == step:
        return dict(canary)
    return None


def test_a_killed_operator_trains_once(world: World) -> None:
    """Killed right after the alert was answered, and again while the Job runs."""
    name = "killed-retrain"
    world.apply(
        {
            "apiVersion": "evenkeel.dev/v1alpha1",
            "kind": "RetrainSchedule",
            "metadata": {"name": name},
            "spec": {
                "model": name,
                "triggers": [
                    {
                        "name": "drift",
                        "alert": {"matchers": [{"name": "alertname", "value": "Killed"}]},
                    }
                ],
                "training": training({"DATA_UNTIL": "16464"}),
            },
        }
    )
    world.alert({"alertname": "Killed", "namespace": world.namespace})
    selector = f"evenkeel.dev/schedule={name}"
    runs = world.until(
        "a run is there", lambda: world.objects("trainingruns", selector), 60, every=0.1
    )
    world.kill_operator()
    run = runs[0]["metadata"]["name"]
    world.until("its Job is there", lambda: world.objects("jobs", f"evenkeel.dev/run={run}"), 60)
    world.kill_operator()
    world.until(
        "the run has succeeded",
        lambda: world.condition("trainingrun", run, "Ready").get("status") == "True",
    )
    time.sleep(5)
    assert [r["metadata"]["name"] for r in world.objects("trainingruns", selector)] == [run]
    assert len(world.objects("jobs", f"evenkeel.dev/run={run}")) == 1
    versions = world.objects("modelversions", f"evenkeel.dev/run={run}")
    assert len(versions) == 1
    assert versions[0]["spec"]["cause"]["alerts"][0]["labels"]["alertname"] == "Killed"
    lineage = versions[0]["status"]["lineage"]
    assert "Killed" in lineage
    assert run in lineage
