"""With an autoscaler the operator leaves the number of replicas alone."""

from __future__ import annotations

import time

from e2e.support.world import World, deployment
from e2e.test_canary import GOOD


def test_replicas_are_the_autoscalers(world: World) -> None:
    name = "scaled"
    world.apply(
        deployment(
            name,
            GOOD,
            autoscaling={"minReplicas": 1, "maxReplicas": 3},
            disruptionBudget={"maxUnavailable": 1},
        )
    )
    world.ready(name)
    stable = world.deployment(name)["stable"]["revision"]
    hpa = world.get("hpa", name)
    assert hpa["spec"]["scaleTargetRef"]["name"] == stable
    assert world.get("pdb", name)["spec"]["maxUnavailable"] == 1
    # What the autoscaler does, by the subresource that it uses.
    world.kubectl("scale", "deployment", stable, "--replicas=2")
    world.until("two pods are ready", lambda: world.deployment(name)["readyReplicas"] == 2)
    world.patch("mdep", name, {"env": [{"name": "REVISION", "value": "two"}]})
    world.until(
        "the new revision serves",
        lambda: world.deployment(name)["stable"]["revision"] != stable,
    )
    revision = world.deployment(name)["stable"]["revision"]
    assert world.get("deployment", revision)["spec"]["replicas"] == 2, "as many as before"
    assert world.get("hpa", name)["spec"]["scaleTargetRef"]["name"] == revision
    time.sleep(3)
    assert world.get("deployment", revision)["spec"]["replicas"] == 2
    world.kubectl("delete", "mdep", name, "--wait=false")
