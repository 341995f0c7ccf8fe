"""Steps in which a fresh copy of stable is what the canary is compared with."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from evenkeel.controllers.modeldeployment.wanted_looks import canary_share, wanted_looks
from evenkeel.serving.baseline import baseline_template
from evenkeel.serving.runtime_selection import Selected
from evenkeel.verdict.shares import is_unknown
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.rollout_world import ALL_AND_BAD, Crash, World, run
from tests.support.serving_examples import built, model_deployment

JSON = dict[str, Any]
A, B = ({"uri": f"s3://m/{m}", "format": {"name": "sklearn"}} for m in "ab")
BESIDE = {"weight": 25, "baseline": True, "pauseSeconds": 60, "deadlineSeconds": 900}
ALONE = {"weight": 25, "pauseSeconds": 60, "deadlineSeconds": 900}
GATEWAY = {"gateway": {"parentRefs": [{"name": "gw"}]}}


def world(*steps: JSON, **spec: Any) -> World:
    made = {
        "model": A,
        "replicas": 4,
        "monitoring": {},
        "rollout": {"steps": list(steps), "scaleDownDelaySeconds": 30},
        "analysis": {"indicators": [{"name": "errors", **ALL_AND_BAD}], "minRequests": 50},
        **spec,
    }
    return run(World(made, requests=400), 20)


def stepping(w: World) -> World:
    """In the first step, before pods of the baseline are ready."""
    w.edit(model=B)
    w.settle()
    w.pods_ready()
    w.settle()
    return w


def names(w: World) -> tuple[str, str, str]:
    """Stable, canary and baseline."""
    status = w.md.status
    assert status.stable is not None
    assert status.canary is not None
    return status.stable.revision, status.canary.revision, status.canary.baseline


def told(w: World) -> str:
    return f"{w.status['canary']['reason']}: {w.status['canary']['message']}"


def selected(w: World) -> str | None:
    """The only revision that the model's Service leads to."""
    found: str | None = w.others["Service", "fraud"]["spec"]["selector"].get(
        "evenkeel.dev/revision"
    )
    return found


def weights(w: World) -> dict[str, int]:
    (rule,) = w.others["HTTPRoute", "fraud"]["spec"]["rules"]
    return {b["name"]: b["weight"] for b in rule["backendRefs"]}


def test_a_copy_of_stable_is_made_with_as_many_pods_as_the_canary() -> None:
    w = stepping(world({**BESIDE, "weight": 40}))
    stable, canary, baseline = names(w)
    assert len(baseline) <= 46
    sizes = {name: pods.replicas for name, pods in w.pods.items()}
    assert sizes == {stable: 4, canary: 2, baseline: 2}
    of_stable, copy = w.pod_templates[stable], w.pod_templates[baseline]
    assert copy == baseline_template(of_stable, baseline)
    assert copy["metadata"]["labels"]["evenkeel.dev/revision"] == baseline


def test_the_copy_is_told_apart_by_its_label_and_by_its_meter() -> None:
    made = built(model_deployment(monitoring={}))
    copy = baseline_template(made, "fraud-base")
    changed = {"evenkeel.dev/revision": "fraud-base"}
    assert copy["metadata"]["labels"] == made["metadata"]["labels"] | changed
    for before, after in zip(made["spec"]["containers"], copy["spec"]["containers"], strict=True):
        differ = [e for e in after.get("env", ()) if e not in before.get("env", ())]
        meter = before["name"] == "meter"
        assert differ == [{"name": "METER_REVISION", "value": "fraud-base"}] * meter
        assert {**after, "env": []} == {**before, "env": []}


def test_nothing_is_divided_and_no_time_counts_before_it_is_ready() -> None:
    w = stepping(world(BESIDE))
    stable, _, baseline = names(w)
    assert told(w) == "BaselineStarting: 0 of 1 pods of the baseline ready"
    assert selected(w) == stable
    w.pass_time(3600)
    w.settle()
    assert told(w).startswith("BaselineStarting")
    w.pods_ready(baseline)
    w.settle()
    assert selected(w) is None
    assert "step 1 of 1 at 25 % beside a baseline of 1 pods" in told(w)
    assert w.status["canary"]["stage"] == "Stepping", "the hour before was none of the step's"


def test_a_lost_baseline_takes_its_requests_and_the_canarys_along() -> None:
    w = stepping(world(BESIDE))
    stable, _, baseline = names(w)
    w.pods_ready()
    w.settle()
    assert selected(w) is None
    w.pods_ready(baseline, ready=False)
    w.settle()
    assert (selected(w), w.status["canary"]["trafficWeight"]) == (stable, 0)
    del w.pods[baseline]
    w.settle()
    assert baseline in w.pods, "it is made again"


def test_a_gateway_gives_both_the_same_and_stable_the_rest() -> None:
    w = stepping(world(BESIDE, traffic=GATEWAY))
    stable, canary, baseline = names(w)
    assert weights(w) == {stable: 100}
    w.pods_ready()
    w.settle()
    assert weights(w) == {stable: 50, canary: 25, baseline: 25}
    assert w.others["Service", baseline]["spec"]["selector"]["evenkeel.dev/revision"] == baseline
    w.edit_rollout(abort=canary)
    w.settle()
    assert weights(w) == {stable: 100}
    assert baseline not in w.pods
    assert ("Service", baseline) not in w.others


def test_without_stables_deployment_it_waits_and_says_so() -> None:
    w = world(BESIDE)
    w.edit(env=[{"name": "NEW", "value": "1"}])  # Stable cannot be made anew from this.
    stepping(w)
    stable, _, baseline = names(w)
    del w.pods[stable], w.pods[baseline]
    w.settle()
    assert told(w).startswith("BaselineUnavailable: the baseline is a copy of")
    assert w.status["canary"]["trafficWeight"] == 0


def test_the_verdict_compares_with_the_baseline_and_not_with_stable() -> None:
    w = stepping(world(BESIDE))
    stable, canary, baseline = names(w)
    wanted = wanted_looks(w.md, Selected("ClusterServingRuntime", "sk", w.runtime), frozenset())
    assert wanted is not None
    assert wanted.stable == baseline
    assert canary_share(w.md, w.md.status) == 0.0
    w.pods_ready()
    w.settle()
    assert is_unknown(canary_share(w.md, w.md.status))
    # All that old stable answers badly speaks for no canary.
    w.quality = {"s3://m/b": 0.2}
    w.pods[stable].bad = w.pods[stable].total
    run(w, 300)
    outcome = w.status["history"][0]
    assert (outcome["revision"], outcome["outcome"]) == (canary, "RolledBack")
    assert set(w.pods) == {stable}


def test_a_canary_as_good_as_the_baseline_is_promoted_and_the_baseline_goes() -> None:
    w = stepping(world(BESIDE, {**BESIDE, "weight": 49}))
    stable, canary, baseline = names(w)
    run(w, 600)
    assert w.md.status.canary is None
    assert w.md.status.stable is not None
    assert w.md.status.stable.revision == canary
    assert set(w.pods) == {canary}
    assert baseline.startswith(stable)


@pytest.mark.parametrize("steps", [(ALONE, BESIDE), (BESIDE, {**ALONE, "weight": 30})])
def test_evidence_begins_anew_with_another_comparator(steps: tuple[JSON, JSON]) -> None:
    w = stepping(world(*steps))
    for _ in range(60):
        run(w, 5)
        if w.status["canary"]["step"] == 1:
            break
    else:
        raise AssertionError(told(w))
    begun = [e.message for p in w.plans for e in p.events if e.reason == "CanaryStepping"][-1]
    other = "the baseline" if steps[1].get("baseline") else "stable"
    assert f"evidence begins anew, beside {other}" in begun
    assert bool(names(w)[2]) == bool(steps[1].get("baseline"))
    (indicator,) = w.status["canary"]["indicators"]
    assert indicator["evidence"]["canaryTotal"] == 0
    assert indicator["anew"] is False, "nobody has edited it"


def test_evidence_goes_on_where_the_baseline_stays() -> None:
    w = stepping(world(BESIDE, {**BESIDE, "weight": 30}))
    while w.status["canary"]["step"] == 0:
        run(w, 5)
    assert w.status["canary"]["indicators"][0]["earlierRequests"] > 0


def test_it_does_not_grow_with_a_canary_that_is_promoted_or_whose_steps_are_gone() -> None:
    w = stepping(world(BESIDE))
    _, canary, baseline = names(w)
    w.edit_rollout(steps=[])
    w.settle()
    w.edit_rollout(promote=canary)
    w.settle()
    assert (w.pods[canary].replicas, w.pods[baseline].replicas) == (4, 1)


def test_warm_up_is_that_of_both() -> None:
    w = world(BESIDE)
    w.edit_rollout(warmUpSeconds=60)
    stepping(w)
    stable, _, baseline = names(w)
    w.pass_time(100)
    w.settle()
    assert (w.status["canary"]["stage"], selected(w)) == ("WarmingUp", stable)
    assert told(w).startswith("BaselineStarting")
    w.pods_ready(baseline)
    w.settle()
    assert (w.status["canary"]["stage"], selected(w)) == ("WarmingUp", None)
    run(w, 65)
    assert w.status["canary"]["stage"] == "Stepping"


def test_who_leaves_the_step_by_hand_waits_for_no_baseline() -> None:
    w = stepping(world(BESIDE, {**ALONE, "weight": 30}))
    _, canary, baseline = names(w)
    w.edit_rollout(skip={"revision": canary, "step": 1})
    w.settle()
    assert w.status["canary"]["step"] == 1
    assert baseline not in w.pods
    assert selected(w) is None


def test_with_autoscaling_it_follows_the_canary_and_has_no_autoscaler() -> None:
    scaling = {"minReplicas": 4, "maxReplicas": 8}
    spec = {"model": A, "replicas": None, "autoscaling": scaling, "traffic": GATEWAY}
    w = world(BESIDE, **{**spec, "replicas": 4})
    w.pods[next(iter(w.pods))].replicas = 4
    stepping(w)
    _, canary, baseline = names(w)
    w.pods[canary].replicas = 3
    w.settle()
    assert w.pods[baseline].replicas == 3
    assert ("HorizontalPodAutoscaler", baseline) not in w.others


@given(crashes=st.lists(st.integers(0, 8), min_size=1, max_size=25))
@settings(max_examples=30, deadline=None)
def test_wherever_it_dies_the_same_becomes_of_it(crashes: list[int]) -> None:
    w = world(BESIDE)
    w.edit(model=B)
    for number in crashes:
        with suppress(Crash):
            w.reconcile(crash_after=number)
        assert sum("-base-" in name for name in w.pods) <= 1
        w.pods_ready()
        w.pass_time(5)
    run(w, 900)
    assert w.md.status.canary is None
    assert w.md.status.stable is not None
    assert w.md.status.stable.uri == B["uri"]
    assert set(w.pods) == {w.md.status.stable.revision}
