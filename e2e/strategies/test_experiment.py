"""A fresh copy of stable on a real node: its pods, its share, and who is compared with it."""

from __future__ import annotations

import json
from typing import Any

from e2e.support.world import ERRORS, RECORD, SKLEARN, World, deployment

GOOD = {"uri": "pvc://models/elec2/good", "format": SKLEARN}
STEP = {"weight": 30, "baseline": True, "pauseSeconds": 20}


def beside(world: World) -> str:
    """Name of the baseline that is in force; empty if none is."""
    return str((world.deployment("offers").get("canary") or {}).get("baseline", ""))


def answered(world: World, revision: str) -> float:
    """Requests that the revision's meters have counted as its own."""
    labels = f'namespace="{world.namespace}",revision="{revision}"'
    found = world.prometheus(f"sum(evenkeel_model_requests_total{{{labels}}})")
    return float(found[0]["value"][1]) if found else 0.0


def ended(world: World) -> dict[str, Any]:
    """The last outcome, once the trial is over."""
    status = world.deployment("offers")
    history: list[dict[str, Any]] = status.get("history") or []
    return {} if status.get("canary") or not history else history[0]


def test_a_canary_is_promoted_beside_a_copy_that_is_asked_as_often(world: World) -> None:
    world.apply(
        deployment(
            "offers",
            GOOD,
            replicas=1,
            monitoring={},
            warmUp={"requests": 3, "body": json.dumps(RECORD)},
            rollout={"steps": [STEP], "scaleDownDelaySeconds": 5},
            analysis={**ERRORS, "minRequests": 20},
        )
    )
    world.ready("offers")
    stable = world.deployment("offers")["stable"]["revision"]
    world.load("offers-load", "offers", "offers", count=12_000, rate=30)
    world.patch("mdep", "offers", {"env": [{"name": "SECOND", "value": "1"}]})
    copy = world.until("there is a baseline", lambda: beside(world))
    world.until("its pod is asked", lambda: answered(world, copy) > 20)
    image = "{.spec.template.spec.containers[*].image}"
    images = [
        world.kubectl("get", "deployment", name, "-o", f"jsonpath={image}")
        for name in (stable, copy)
    ]
    assert images[0] == images[1]
    outcome = world.until("its end", lambda: ended(world), 300)
    assert (outcome["outcome"], outcome["reason"]) == ("Promoted", "AllIndicatorsPass")
    world.until("the copy is gone", lambda: not world.objects("deployments", _of(copy)))
    assert set(world.codes("offers-load")) == {"200"}
    world.stop("offers-load")
    world.kubectl("delete", "mdep", "offers", "--wait=false")


def _of(revision: str) -> str:
    return f"evenkeel.dev/revision={revision}"
