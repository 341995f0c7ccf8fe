"""Blue-green on the node: no request is lost when all clients are switched, nor on the way back."""

from __future__ import annotations

import pytest

from e2e.support.burst import Burst
from e2e.support.gateway import TRAEFIK, gateway
from e2e.support.world import SKLEARN, World, deployment

GOOD = {"uri": "pvc://models/elec2/good", "format": SKLEARN}
RATE = 100.0
ANALYSIS = {"minRequests": 20, "indicators": [{"name": "errors", "acceptable": "0.02"}]}
ROLLOUT = {
    "steps": [{"preview": {}, "pauseSeconds": 2}],
    "probation": {"seconds": 3600, "replicas": "100%"},
    "scaleDownDelaySeconds": 30,
}


@pytest.mark.parametrize(
    ("through_gateway", "requests"),
    [
        pytest.param(False, 2_000, id="few"),
        pytest.param(False, 10_000, id="services", marks=pytest.mark.heavy),
        pytest.param(True, 10_000, id="gateway", marks=pytest.mark.heavy),
    ],
)
def test_no_request_is_lost(world: World, through_gateway: bool, requests: int) -> None:
    name = "green-gw" if through_gateway else "green"
    host = f"{name}.example" if through_gateway else ""
    world.apply(
        deployment(
            name,
            GOOD,
            replicas=2,
            monitoring={},
            traffic=gateway(world, name) if through_gateway else {},
            rollout=ROLLOUT,
            analysis=ANALYSIS,
        )
    )
    world.ready(name)
    blue = world.deployment(name)["stable"]["revision"]
    target = TRAEFIK if through_gateway else name

    def served() -> str:
        if through_gateway:
            rules = world.get("httproute", name)["spec"]["rules"]
            return ",".join(b["name"] for b in rules[0]["backendRefs"])
        return str(world.get("service", name)["spec"]["selector"].get("evenkeel.dev/revision"))

    change = {"env": [{"name": "REVISION", "value": "two"}]}
    world.patch("mdep", name, {**change, "rollout": {"paused": True}})
    green = world.until("green is in its preview", lambda: _in_preview(world, name))
    # Clients of the preview let the verdict pass; clients of the model meet blue alone.
    world.load(f"{name}-try", f"{name}-preview", name, count=12_000, rate=20)
    switch = Burst(world, f"{name}-on", target, name, count=requests, rate=RATE, host=host)
    world.until("requests are answered", lambda: switch.has_sent(requests // 10))
    assert served() == blue
    world.patch("mdep", name, {"rollout": {"paused": None}})
    world.until("all are switched", lambda: served() == green, every=0.1)
    assert not switch.has_sent(requests), "the switch came among the requests"
    switch.ended()
    tried = world.stop(f"{name}-try")
    # The preview ends with the trial, and its name with it; its address leads astray then.
    assert tried["200"] > 0, tried
    assert not {code for code in tried if code.startswith("5")}, tried
    assert world.deployment(name)["canary"]["stage"] == "Probation"
    assert len(world.objects("pods", f"evenkeel.dev/revision={blue}")) == 2, "blue has stayed"

    back = Burst(world, f"{name}-back", target, name, count=requests, rate=RATE, host=host)
    world.until("requests are answered", lambda: back.has_sent(requests // 10))
    world.patch("mdep", name, {"env": None})
    world.until("all are back", lambda: served() == blue, every=0.1)
    assert not back.has_sent(requests), "the way back came among the requests"
    back.ended()
    assert world.deployment(name)["stable"]["revision"] == blue
    gone = f"evenkeel.dev/revision={green}"
    world.until("green's pods have ended", lambda: not world.objects("pods", gone), 90)


def _in_preview(world: World, name: str) -> str | None:
    canary = world.deployment(name).get("canary")
    if not canary or canary["stage"] != "Stepping":
        return None
    return str(canary["revision"])
