"""Steps without a weight: copies, matching requests, a preview."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from evenkeel.controllers.modeldeployment.wanted_looks import canary_share
from evenkeel.rollout.division import division
from evenkeel.rollout.state import present
from evenkeel.serving.observed import Pods
from evenkeel.verdict.shares import UNDIVIDED, is_unknown, unknown

from tests.support.rollout_world import World

A, B = ({"uri": f"s3://m/{m}", "format": {"name": "sklearn"}} for m in "ab")
MATCH = [{"headers": [{"name": "X-Beta", "value": "yes"}]}]


def on_trial(step: dict[str, Any], **spec: Any) -> World:
    w = World(
        {
            "model": A,
            "replicas": 4,
            "rollout": {
                "steps": [
                    {**step, "analysis": False, "pauseSeconds": 60},
                    {"weight": 50, "analysis": False, "pauseSeconds": 60},
                ]
            },
            **spec,
        }
    )
    for _ in range(2):
        w.settle()
        w.pods_ready()
    w.edit(model=B)
    for _ in range(4):
        w.settle()
        w.pods_ready()
    return w


@pytest.mark.parametrize(
    ("step", "pods", "told"),
    [
        ({"mirror": {"percent": 20}}, 1, "with copies of 20 % of the requests"),
        ({"match": MATCH}, 4, "with the requests that match"),
        ({"preview": {}}, 4, "in preview"),
    ],
)
def test_no_request_of_all_and_pods_for_what_it_gets(
    step: dict[str, Any], pods: int, told: str
) -> None:
    w = on_trial(step)
    canary = w.md.status.canary
    assert canary is not None
    assert (canary.stage, canary.weight, canary.traffic_weight) == ("Stepping", 0, 0)
    assert w.pods[canary.revision].replicas == pods
    assert told in canary.message


def test_the_division_tells_what_the_step_exposes() -> None:
    ready = Pods(wanted=4, ready=4)
    seen = []
    for step in ({"mirror": {"percent": 20}}, {"match": MATCH}, {"preview": {}}, {"weight": 25}):
        w = on_trial(step)
        state = present(w.md.status)
        assert state.stable is not None
        assert state.canary is not None
        both = {state.stable.revision: ready, state.canary.revision: ready}
        found = division(state, w.md.spec.rollout, both, 4)
        assert found is not None
        seen.append((found.weight, found.mirror, len(found.matches), found.preview))
    assert seen == [(0, 20, 0, False), (0, 0, 1, False), (0, 0, 0, True), (25, 0, 0, False)]


def test_the_next_step_has_its_weight() -> None:
    w = on_trial({"mirror": {"percent": 20}})
    w.pass_time(61)
    for _ in range(4):
        w.settle()
        w.pods_ready()
    canary = w.md.status.canary
    assert canary is not None
    assert (canary.exposure, canary.mirror, canary.weight) == ("Weight", 0, 50)


GATEWAY = {"gateway": {"parentRefs": [{"name": "gw"}]}}


@pytest.mark.parametrize("step", [{"match": MATCH}, {"preview": {}}])
def test_a_share_that_nobody_knows_is_none_until_there_is_a_pod(step: dict[str, Any]) -> None:
    w = on_trial(step, traffic=GATEWAY)
    assert is_unknown(canary_share(w.md, w.md.status))
    w.pods_ready(w.md.status.canary.revision if w.md.status.canary else None, ready=False)
    w.settle()
    assert canary_share(w.md, w.md.status) == 0.0


def test_the_next_steps_share_is_known_again() -> None:
    w = on_trial({"match": MATCH}, traffic=GATEWAY)
    w.pass_time(61)
    for _ in range(4):
        w.settle()
        w.pods_ready()
    assert canary_share(w.md, w.md.status) == 0.5
    assert w.md.status.canary is not None
    assert w.md.status.canary.traffic_weight == 50


def test_an_unknown_share_is_compared_as_it_was_counted_but_where_it_ends() -> None:
    share = unknown(0)
    shares = UNDIVIDED.divided(0.0, 0, 0).divided(share, 100, 100).divided(share, 900, 100)
    assert shares.between(110, 900) is None
    ended = shares.divided(0.1, 905, 905).between(890, 920)
    assert ended is not None
    assert ended.least > 0
    assert not ended.steady


@pytest.mark.parametrize("after", [0.5, 0.49, unknown(1)])
def test_what_follows_an_unknown_share_is_another_one_whatever_it_is(after: float) -> None:
    """Half of the requests, or whoever matches at the next step."""
    shares = UNDIVIDED.divided(0.0, 0, 0).divided(unknown(0), 100, 100)
    ended = shares.divided(after, 905, 905).between(890, 920)
    assert ended is not None
    assert ended.least > 0
    assert not ended.steady


def test_each_step_without_weight_has_a_share_of_its_own() -> None:
    w = on_trial({"match": MATCH}, traffic=GATEWAY)
    w.spec["rollout"]["steps"].insert(1, {"preview": {}, "analysis": False})
    first = canary_share(w.md, w.md.status)
    w.pass_time(61)
    while w.md.status.canary is not None and w.md.status.canary.step == 0:
        w.reconcile()
    assert canary_share(w.md, w.md.status) != first


STEPS: list[dict[str, Any]] = [
    {"preview": {}},
    {"match": MATCH},
    {"mirror": {"percent": 20}},
    {"weight": 25},
]


@pytest.mark.parametrize(("before", "after"), list(permutations(STEPS, 2)))
def test_a_step_that_is_about_other_requests_by_an_edit_begins_with_these(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    w = on_trial(before, traffic=GATEWAY, monitoring={})
    w.pass_time(50)
    w.settle()
    w.edit_rollout(paused=True, steps=[{**after, "analysis": False, "pauseSeconds": 60}])
    w.settle()
    w.edit_rollout(paused=None)
    for _ in range(4):
        w.settle()
        w.pods_ready()
    canary = w.md.status.canary
    assert canary is not None
    step = w.md.spec.rollout.steps[0]
    assert canary.step == 0
    assert (canary.exposure, canary.weight) == (step.exposure, step.weight or 0)
    assert canary.mirror == (0 if step.mirror is None else 20)
    w.pass_time(50)
    w.settle()
    assert w.md.status.canary is not None, "it has its whole pause"
    w.pass_time(20)
    for _ in range(4):
        w.settle()
        w.pods_ready()
    assert w.md.status.history[0].outcome == "Promoted"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"mirror": {"percent": 20}}, "with copies of 20 % of the requests: "),
        ({"match": MATCH}, "with the requests that match: "),
        ({"preview": {}}, "in preview: "),
        ({"weight": 25}, "at 25 %: "),
    ],
)
def test_conditions_and_events_tell_which_requests_it_gets(step: dict[str, Any], told: str) -> None:
    w = on_trial(step, traffic=GATEWAY)
    found = {c.type: c.message for c in w.md.status.conditions}
    assert f", Stepping {told}" in found["Ready"]
    assert f" {told}" in found["RolloutHealthy"]
    events = [e.message for p in w.plans for e in p.events if e.reason == "CanaryStepping"]
    assert events == [f"{told}the canary is ready"]


@pytest.mark.parametrize("step", [{"preview": {}}, {"mirror": {"percent": 100}}])
def test_an_autoscaled_canary_leaves_a_step_of_all_its_pods_for_its_share(
    step: dict[str, Any],
) -> None:
    scaling = {"minReplicas": 4, "maxReplicas": 8}
    w = on_trial(step, autoscaling=scaling, monitoring={})
    canary = w.md.status.canary
    assert canary is not None
    assert w.pods[canary.revision].replicas == 4
    w.pass_time(60)
    w.settle()
    canary = w.md.status.canary
    assert canary is not None
    assert canary.weight == 50
    assert w.pods[canary.revision].replicas == 2
    assert (canary.full_replicas, canary.shrinks) == (4, False), "what is left is no growth"
    w.pods[canary.revision].replicas = w.pods[canary.revision].ready = 3
    w.settle()
    canary = w.md.status.canary
    assert canary is not None
    assert w.pods[canary.revision].replicas == 3, "its autoscaler has given it more"
    assert canary.full_replicas == 5


def test_an_autoscaled_canary_begins_again_with_the_pods_of_its_first_step() -> None:
    w = on_trial({"weight": 25}, autoscaling={"minReplicas": 4, "maxReplicas": 12})
    w.pass_time(60)
    w.settle()
    w.pods_ready()
    w.settle()
    canary = w.md.status.canary
    assert canary is not None
    assert (canary.weight, w.pods[canary.revision].replicas) == (50, 2)
    w.edit_rollout(restart={"revision": canary.revision, "number": 1})
    w.settle()
    canary = w.md.status.canary
    assert canary is not None
    assert (canary.restarts, canary.weight, w.pods[canary.revision].replicas) == (1, 25, 1)
    assert (canary.full_replicas, canary.shrinks) == (4, False)
