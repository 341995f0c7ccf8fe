"""After a take-over the former revision stays at a floor, and comes back if the new one fails."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from evenkeel.verdict.judgement import Observations

from tests.support.rollout_lives import model
from tests.support.rollout_world import INDICATORS, Crash, World, run

JSON = dict[str, Any]
A, B, C = "s3://m/a", "s3://m/b", "s3://m/c"
LABELS = {"name": "labels", "total": "l", "bad": "w", "maxRatio": "0.1"}
PROBATION = {"seconds": 3600, "replicas": 1, "indicators": [LABELS]}


def world(probation: JSON | None = None, **fields: Any) -> World:
    """A world in which B has just taken over from A, which had four pods."""
    spec = {
        "model": model(A),
        "replicas": 4,
        "rollout": {
            "steps": [{"weight": 20, "deadlineSeconds": 300}],
            "scaleDownDelaySeconds": 30,
            "probation": probation or PROBATION,
        },
        "analysis": {"indicators": list(INDICATORS), "minRequests": 50},
        **fields,
    }
    made = World(spec, quality={A: 0.0, B: 0.0, C: 0.0}, requests=400, late=frozenset({"labels"}))
    made.settle()
    made.pods_ready()
    made.settle()
    made.edit(model=model(B))
    return run(made, 60)


def canary(w: World) -> JSON:
    found: JSON = w.status["canary"]
    return found


def former(w: World) -> str:
    return str(w.status["stable"]["revision"])


def condition(w: World, type_: str) -> JSON:
    found: JSON = next(c for c in w.status["conditions"] if c["type"] == type_)
    return found


def selected(w: World) -> str | None:
    found = w.others["Service", "fraud"]["spec"]["selector"].get("evenkeel.dev/revision")
    return None if found is None else str(found)


def test_the_former_revision_stays_at_its_floor_and_gets_no_requests() -> None:
    w = world()
    assert (canary(w)["stage"], canary(w)["weight"]) == ("Probation", 100)
    new = canary(w)["revision"]
    assert {name: p.replicas for name, p in w.pods.items()} == {new: 4, former(w): 1}
    assert selected(w) == new
    before = w.pods[former(w)].total
    run(w, 60)
    assert w.pods[former(w)].total == before
    ready = condition(w, "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "Serving")
    assert new in ready["message"]


@pytest.mark.parametrize(
    ("labels", "reason"), [((4000, 40), "ProbationPassed"), (None, "ProbationOver")]
)
def test_what_is_not_shown_to_be_bad_is_promoted_when_its_time_is_over(
    labels: tuple[int, int] | None, reason: str
) -> None:
    w = world()
    new = canary(w)["revision"]
    if labels is not None:
        w.labels[new] = labels
    run(w, 3000, 60)
    assert canary(w)["stage"] == "Probation"
    run(w, 900, 60)
    assert w.status.get("canary") is None
    assert former(w) == new
    assert list(w.pods) == [new]
    last = w.status["history"][0]
    assert (last["outcome"], last["reason"]) == ("Promoted", reason)


def test_bad_labels_bring_the_former_revision_back_without_a_gap() -> None:
    w = world()
    new, old = canary(w)["revision"], former(w)
    w.labels[new] = (400, 200)
    w.pass_time(5)
    w.settle()
    assert canary(w)["stage"] == "Returning"
    assert w.pods[old].replicas == 4, "it grows before it takes all requests"
    assert w.pods[new].replicas == 4
    assert selected(w) is None, "the pods that are there share the requests meanwhile"
    w.pods_ready()
    w.settle()
    assert w.status.get("canary") is None
    assert (former(w), selected(w)) == (old, old)
    last = w.status["history"][0]
    assert (last["outcome"], last["cause"], last["reason"]) == (
        "RolledBack",
        "Model",
        "AboveMaxRatio",
    )
    assert "labels" in last["message"]
    run(w, 600, 60)
    assert w.status.get("canary") is None, "it is not tried again"


def test_pods_that_do_not_come_hold_nobody_on_what_failed() -> None:
    w = world()
    old = former(w)
    w.labels[canary(w)["revision"]] = (400, 200)
    for _ in range(14):
        w.pass_time(60)
        w.settle()
    assert w.status.get("canary") is None
    assert former(w) == old
    assert "1 of 4 pods of the former revision are ready" in w.status["history"][0]["message"]


def test_errors_that_begin_after_the_take_over_are_found() -> None:
    analysis = {"indicators": [{**i, "maxRatio": "0.2"} for i in INDICATORS], "minRequests": 50}
    w = world(analysis=analysis)
    w.quality[B] = 0.6
    run(w, 60)
    assert w.status["history"][0]["outcome"] == "RolledBack"


def test_a_newer_version_is_tried_against_the_one_on_probation() -> None:
    w = world()
    new = canary(w)["revision"]
    w.edit(model=model(C))
    w.settle()
    assert former(w) == new
    assert canary(w)["uri"] == C
    first = w.status["history"][0]
    assert (first["outcome"], first["reason"]) == ("Promoted", "ProbationCutShort")


def test_a_revert_to_the_former_revision_goes_back_by_its_pods() -> None:
    w = world()
    old = former(w)
    w.edit(model=model(A))
    w.settle()
    assert canary(w)["stage"] == "Returning"
    w.pods_ready()
    w.settle()
    assert (former(w), w.status.get("canary")) == (old, None)
    assert w.status["history"][0]["outcome"] == "Superseded"
    w.edit(model=model(B))
    run(w, 60)
    assert canary(w)["stage"] == "Probation", "it may be tried again"


def test_a_wish_for_a_third_revision_does_not_stop_the_way_back() -> None:
    w = world()
    old = former(w)
    w.labels[canary(w)["revision"]] = (400, 200)
    w.pass_time(5)
    w.settle()
    w.edit(model=model(C))
    w.settle()
    assert canary(w)["stage"] == "Returning"
    w.pods_ready()
    w.settle()
    assert former(w) == old
    assert canary(w)["uri"] == C


@pytest.mark.parametrize(
    ("field", "stage", "reason"),
    [("promote", None, "PromotedByHand"), ("abort", "Returning", "Aborted")],
)
def test_a_person_ends_it(field: str, stage: str | None, reason: str) -> None:
    w = world()
    w.edit_rollout(**{field: canary(w)["revision"]})
    w.settle()
    assert (w.status.get("canary") or {}).get("stage") == stage
    w.pods_ready()
    w.settle()
    assert w.status["history"][0]["reason"] == reason


def test_paused_time_is_no_part_of_it() -> None:
    w = world()
    w.edit_rollout(paused=True)
    run(w, 7200, 600)
    assert canary(w)["stage"] == "Probation"
    w.edit_rollout(paused=False)
    run(w, 1800, 60)
    assert canary(w)["stage"] == "Probation"
    run(w, 2400, 60)
    assert w.status["history"][0]["outcome"] == "Promoted"


def test_taking_the_field_away_ends_it() -> None:
    w = world()
    w.edit_rollout(probation=None)
    w.settle()
    assert w.status["history"][0]["reason"] == "ProbationOver"


def test_the_floor_serves_where_nothing_else_can() -> None:
    w = world()
    new = canary(w)["revision"]
    w.pods_ready(new, ready=False)
    w.settle()
    assert selected(w) is None
    w.pods_ready(new)
    w.settle()
    assert selected(w) == new


def test_an_autoscaler_goes_over_to_the_new_revision_and_back() -> None:
    w = world(autoscaling={"minReplicas": 2, "maxReplicas": 6}, replicas=1)
    new, old = canary(w)["revision"], former(w)

    def targets() -> dict[str, str]:
        return {
            name: m["spec"]["scaleTargetRef"]["name"]
            for (kind, name), m in w.others.items()
            if kind == "HorizontalPodAutoscaler"
        }

    assert canary(w)["stage"] == "Probation"
    assert targets() == {"fraud": new}
    w.pods[new].replicas = w.pods[new].ready = 5
    run(w, 30)
    assert (w.pods[new].replicas, w.pods[old].replicas) == (5, 1), "load is the autoscaler's"
    w.labels[new] = (400, 200)
    w.pass_time(5)
    w.settle()
    assert w.pods[old].replicas == 5, "the former one gets what the load has grown to"
    w.pods_ready()
    w.settle()
    assert targets() == {"fraud": old}


@pytest.mark.parametrize("crash_after", range(12))
def test_a_crash_between_any_two_writes_is_made_good(crash_after: int) -> None:
    w = world()
    old = former(w)
    w.labels[canary(w)["revision"]] = (400, 200)
    w.pass_time(5)
    with suppress(Crash):
        w.reconcile(crash_after)
    w.settle()
    w.pods_ready()
    with suppress(Crash):
        w.reconcile(crash_after)
    w.settle()
    assert former(w) == old
    assert list(w.pods.items())
    assert w.status["history"][0]["outcome"] == "RolledBack"


def test_an_idle_probation_writes_nothing() -> None:
    w = world()
    w.requests = 0
    run(w, 120, 30)
    before = w.status
    run(w, 600, 60)
    assert w.status == before


def test_a_newer_wish_does_not_take_the_only_pods_that_serve() -> None:
    w = world()
    new, old = canary(w)["revision"], former(w)
    w.pods_ready(new, ready=False)
    w.settle()
    w.edit(model=model(C))
    w.settle()
    assert canary(w)["stage"] == "Returning"
    assert w.pods[old].ready, "the former revision is all that answers"


@pytest.mark.parametrize("how", ["fails", "aborted"])
def test_a_newer_wish_does_not_promote_what_goes_back(how: str) -> None:
    w = world()
    new, old = canary(w)["revision"], former(w)
    if how == "fails":
        w.labels[new] = (400, 200)
        w.pass_time(5)
    else:
        w.edit_rollout(abort=new)
    w.edit(model=model(C))
    w.settle()
    assert canary(w)["stage"] == "Returning"
    w.pods_ready()
    w.settle()
    assert former(w) == old


def test_a_revision_that_is_not_tried_again_ends_no_probation() -> None:
    w = world()
    new = canary(w)["revision"]
    w.labels[new] = (400, 200)
    w.pass_time(5)
    w.settle()
    w.pods_ready()
    w.settle()
    w.labels.clear()
    w.edit(model=model(C))
    run(w, 60)
    assert canary(w)["uri"] == C
    w.edit(model=model(B))
    run(w, 60)
    assert (canary(w)["uri"], canary(w)["stage"]) == (C, "Probation")


def test_a_restart_at_the_end_waits_for_a_look() -> None:
    w = world()
    w.labels[canary(w)["revision"]] = (400, 200)
    w.pass_time(4000)
    seen, w._seen = w._seen, lambda *_: {}  # type: ignore[method-assign]
    w.settle()
    assert canary(w)["stage"] == "Probation"
    w._seen = seen  # type: ignore[method-assign]
    w.settle()
    assert canary(w)["stage"] == "Returning"


def test_a_restart_at_the_end_waits_for_a_look_at_each_indicator() -> None:
    w = world()
    w.labels[canary(w)["revision"]] = (400, 200)
    w.pass_time(4000)
    seen, w._seen = w._seen, lambda *of: _without(seen(*of), "labels")  # type: ignore[method-assign]
    w.settle()
    found = canary(w)
    assert (found["stage"], found["reason"]) == ("Probation", "NoData")
    assert "labels" in found["message"]
    w._seen = seen  # type: ignore[method-assign]
    w.settle()
    assert canary(w)["stage"] == "Returning"


def _without(seen: Observations, name: str) -> Observations:
    return {known: found for known, found in seen.items() if known != name}


def test_what_was_never_counted_is_named_at_the_end() -> None:
    w = world()
    run(w, 4000, 60)
    last = w.status["history"][0]
    assert (last["outcome"], last["reason"]) == ("Promoted", "ProbationOver")
    assert last["message"].startswith("nothing was counted by labels; ")


@pytest.mark.parametrize("answers", ["half", "down"])
def test_a_prometheus_that_is_down_at_the_end_promotes_nothing(answers: Any) -> None:
    w = world()
    run(w, 3000, 60)
    w.answers = answers
    run(w, 9000, 60)
    found = canary(w)
    assert (found["stage"], found["reason"]) == ("Probation", "NoData")
    assert "wrong" in found["message"]
    w.answers = "ok"
    run(w, 120, 60)
    assert w.status["history"][0]["outcome"] == "Promoted"


def test_an_idle_floor_excuses_no_crashes() -> None:
    w = world()
    new = canary(w)["revision"]
    w.pods[new].crashes = 3
    w.settle()
    assert canary(w)["stage"] == "Returning"
    assert canary(w)["reason"] == "CanaryCrashing"


def test_a_former_revision_without_any_pod_takes_nothing_away() -> None:
    w = world()
    new, old = canary(w)["revision"], former(w)
    w.labels[new] = (400, 200)
    w.pods_ready(old, ready=False)
    for _ in range(20):
        w.pass_time(60)
        w.settle()
    assert canary(w)["stage"] == "Returning"
    assert selected(w) == new
    w.pods_ready(old)
    w.settle()
    assert (former(w), w.status.get("canary")) == (old, None)


def crash(w: World, revision: str, times: int = 1) -> None:
    w.pods[revision].crashes += times
    w.settle()


def test_crashes_hours_apart_are_forgiven_and_those_within_an_hour_are_not() -> None:
    w = world({"seconds": 31536000})
    new = canary(w)["revision"]
    for _ in range(8):
        crash(w, new)
        w.pass_time(4000)
        w.settle()
    assert canary(w)["stage"] == "Probation"
    for _ in range(2):
        crash(w, new)
        w.pass_time(3000)
        w.settle()
    assert canary(w)["stage"] == "Probation"
    crash(w, new)
    assert (canary(w)["stage"], canary(w)["reason"]) == ("Returning", "CanaryCrashing")


def test_a_crash_is_not_forgiven_for_an_hour_without_pods() -> None:
    w = world({"seconds": 31536000})
    new = canary(w)["revision"]
    crash(w, new, 2)
    w.pods_ready(new, ready=False)
    w.settle()
    w.pass_time(4000)
    w.settle()
    w.pods_ready()
    w.settle()
    crash(w, new)
    assert canary(w)["reason"] == "CanaryCrashing"
