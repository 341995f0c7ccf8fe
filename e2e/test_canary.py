"""Canaries on real traffic: promoted or rolled back from what Prometheus really scraped."""

from __future__ import annotations

import json
import time

import pytest

from e2e.support.world import RECORD, SKLEARN, World, deployment

GOOD = {"uri": "pvc://models/elec2/good", "format": SKLEARN}
BAD = {"uri": "pvc://models/elec2/bad", "format": SKLEARN}
ANALYSIS = {
    "minRequests": 20,
    "indicators": [
        {"name": "errors", "acceptable": "0.02"},
        {"name": "latency", "thresholdSeconds": "2.5", "acceptable": "0.05"},
    ],
}


def _gateway(world: World, name: str) -> dict[str, object]:
    gateways = world.stack.kubectl(
        "get",
        "gateways",
        "-A",
        "-o",
        "jsonpath={.items[0].metadata.namespace}/{.items[0].metadata.name}",
    )
    namespace, gateway = gateways.split("/")
    return {
        "gateway": {
            "parentRefs": [{"name": gateway, "namespace": namespace}],
            "hostnames": [f"{name}.example"],
            "revisionHeaders": True,
        }
    }


@pytest.mark.parametrize("through_gateway", [False, True], ids=["replicas", "gateway"])
def test_a_good_canary_is_promoted_without_reloading(world: World, through_gateway: bool) -> None:
    name = "good-gw" if through_gateway else "good-rp"
    traffic = _gateway(world, name) if through_gateway else {}
    steps = [{"weight": 20, "pauseSeconds": 2}, {"weight": 50, "pauseSeconds": 2}]
    world.apply(
        deployment(
            name,
            GOOD,
            traffic=traffic,
            rollout={"steps": steps, "warmUpSeconds": 2, "scaleDownDelaySeconds": 5},
            analysis=ANALYSIS,
        )
    )
    world.ready(name)
    first = world.deployment(name)["stable"]["revision"]
    target = "traefik.traefik" if through_gateway else name
    host = f"{name}.example" if through_gateway else ""
    world.load(f"{name}-load", target, name, count=12_000, rate=40, host=host)
    world.until("requests are answered", lambda: world.codes(f"{name}-load").get("200", 0) > 50)
    world.patch("mdep", name, {"env": [{"name": "REVISION", "value": "two"}]})
    canary = world.until("a canary has pods", lambda: _canary_pods(world, name))
    weights = []

    def promoted() -> bool:
        status = world.deployment(name)
        if through_gateway:
            weights.append(_route_weight(world, name, canary["revision"]))
        return status["stable"]["revision"] != first and not status.get("canary")

    world.until("the canary is promoted", promoted, 240)
    status = world.deployment(name)
    assert status["stable"]["revision"] == canary["revision"]
    outcome = status["history"][0]
    assert outcome["outcome"] == "Promoted"
    assert "canary" in outcome["message"], "the verdict tells its counts"
    # The very pods that were the canary serve now: nothing was loaded again.
    pods = {
        p["metadata"]["uid"]
        for p in world.objects("pods", f"evenkeel.dev/revision={canary['revision']}")
    }
    assert canary["pods"] <= pods
    if through_gateway:
        assert {20, 50} <= set(weights)
        assert [w for i, w in enumerate(weights) if i and w < weights[i - 1]] == []
    codes = world.stop(f"{name}-load")
    assert set(codes) == {"200"}, f"clients saw errors: {codes}"
    revision = str(canary["revision"])
    assert _answered(world, revision, target, name, host) == {
        "header": revision if through_gateway else None,
        # The model's own settings name their version, which goes before the runtime's.
        "model_version": "good",
    }
    world.until("the old revision is gone", lambda: not _deployment_exists(world, first), 60)
    world.kubectl("delete", "mdep", name, "--wait=false")


@pytest.mark.parametrize("through_gateway", [False, True], ids=["replicas", "gateway"])
def test_a_bad_canary_goes_back_and_is_not_tried_again(world: World, through_gateway: bool) -> None:
    name = "bad-gw" if through_gateway else "bad-rp"
    traffic = _gateway(world, name) if through_gateway else {}
    world.apply(
        deployment(
            name,
            GOOD,
            traffic=traffic,
            rollout={"steps": [{"weight": 20}]},
            analysis=ANALYSIS,
        )
    )
    world.ready(name)
    stable = world.deployment(name)["stable"]["revision"]
    target = "traefik.traefik" if through_gateway else name
    host = f"{name}.example" if through_gateway else ""
    world.load(f"{name}-load", target, name, count=12_000, rate=40, host=host)
    world.until("requests are answered", lambda: world.codes(f"{name}-load").get("200", 0) > 100)
    world.patch("mdep", name, {"model": BAD})
    seen: dict[str, float] = {}

    def back() -> bool:
        status = world.deployment(name)
        canary = status.get("canary")
        if canary and canary["stage"] == "Stepping":
            seen.setdefault("traffic", time.monotonic())
        return bool(status["history"]) and status["history"][0]["outcome"] == "RolledBack"

    world.until("the canary is rolled back", back, 240, every=0.2)
    taken = time.monotonic() - seen["traffic"]
    status = world.deployment(name)
    assert status["stable"]["revision"] == stable
    assert status["history"][0]["reason"] in ("WorseThanStable", "AboveMaxRatio")
    # About ten bad requests are the evidence: at 8 a second within two scrapes, then one look.
    print(f"{name}: traffic to rollback {taken:.1f} s")
    assert taken < 15
    if through_gateway:
        assert _route_weight(world, name, status["history"][0]["revision"]) == 0
    ready = world.condition("mdep", name, "Ready")
    assert ready["status"] == "False"
    assert ready["reason"] == "RolledBack"
    generation = world.get("mdep", name)["metadata"]["generation"]
    time.sleep(5)
    again = world.get("mdep", name)
    assert not again["status"].get("canary"), "a rolled back revision is not tried again"
    assert again["metadata"]["generation"] == generation, "spec is the user's"
    world.stop(f"{name}-load")
    world.kubectl("delete", "mdep", name, "--wait=false")


def _canary_pods(world: World, name: str) -> dict[str, object] | None:
    canary = world.deployment(name).get("canary")
    if not canary or canary["stage"] == "Starting":
        return None
    pods = world.objects("pods", f"evenkeel.dev/revision={canary['revision']}")
    uids = {p["metadata"]["uid"] for p in pods}
    return {"revision": canary["revision"], "pods": uids} if uids else None


def _route_weight(world: World, name: str, revision: object) -> int:
    backends = world.get("httproute", name)["spec"]["rules"][0]["backendRefs"]
    return next((int(b["weight"]) for b in backends if b["name"] == revision), 0)


ASK = """
import http.client, json, sys
target, host, path, body = sys.argv[1:]
connection = http.client.HTTPConnection(target, timeout=10)
connection.request("POST", path, body, {"Content-Type": "application/json", "Host": host})
answer = connection.getresponse()
told = {"header": answer.getheader("Evenkeel-Revision")}
print(json.dumps(told | {"model_version": json.load(answer)["model_version"]}))
"""


def _answered(world: World, revision: str, target: str, name: str, host: str) -> object:
    """What an answer tells of the revision that gave it, asked from one of the model's own pods."""
    pod = world.objects("pods", f"evenkeel.dev/revision={revision}")[0]["metadata"]["name"]
    arguments = [target, host or target, f"/v2/models/{name}/infer", json.dumps(RECORD)]
    ask = ("python3", "-c", ASK, *arguments)
    return json.loads(world.kubectl("exec", pod, "-c", "model", "--", *ask))


def _deployment_exists(world: World, revision: str) -> bool:
    return bool(world.objects("deployments", f"evenkeel.dev/revision={revision}"))
