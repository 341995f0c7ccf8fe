"""Blue-green: a preview at full size, a switch at once, and a way back that needs no new pod."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.rollout_lives import model
from tests.support.rollout_world import INDICATORS, World, run

JSON = dict[str, Any]
A, B = "s3://m/a", "s3://m/b"


def world(step: JSON | None = None, **rollout: Any) -> World:
    """A world in which B is in its preview beside A, which has four pods."""
    steps = [step or {"preview": {}, "analysis": False, "pauseSeconds": 60}]
    spec = {
        "model": model(A),
        "replicas": 4,
        "rollout": {"steps": steps, "scaleDownDelaySeconds": 30, **rollout},
        "analysis": {"indicators": list(INDICATORS), "minRequests": 50},
    }
    made = World(spec, quality={A: 0.0, B: 0.0}, requests=400)
    for _ in range(2):
        made.settle()
        made.pods_ready()
    made.edit(model=model(B))
    return run(made, 10)


def selected(w: World, name: str = "fraud") -> str | None:
    service = w.others.get(("Service", name))
    return None if service is None else str(service["spec"]["selector"]["evenkeel.dev/revision"])


def test_the_preview_has_its_full_size_and_clients_stay_with_stable() -> None:
    w = world()
    canary, stable = w.status["canary"]["revision"], w.status["stable"]["revision"]
    assert {name: p.replicas for name, p in w.pods.items()} == {stable: 4, canary: 4}
    assert (selected(w), selected(w, "fraud-preview")) == (stable, canary)
    assert w.pods[canary].total == 0


def test_the_preview_is_there_before_the_first_pod_is_ready() -> None:
    w = world()
    w.edit(model=model("s3://m/c"))
    w.settle()
    assert w.status["canary"]["stage"] == "Starting"
    assert selected(w, "fraud-preview") == w.status["canary"]["revision"]


def test_the_switch_is_at_once_and_the_former_revision_keeps_its_pods_for_the_delay() -> None:
    w = world()
    canary, stable = w.status["canary"]["revision"], w.status["stable"]["revision"]
    seen = set()
    for _ in range(20):
        w.pass_time(5)
        w.settle()
        seen.add(selected(w))
        if selected(w) == canary:
            break
    assert seen == {stable, canary}, "the Service never leads to both"
    assert {name: p.replicas for name, p in w.pods.items()} == {stable: 4, canary: 4}
    assert selected(w, "fraud-preview") is None
    run(w, 40)
    assert {name: p.replicas for name, p in w.pods.items()} == {canary: 4}


def test_requests_to_the_preview_decide() -> None:
    w = world({"preview": {}, "pauseSeconds": 5})
    run(w, 60)
    assert w.status["canary"]["stage"] == "Stepping", "no request has come to the preview yet"
    canary = w.status["canary"]["revision"]
    for _ in range(30):
        w.pods[canary].total += 200
        run(w, 5)
    assert w.status["history"][0]["outcome"] == "Promoted"


def test_bad_answers_of_the_preview_reach_no_client_and_end_the_trial() -> None:
    w = world({"preview": {}, "pauseSeconds": 5})
    canary = w.status["canary"]["revision"]
    for _ in range(10):
        if w.status.get("canary") is None:
            break
        w.pods[canary].total += 100
        w.pods[canary].bad += 50
        run(w, 5)
    assert w.status["history"][0]["outcome"] == "RolledBack"
    assert selected(w) == w.status["stable"]["revision"]
    assert selected(w, "fraud-preview") is None


@pytest.mark.parametrize(("replicas", "kept"), [("100%", 4), ("30%", 2), ("1%", 1), (2, 2)])
def test_as_many_pods_of_the_former_revision_stay_as_the_probation_says(
    replicas: int | str, kept: int
) -> None:
    w = world(probation={"seconds": 3600, "replicas": replicas})
    run(w, 70)
    assert w.status["canary"]["stage"] == "Probation"
    assert w.pods[w.status["stable"]["revision"]].replicas == kept


def test_the_way_back_waits_for_no_pod_where_all_have_stayed() -> None:
    w = world(probation={"seconds": 3600, "replicas": "100%"})
    run(w, 70)
    stable = w.status["stable"]["revision"]
    assert selected(w) == w.status["canary"]["revision"]
    made = w.made
    w.edit(model=model(A))
    w.settle()
    assert selected(w) == stable
    assert w.status.get("canary") is None
    assert w.made == made
