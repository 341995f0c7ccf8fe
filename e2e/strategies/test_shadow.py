"""Copies of requests on a real node: what pods are told, what clients see, and what pairs say."""

from __future__ import annotations

import json
from typing import Any

from e2e.support.world import RECORD, SKLEARN, World, deployment

GOOD = {"uri": "pvc://models/elec2/good", "format": SKLEARN}
BAD = {"uri": "pvc://models/elec2/bad", "format": SKLEARN}
ANALYSIS = {
    "minRequests": 20,
    "indicators": [
        {"name": "disagreement", "source": "Pairs", "maxRatio": "0.1"},
        {"name": "paired-errors", "source": "Pairs", "acceptable": "0.05"},
    ],
}
DIVISION = "evenkeel.dev/division"


def shadowed(world: World, name: str) -> str:
    """A model that serves and is asked; its revision."""
    world.apply(
        deployment(
            name,
            GOOD,
            replicas=1,
            monitoring={},
            warmUp={"requests": 3, "body": json.dumps(RECORD)},
            rollout={"steps": [{"mirror": {"percent": 100}}], "scaleDownDelaySeconds": 5},
            analysis=ANALYSIS,
        )
    )
    world.ready(name)
    world.load(f"{name}-load", name, name, count=12_000, rate=30)
    world.until("requests are answered", lambda: world.codes(f"{name}-load").get("200", 0) > 50)
    return str(world.deployment(name)["stable"]["revision"])


def told(world: World, revision: str) -> list[dict[str, Any]]:
    """What the pods of a revision are told."""
    pods = world.objects("pods", f"evenkeel.dev/revision={revision}")
    found = [(p["metadata"].get("annotations") or {}).get(DIVISION, "{}") for p in pods]
    return [dict(json.loads(text)) for text in found]


def ended(world: World, name: str) -> dict[str, Any]:
    """The last outcome, once the trial is over."""
    status = world.deployment(name)
    history: list[dict[str, Any]] = status.get("history") or []
    return {} if status.get("canary") or not history else history[0]


def test_a_canary_is_promoted_by_pairs_of_answers(world: World) -> None:
    first = shadowed(world, "shadow")
    pods = world.objects("pods", f"evenkeel.dev/revision={first}")
    world.patch("mdep", "shadow", {"env": [{"name": "SECOND", "value": "1"}]})
    world.until("stable's pod is told", lambda: told(world, first)[0].get("mirror"))
    pairs = f'evenkeel_model_shadow_pairs_total{{namespace="{world.namespace}"}}'
    world.until(
        "pairs are counted", lambda: any(float(p["value"][1]) for p in world.prometheus(pairs))
    )
    assert world.deployment("shadow")["canary"]["trafficWeight"] == 0
    outcome = world.until("its end", lambda: ended(world, "shadow"), 300)
    assert (outcome["outcome"], outcome["reason"]) == ("Promoted", "AllIndicatorsPass")
    assert pods[0]["status"]["containerStatuses"][0]["restartCount"] == 0
    assert set(world.codes("shadow-load")) == {"200"}
    world.stop("shadow-load")


def test_no_client_sees_a_canary_that_fails_on_copies(world: World) -> None:
    first = shadowed(world, "failing")
    world.patch("mdep", "failing", {"model": BAD, "warmUp": {"failurePolicy": "Ignore"}})
    outcome = world.until("its end", lambda: ended(world, "failing"), 300)
    assert (outcome["outcome"], outcome["reason"]) == ("RolledBack", "WorseThanStable")
    assert "bad on the canary alone" in outcome["message"]
    assert set(world.codes("failing-load")) == {"200"}
    world.until("nothing is told any more", lambda: told(world, first) == [{}])
    world.stop("failing-load")
