"""Models with a meter: counted alike, judged by it, watched after the take-over."""

from __future__ import annotations

import json
from typing import Any

from e2e.support.pods import pod as _pod
from e2e.support.world import RECORD, SKLEARN, World, deployment

GOOD = {"uri": "pvc://models/elec2/good", "format": SKLEARN}
BAD = {"uri": "pvc://models/elec2/bad", "format": SKLEARN}
BLOCK = 300
MONITORING = {"spacingMilliseconds": 0, "detection": {"blockSeconds": BLOCK, "minRows": 20}}
ASK = """
import http.client, json, sys
c = http.client.HTTPConnection(sys.argv[1], timeout=10)
c.request("POST", sys.argv[2], sys.argv[3], {"Content-Type": "application/json"})
answer = c.getresponse()
print(json.dumps([answer.status, dict(answer.getheaders()), answer.read().decode()]))
"""


def metered(
    name: str, model: dict[str, Any], monitoring: dict[str, Any] = MONITORING, **spec: Any
) -> dict[str, Any]:
    warm = {"requests": 3, "body": json.dumps(RECORD)}
    return deployment(name, model, monitoring=monitoring, warmUp=warm, **spec)


def counted(world: World, query: str) -> float:
    return sum(float(one["value"][1]) for one in world.prometheus(query))


def test_requests_and_what_they_say_are_counted_in_front_of_the_model_server(world: World) -> None:
    world.apply(metered("metered", GOOD))
    world.ready("metered")
    revision = world.deployment("metered")["stable"]["revision"]
    (pod,) = world.objects("pods", "evenkeel.dev/deployment=metered")
    assert [c["name"] for c in pod["spec"]["containers"]] == ["model", "meter"]
    world.load("metered-load", "metered", "metered", count=60, rate=30)
    world.until("60 answers", lambda: world.codes("metered-load").get("200", 0) >= 60)
    mine = f'namespace="{world.namespace}",pod="{pod["metadata"]["name"]}"'
    total = f"evenkeel_model_requests_total{{{mine}}}"
    world.until("Prometheus has the meter's counts", lambda: counted(world, total) >= 60)
    # The warm-up's requests are not among them.
    assert counted(world, total) == 60
    rows = f'evenkeel_model_values_total{{{mine},kind="feature",name="nswprice"}}'
    assert world.until("the rows of a feature", lambda: counted(world, rows)) == 60
    said = f'evenkeel_model_values_total{{{mine},kind="prediction"}}'
    assert counted(world, said) == 60
    # The model server's own metrics come by the meter.
    assert counted(world, f"model_infer_request_success_total{{{mine}}}") >= 60
    command = ["exec", "metered-ask", "--", "python3", "-c", ASK, "metered"]
    world.apply(_desk())
    world.kubectl("wait", "--for=condition=Ready", "pod/metered-ask", "--timeout=60s")
    path = "/v2/models/metered/infer"
    status, headers, _ = json.loads(world.kubectl(*command, path, json.dumps(RECORD)))
    assert (status, headers["Evenkeel-Revision"]) == (200, revision)
    status, _, words = json.loads(world.kubectl(*command, path, "no json"))
    assert 400 <= status < 500, words

    def in_use() -> bool:
        # Prometheus is asked once a minute, and was so before the pod was there.
        return world.condition("mdep", "metered", "Monitored").get("status") in ("True", "Unknown")

    world.until("the profile is in use", in_use)
    world.kubectl("delete", "mdep/metered", "pod/metered-load", "pod/metered-ask", "--wait=false")


def test_pods_without_a_profile_count_by_what_one_of_them_has_learned(world: World) -> None:
    profile = {"file": "none.json", "learn": {"rows": 100, "seconds": 1}}
    world.apply(metered("learning", GOOD, MONITORING | {"profile": profile}, replicas=2))
    world.ready("learning")
    world.load("learning-load", "learning", "learning", count=12_000, rate=20)
    mine = f'namespace="{world.namespace}",deployment="learning"'
    used = f'evenkeel_model_profile_info{{{mine},state="Used",source="learned"}}'

    def shared() -> bool:
        found = [one["metric"] for one in world.prometheus(used)]
        return len({m["pod"] for m in found}) == 2 and len({m["digest"] for m in found}) == 1

    # The kubelet brings a ConfigMap to running pods within a minute or two.
    world.until("both pods use one reference", shared, 300)
    rows = f'evenkeel_model_values_total{{{mine},kind="feature"}}'
    world.until("rows are counted against it", lambda: counted(world, rows) > 0, 60)

    def told() -> bool:
        return world.condition("mdep", "learning", "Monitored").get("reason") == "Counting"

    world.until("it is told", told, 180)
    assert "learned" in world.condition("mdep", "learning", "Monitored")["message"]
    world.stop("learning-load")
    world.kubectl("delete", "mdep", "learning", "--wait=false")


def test_a_revision_that_fails_after_it_took_over_goes_back(world: World) -> None:
    """Without steps nothing is judged before the take-over; the probation is what is left."""
    world.apply(
        metered(
            "watched",
            GOOD,
            replicas=1,
            rollout={"probation": {"seconds": 3600, "replicas": 1}},
            analysis={"indicators": [{"name": "errors", "maxRatio": "0.2"}]},
        )
    )
    world.ready("watched")
    first = world.deployment("watched")["stable"]["revision"]
    world.load("watched-load", "watched", "watched", count=12_000, rate=20)
    world.until("requests are answered", lambda: world.codes("watched-load").get("200", 0) > 50)
    world.patch("mdep", "watched", {"model": BAD, "warmUp": {"failurePolicy": "Ignore"}})

    def back() -> bool:
        status = world.deployment("watched")
        stages.add((status.get("canary") or {}).get("stage"))
        return bool(status["history"]) and not status.get("canary")

    stages: set[str | None] = set()
    world.until("it has gone back", back, 300)
    status = world.deployment("watched")
    last = status["history"][0]
    assert (last["outcome"], last["reason"]) == ("RolledBack", "AboveMaxRatio"), last
    assert {"Probation"} <= stages
    assert status["stable"]["revision"] == first
    before = world.codes("watched-load").get("200", 0)
    world.until(
        "the former revision answers",
        lambda: world.codes("watched-load").get("200", 0) > before + 50,
    )
    world.stop("watched-load")
    world.kubectl("delete", "mdep", "watched", "--wait=false")


def _desk() -> dict[str, Any]:
    container = {
        "image": "docker.io/evenkeel/demo:dev",
        "command": ["python3", "-c", "import time; time.sleep(600)"],
    }
    return _pod("metered-ask", container)
