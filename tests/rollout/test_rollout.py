"""Rollouts in a small world: what a person would try by hand, one test for each promise."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from evenkeel.api.servingruntime import ServingRuntimeSpec
from evenkeel.controllers.looks.wanted import Asked
from evenkeel.controllers.modeldeployment.plan import plan_deployment
from evenkeel.controllers.modeldeployment.wanted_looks import wanted_looks
from evenkeel.meta.objects import Ref
from evenkeel.serving.observed import Child, Pods
from evenkeel.serving.runtime_selection import Selected

from tests.support.rollout_world import INDICATORS, Crash, World, run
from tests.support.serving_examples import runtime_spec

JSON = dict[str, Any]
A, B, C = "s3://m/a", "s3://m/b", "s3://m/c"
TWO_STEPS = [{"weight": 20, "deadlineSeconds": 300}, {"weight": 50, "deadlineSeconds": 300}]


def model(uri: str) -> JSON:
    return {"uri": uri, "format": {"name": "sklearn"}}


def world(
    steps: list[JSON] | None = None, runtime: ServingRuntimeSpec | None = None, **fields: Any
) -> World:
    """A world in which A serves with four pods."""
    spec = {
        "model": model(A),
        "replicas": 4,
        "rollout": {"steps": TWO_STEPS if steps is None else steps, "scaleDownDelaySeconds": 30},
        "analysis": {"indicators": list(INDICATORS), "minRequests": 50},
        **fields,
    }
    spec = {name: value for name, value in spec.items() if value is not None}
    made = World(spec, quality={A: 0.0, B: 0.0, C: 0.5}, requests=400)
    made.runtime = runtime or made.runtime
    made.settle()
    made.pods_ready()
    made.settle()
    assert stable(made) == A
    return made


def stable(w: World) -> str:
    return str(w.status["stable"]["uri"])


def canary(w: World) -> JSON | None:
    found: JSON | None = w.status.get("canary")
    return found


def condition(w: World, type_: str) -> JSON:
    return next(c for c in w.status["conditions"] if c["type"] == type_)


def started(w: World, uri: str) -> World:
    """A canary at its first step."""
    w.edit(model=model(uri))
    w.settle()
    w.pods_ready()
    w.settle()
    assert canary(w) is not None
    return w


def outcome(w: World) -> str:
    return str(w.status["history"][0]["outcome"])


def test_first_revision_serves_at_once() -> None:
    w = world()
    assert condition(w, "Ready")["status"] == "True"
    assert canary(w) is None
    assert [p.replicas for p in w.pods.values()] == [4]


@pytest.mark.parametrize("autoscaling", [None, {"minReplicas": 2, "maxReplicas": 5}])
def test_the_report_of_a_deployment_just_made_changes_nothing(autoscaling: JSON | None) -> None:
    """It may come before the answer to the write, and would cost a status each."""
    made = World({"model": model(A), "replicas": 3, "autoscaling": autoscaling})
    first = plan_deployment(made.snapshot())
    (deployment,) = (m for m in first.applies if m["kind"] == "Deployment")
    number = deployment["spec"].get("replicas", 2)
    made.status = first.status.wire()
    name = deployment["metadata"]["name"]
    child = Child(Ref("apps/v1", "Deployment", "shop", name), name, Pods(wanted=number))
    second = plan_deployment(replace(made.snapshot(), children=(child,)))
    assert second.status == first.status
    assert f"0 of {number} pods" in condition(made, "Available")["message"]


def test_good_canary_is_promoted_and_the_old_pods_go_after_the_delay() -> None:
    w = started(world(), B)
    old = w.status["stable"]["revision"]
    found = canary(w)
    assert found is not None
    assert found["weight"] == 20
    assert w.pods[found["revision"]].replicas == 1
    run(w, 40)
    assert stable(w) == B
    assert outcome(w) == "Promoted"
    assert old in w.pods, "kept during the delay"
    run(w, 40)
    assert list(w.pods) == [w.status["stable"]["revision"]]
    assert condition(w, "Ready")["status"] == "True"


def test_bad_canary_goes_back_and_is_not_tried_again() -> None:
    w = run(started(world(), C), 30)
    assert stable(w) == A
    assert outcome(w) == "RolledBack"
    assert len(w.pods) == 1
    assert condition(w, "Ready")["reason"] == "RolledBack"
    run(w, 300)
    assert canary(w) is None


def test_promote_by_hand_tries_a_rolled_back_revision_again() -> None:
    w = run(started(world(), C), 30)
    w.edit_rollout(promote=w.wanted())
    run(w, 20)
    assert stable(w) == C
    assert w.status["history"][0]["reason"] == "PromotedByHand"


def test_abort_by_hand() -> None:
    w = started(world(), B)
    w.edit_rollout(abort=w.wanted())
    w.settle()
    assert stable(w) == A
    assert w.status["history"][0]["reason"] == "Aborted"


def test_pause_holds_a_good_canary_and_not_a_bad_ones_return() -> None:
    w = started(world(), B)
    w.edit_rollout(paused=True)
    run(w, 600)
    found = canary(w)
    assert found is not None
    assert found["weight"] == 20
    assert found["reason"] == "Paused"
    w.edit(model=model(C))
    w.settle()
    run(w, 30)
    assert outcome(w) == "RolledBack"


def test_revert_during_the_canary_supersedes_it() -> None:
    w = started(world(), B)
    w.edit(model=model(A))
    w.settle()
    assert outcome(w) == "Superseded"
    assert len(w.pods) == 1
    started(w, B)


def test_rolled_back_revision_stays_so_when_its_second_trial_is_superseded() -> None:
    w = run(started(world(), C), 30)
    w.edit_rollout(promote=w.wanted())
    w.settle()
    assert canary(w) is not None, "the pods of the second trial are not ready yet"
    w.edit(model=model(A))
    w.edit_rollout(promote=None)
    w.settle()
    w.edit(model=model(C))
    run(w, 10)
    assert canary(w) is None, "nobody has asked for a third trial"


@pytest.mark.parametrize("answers", ["down", "empty", "half"])
@pytest.mark.parametrize("undecided", ["Hold", "Promote", "Rollback"])
@pytest.mark.parametrize("least", [50, 10**9])
def test_without_data_nothing_is_promoted(answers: Any, undecided: str, least: int) -> None:
    """Half: one of two indicators has data, be it enough for its verdict or not."""
    w = world()
    w.edit(analysis={**w.spec["analysis"], "onUndecided": undecided, "minRequests": least})
    w.answers = answers
    started(w, B)
    run(w, 900, 30)
    assert stable(w) == A
    assert (canary(w) is None) == (undecided == "Rollback")


def test_a_canary_whose_counters_vanish_passes_no_step() -> None:
    w = started(world([{"weight": 10, "pauseSeconds": 30, "deadlineSeconds": 60}]), B)
    for _ in range(5):
        w.pass_time(5)
        w.settle()
    assert {i["value"] for i in w.status["canary"]["indicators"]} == {"Pass"}
    w.answers = "empty"
    w.pass_time(10)
    w.settle()
    assert stable(w) == A
    assert (w.status["canary"]["stage"], w.status["canary"]["reason"]) == ("Stepping", "NoData")
    w.answers = "ok"
    for _ in range(3):
        w.pass_time(5)
        w.pods_ready()
        w.settle()
    assert stable(w) == B


def test_data_that_comes_back_is_judged() -> None:
    w = world()
    w.answers = "down"
    run(started(w, C), 200)
    assert canary(w) is not None
    w.answers = "ok"
    run(w, 30)
    assert outcome(w) == "RolledBack"


def test_undecided_promotes_step_by_step_if_asked_to() -> None:
    w = world()
    w.edit(analysis={**w.spec["analysis"], "onUndecided": "Promote", "minRequests": 10**9})
    started(w, B)
    run(w, 290, 10)
    found = canary(w)
    assert found is not None
    assert found["weight"] == 20
    run(w, 20, 10)
    found = canary(w)
    assert found is not None
    assert found["weight"] == 50
    run(w, 310, 10)
    assert stable(w) == B


def test_canary_that_never_gets_ready_goes_back_at_the_deadline() -> None:
    w = world()
    w.edit_rollout(progressDeadlineSeconds=60)
    w.edit(model=model(B))
    w.settle()
    w.pass_time(59)
    w.settle()
    assert canary(w) is not None
    w.pass_time(2)
    w.settle()
    assert w.status["history"][0]["reason"] == "ProgressDeadlineExceeded"


def loads_slowly(seconds: int) -> JSON:
    """A pod template whose startup probe has that patience."""
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 10, "failureThreshold": seconds // 10}
    return {"spec": {"containers": [{"name": "server", "startupProbe": probe}]}}


def test_the_default_deadline_waits_for_what_loads_slowly() -> None:
    w = world()
    w.edit(model=model(B), podTemplate=loads_slowly(1800))
    w.settle()
    assert condition(w, "ModelResolved")["reason"] == "Resolved"
    w.pass_time(1800)
    w.settle()
    w.pods_ready()
    w.settle()
    found = canary(w)
    assert found is not None
    assert found["stage"] == "Stepping"


def test_the_default_deadline_ends_some_time() -> None:
    w = world()
    w.edit(model=model(B), podTemplate=loads_slowly(1800))
    w.settle()
    w.pass_time(1800 + 300 + 60)
    w.settle()
    assert w.status["history"][0]["reason"] == "ProgressDeadlineExceeded"


def test_a_deadline_before_the_probes_is_kept_and_told() -> None:
    w = world()
    w.edit_rollout(progressDeadlineSeconds=60)
    w.edit(model=model(B), podTemplate=loads_slowly(1800))
    w.settle()
    resolved = condition(w, "ModelResolved")
    assert (resolved["status"], resolved["reason"]) == ("True", "DeadlineBeforeStartUp")
    w.pass_time(61)
    w.settle()
    assert w.status["history"][0]["reason"] == "ProgressDeadlineExceeded"


def test_the_route_tells_answers_whose_they_are() -> None:
    gateway = {"parentRefs": [{"name": "public"}], "revisionHeaders": True}
    w = started(world(traffic={"gateway": gateway}), B)
    (rule,) = w.others["HTTPRoute", "fraud"]["spec"]["rules"]
    told = [
        (b["name"], b["filters"][0]["responseHeaderModifier"]["set"]) for b in rule["backendRefs"]
    ]
    assert len(told) == 2
    assert all(headers == [{"name": "Evenkeel-Revision", "value": r}] for r, headers in told)


def test_a_long_pause_is_no_deadline() -> None:
    """A step whose pause is longer than the default deadline is not settled in it."""
    w = started(world([{"weight": 20, "pauseSeconds": 7200}]), B)
    w.answers = "empty"
    run(w, 7000, 100)
    assert canary(w) is not None
    run(w, 3900, 100)
    assert w.status["history"][0]["reason"] == "Undecided"


def test_an_indicator_that_can_never_pass_is_told_before_a_rollout_begins() -> None:
    wrong = {"indicators": [{"name": "latency", "thresholdSeconds": "0.3"}]}
    first = World({"model": model(A), "analysis": wrong})
    first.settle()
    assert condition(first, "Ready")["reason"] == "UnknownIndicator"
    assert not first.pods

    w = world()
    right = w.spec["analysis"]
    w.edit(model=model(B), analysis=wrong)
    run(w, 60)
    assert (stable(w), canary(w), len(w.pods)) == (A, None, 1)
    ready = condition(w, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "UnknownIndicator")
    assert condition(w, "Available")["status"] == "True"
    w.edit(analysis=right)
    run(w, 60)
    assert stable(w) == B


def test_unready_canary_gets_no_requests_and_its_deadline_starts_then() -> None:
    w = world()
    w.edit_rollout(progressDeadlineSeconds=60, paused=True)
    started(w, B)
    run(w, 300, 30)
    revision = w.wanted()
    w.pods_ready(revision, ready=False)
    w.settle()
    service = w.others["Service", "fraud"]["spec"]["selector"]
    assert service["evenkeel.dev/revision"] == w.status["stable"]["revision"]
    w.pass_time(59)
    w.settle()
    assert canary(w) is not None
    w.pass_time(2)
    w.settle()
    assert w.status["history"][0]["reason"] == "CanaryUnavailable"


def test_deployment_deleted_by_hand_is_made_again() -> None:
    """At a step for longer than the progress deadline, which counts from the loss."""
    w = world()
    w.edit_rollout(progressDeadlineSeconds=60, paused=True)
    started(w, B)
    run(w, 300, 30)
    revision = w.wanted()
    del w.pods[revision]
    w.settle()
    assert canary(w) is not None
    assert w.pods[revision].replicas == 1


def test_stable_deployment_deleted_while_another_revision_is_wanted_is_made_again() -> None:
    w = run(started(world(), C), 30)
    assert outcome(w) == "RolledBack"
    w.pods.clear()
    w.settle()
    assert [p.replicas for p in w.pods.values()] == [4]
    assert w.status["stable"]["revision"] in w.pods


@pytest.mark.parametrize("steps", [[], [{"weight": 60}]])
def test_steps_taken_away_are_not_passed(steps: list[JSON]) -> None:
    """A canary beyond the last step left has still to pass that one; without steps it is free."""
    first = [{"weight": 10, "analysis": False}, {"weight": 50}]
    w = world(first)
    w.answers = "down"
    run(started(w, C), 60)
    found = canary(w)
    assert found is not None
    assert found["step"] == 1
    w.edit_rollout(steps=steps)
    run(w, 60)
    assert (stable(w) == C) == (not steps)


@pytest.mark.parametrize(("wish", "taken"), [(None, False), ("Promote", True)])
def test_stable_gone_for_long_lets_a_canary_take_over_if_asked_to(
    wish: str | None, taken: bool
) -> None:
    w = world()
    w.answers = "down"
    w.edit_rollout(onStableUnavailable=wish, progressDeadlineSeconds=100)
    started(w, B)
    w.pods_ready(w.status["stable"]["revision"], ready=False)
    w.settle()
    w.pass_time(2)
    w.settle()
    assert canary(w) is not None, "a blip changes nothing"
    w.pass_time(101)
    w.settle()
    w.pods_ready(w.wanted())
    w.settle()
    assert (stable(w) == B) == taken
    if taken:
        assert w.status["history"][0]["reason"] == "StableUnavailable"


def test_message_tells_of_the_wanted_revisions_own_rollback() -> None:
    w = run(started(world(), C), 30)
    run(started(w, B), 60)
    assert stable(w) == B
    w.edit(model=model(C))
    w.settle()
    assert condition(w, "Ready")["reason"] == "RolledBack"
    assert w.wanted() in condition(w, "Ready")["message"]


def test_refused_spec_leaves_what_runs() -> None:
    w = started(world(), B)
    w.refused = True
    run(w, 60)
    assert condition(w, "ModelResolved")["status"] == "False"
    assert len(w.pods) >= 1
    w.refused = False
    run(w, 60)
    assert stable(w) == B


def test_deployment_that_is_being_deleted_makes_no_children() -> None:
    """Foreground deletion waits for the children to go; making them again would never end."""
    w = world()
    w.deleting = True
    w.pods.clear()
    w.others.clear()
    plan = w.settle()
    assert not w.pods
    assert not w.others
    assert plan.requeue_after is None


@pytest.mark.parametrize("crash_after", range(5))
def test_crash_between_any_two_writes_of_a_promotion_is_made_good(crash_after: int) -> None:
    expected = run(started(world(), B), 120)
    w = started(world(), B)
    for _ in range(24):
        w.pass_time(5)
        w.pods_ready()
        with contextlib.suppress(Crash):
            w.reconcile(crash_after)
        w.settle()
    assert [sorted(p for p in w.pods), stable(w)] == [sorted(expected.pods), stable(expected)]
    assert [o["outcome"] for o in w.status["history"]] == ["Promoted"]


def test_quiet_world_asks_for_nothing() -> None:
    w = run(started(world(), B), 120)
    plan = w.settle()
    assert plan.requeue_after is None
    before = [w.status, w.state()]
    w.now = w.now.replace(year=2027)
    w.settle()
    assert [w.status, w.state()] == before


def serving(image: str, metric: str) -> ServingRuntimeSpec:
    query = {"name": "errors", "total": metric, "good": f"{metric}_good"}
    container = {"name": "m", "image": image, "ports": [{"name": "http", "containerPort": 80}]}
    return runtime_spec(containers=[container], metrics={"indicators": [query]})


def asked(w: World) -> dict[str, str]:
    """The metric that each side is asked for."""
    wanted = wanted_looks(w.md, Selected("ClusterServingRuntime", "sk", w.runtime), frozenset())
    assert wanted is not None
    found = wanted.asked["errors"]
    assert isinstance(found, Asked)
    assert found.stable is not None
    return {"canary": found.canary.total, "stable": found.stable.total}


def test_each_side_is_asked_for_what_its_own_runtime_counts() -> None:
    w = world(analysis={"indicators": [{"name": "errors"}]}, runtime=serving("mlserver", "old"))
    w.runtime = serving("triton", "new")
    w.edit(model=model(B))
    w.settle()
    assert asked(w) == {"canary": "new", "stable": "old"}
    w.edit(rollout={"steps": TWO_STEPS, "promote": w.wanted()})
    w.settle()
    w.pods_ready()
    w.settle()
    assert stable(w) == B
    assert w.status["stable"]["metrics"]["indicators"][0]["total"] == "new"


def test_a_model_that_gets_the_meter_is_compared_by_what_both_sides_have() -> None:
    w = world(analysis={"indicators": [{"name": "errors"}]}, runtime=serving("mlserver", "own"))
    w.edit(monitoring={})
    w.settle()
    assert asked(w) == {"canary": "own", "stable": "own"}
    assert w.status["canary"]["meter"] is True
    assert "meter" not in w.status["stable"]
    w.edit(rollout={"steps": TWO_STEPS, "promote": w.wanted()})
    w.settle()
    w.pods_ready()
    w.settle()
    assert w.status["stable"]["meter"] is True
    w.edit(model=model(B))
    w.settle()
    assert all("evenkeel_model_requests_total" in total for total in asked(w).values())


def test_a_model_that_loses_the_meter_is_compared_by_its_runtime() -> None:
    w = world(
        analysis={"indicators": [{"name": "errors"}]},
        runtime=serving("mlserver", "own"),
        monitoring={},
    )
    assert w.status["stable"]["meter"] is True
    w.edit(monitoring=None)
    w.settle()
    assert asked(w) == {"canary": "own", "stable": "own"}


def test_an_indicator_that_the_runtime_lacks_waits_for_a_stable_revision_with_the_meter() -> None:
    w = world()
    latency = {"name": "latency", "thresholdSeconds": "1"}
    w.edit(monitoring={}, analysis={"indicators": [latency]})
    w.settle()
    assert "canary" not in w.status
    (ready,) = [c for c in w.status["conditions"] if c["type"] == "Ready"]
    assert ready["reason"] == "UnknownIndicator"


def test_without_an_analysis_nothing_is_remembered() -> None:
    assert "metrics" not in world(analysis=None).status["stable"]
