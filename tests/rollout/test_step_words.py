"""Steps that a person approves or skips, and trials that begin again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.rollout_world import INDICATORS, World, run

JSON = dict[str, Any]
A, B, BAD = "s3://m/a", "s3://m/b", "s3://m/bad"
BY_TIME = {"weight": 25, "analysis": False, "pauseSeconds": 30}
LAST = {"weight": 50, "analysis": False, "pauseSeconds": 30}


def model(uri: str) -> JSON:
    return {"uri": uri, "format": {"name": "sklearn"}}


def serving(steps: list[JSON], **rollout: Any) -> World:
    """A serves, and is judged by those steps."""
    w = World(
        {
            "model": model(A),
            "replicas": 4,
            "rollout": {"steps": steps, **rollout},
            "analysis": {"indicators": list(INDICATORS)},
        },
        quality={BAD: 0.5},
        requests=400,
    )
    w.settle()
    w.pods_ready()
    w.settle()
    return w


def on_trial(step: JSON, uri: str = B, **rollout: Any) -> World:
    w = serving([step, LAST], **rollout)
    w.edit(model=model(uri))
    return w


def canary(w: World) -> JSON:
    found: JSON = w.status["canary"]
    return found


def last(w: World) -> JSON:
    found: JSON = w.status["history"][0]
    return found


def steering(w: World) -> JSON:
    return next(c for c in w.status["conditions"] if c["type"] == "SteeringAccepted")


def events(w: World, reason: str) -> list[str]:
    return [e.message for p in w.plans for e in p.events if e.reason == reason]


def at_first_look(w: World) -> None:
    """A canary that has been seen once, too early to tell."""
    for _ in range(2):
        w.settle()
        w.pods_ready()
    w.settle()
    w.pass_time(1)
    w.settle()
    assert canary(w)["stage"] == "Stepping"


def say(w: World, word: str, step: int) -> None:
    w.edit_rollout(**{word: {"revision": w.wanted(), "step": step}})
    w.settle()


@pytest.mark.parametrize("step", [BY_TIME, {"weight": 25, "pauseSeconds": 30}])
def test_a_step_waits_for_its_approval_after_all_else(step: JSON) -> None:
    w = on_trial({**step, "approval": True})
    run(w, 20)
    assert canary(w)["reason"] != "AwaitingApproval", "the pause comes first"
    run(w, 36000, step=600)
    assert (canary(w)["step"], canary(w)["reason"]) == (0, "AwaitingApproval")
    assert canary(w)["awaiting"] == "Approval"
    told = f"set rollout.approve to {{revision: {w.wanted()}, step: 1}} to go on"
    assert told in canary(w)["message"]
    assert len(events(w, "AwaitingApproval")) == 1
    say(w, "approve", 1)
    assert canary(w)["step"] == 1
    assert "awaiting" not in canary(w)
    assert steering(w)["status"] == "True"
    run(w, 60)
    assert last(w)["outcome"] == "Promoted"
    assert steering(w)["status"] == "True", "it may stay in a repository's manifest"


def test_an_approval_is_of_its_step_alone() -> None:
    w = serving([{**BY_TIME, "approval": True}, {**LAST, "approval": True}])
    w.edit(model=model(B))
    run(w, 60)
    say(w, "approve", 2)
    run(w, 60)
    assert (canary(w)["step"], canary(w)["reason"]) == (0, "AwaitingApproval")
    say(w, "approve", 1)
    run(w, 60)
    assert (canary(w)["step"], canary(w)["reason"]) == (1, "AwaitingApproval")
    say(w, "approve", 2)
    run(w, 10)
    assert last(w)["outcome"] == "Promoted"


def test_an_approval_ahead_of_time_is_no_haste() -> None:
    w = on_trial({**BY_TIME, "approval": True})
    run(w, 10)
    say(w, "approve", 1)
    assert (canary(w)["step"], canary(w)["reason"]) == (0, "Pausing")
    run(w, 30)
    assert canary(w)["step"] == 1
    assert not events(w, "AwaitingApproval")


def test_a_step_that_was_approved_and_has_lost_its_verdict_stays() -> None:
    """And has its whole time to get it back, however long it waited for a person."""
    w = on_trial({"weight": 25, "approval": True})
    run(w, 7200, step=60)
    assert canary(w)["reason"] == "AwaitingApproval"
    w.answers = "down"
    say(w, "approve", 1)
    run(w, 3000, step=60)
    assert (canary(w)["step"], canary(w)["reason"]) == (0, "PrometheusUnavailable")
    assert "awaiting" not in canary(w)
    run(w, 900, step=60)
    assert (last(w)["outcome"], last(w)["reason"]) == ("RolledBack", "Undecided")


def test_a_failing_canary_goes_back_whatever_is_approved_or_skipped() -> None:
    w = on_trial({"weight": 25, "approval": True, "pauseSeconds": 600}, BAD)
    at_first_look(w)
    say(w, "approve", 1)
    w.pass_time(60)
    w.edit_rollout(skip={"revision": w.wanted(), "step": 1})
    w.settle()
    assert (last(w)["outcome"], last(w)["reason"]) == ("RolledBack", "WorseThanStable")


def test_a_deadline_ends_the_wait_by_nobody_s_fault_but_a_person_s() -> None:
    w = on_trial({**BY_TIME, "approval": True, "deadlineSeconds": 600})
    run(w, 600)
    assert canary(w)["reason"] == "AwaitingApproval"
    run(w, 60)
    assert (last(w)["reason"], last(w)["cause"]) == ("ApprovalOverdue", "User")
    assert "nobody approved the step in 600 s" in last(w)["message"]


def test_a_pause_by_hand_is_no_time_at_the_gate() -> None:
    w = on_trial({**BY_TIME, "approval": True, "deadlineSeconds": 600})
    run(w, 300)
    w.edit_rollout(paused=True)
    run(w, 6000, step=60)
    assert canary(w)["reason"] == "Paused"
    w.edit_rollout(paused=False)
    run(w, 300)
    assert canary(w)["reason"] == "AwaitingApproval"


def test_what_was_said_of_an_earlier_trial_has_no_force_in_the_next() -> None:
    w = on_trial({**BY_TIME, "approval": True})
    run(w, 60)
    revision = w.wanted()
    say(w, "approve", 1)
    w.edit_rollout(abort=revision)
    w.settle()
    w.edit_rollout(abort=None, retry=revision)
    run(w, 120)
    assert canary(w)["reason"] == "AwaitingApproval"
    assert (steering(w)["status"], steering(w)["reason"]) == ("False", "RevisionNotOnTrial")
    assert "remove it, and set it again" in steering(w)["message"]
    w.edit_rollout(approve=None)
    w.settle()
    say(w, "approve", 1)
    assert canary(w)["step"] == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"approve": {"revision": "fraud-0", "step": 1}}, "which is not known"),
        ({"approve": {"step": 3}}, "names step 3, and there are 2"),
        ({"approve": {"step": 2}}, "which waits for no approval"),
        ({"skip": {"step": 3}}, "names step 3, and there are 2"),
        ({"restart": {"revision": "fraud-0"}}, "rollout.restart names fraud-0"),
    ],
)
def test_a_wrong_name_is_told(said: JSON, told: str) -> None:
    w = on_trial({**BY_TIME, "approval": True})
    run(w, 10)
    w.edit_rollout(**{k: {"revision": w.wanted(), **v} for k, v in said.items()})
    w.settle()
    assert steering(w)["status"] == "False"
    assert told in steering(w)["message"]


def test_a_step_is_skipped_whatever_it_waits_for() -> None:
    w = on_trial({"weight": 25, "pauseSeconds": 6000, "approval": True})
    w.answers = "down"
    run(w, 30)
    say(w, "skip", 1)
    assert canary(w)["step"] == 1
    assert any("spec.rollout.skip names" in told for told in events(w, "CanaryStepping"))
    run(w, 20)
    assert canary(w)["step"] == 1, "that step alone"


def test_no_step_is_skipped_without_its_pods() -> None:
    w = on_trial({**BY_TIME, "pauseSeconds": 6000})
    run(w, 10)
    w.pods_ready(w.wanted(), ready=False)
    say(w, "skip", 1)
    assert (canary(w)["step"], canary(w)["reason"]) == (0, "CanaryUnavailable")


def test_a_trial_begins_again_with_fresh_evidence() -> None:
    w = on_trial({"weight": 25, "pauseSeconds": 100})
    run(w, 60)
    before = canary(w)
    assert before["indicators"][0]["evidence"]
    w.edit_rollout(restart={"revision": w.wanted(), "number": 1})
    w.reconcile()
    assert (canary(w)["stage"], canary(w)["weight"]) == ("Starting", 0)
    assert not canary(w)["indicators"]
    assert canary(w)["startTime"] > before["startTime"]
    assert events(w, "RolloutRestarted")
    run(w, 60)
    assert (canary(w)["step"], canary(w)["restarts"]) == (0, 1)
    w.edit_rollout(restart={"revision": w.wanted(), "number": 2})
    w.settle()
    assert canary(w)["restarts"] == 2
    run(w, 300)
    assert last(w)["outcome"] == "Promoted"


def test_a_restart_is_for_one_trial_and_no_way_round_a_verdict() -> None:
    w = on_trial({"weight": 25}, BAD)
    at_first_look(w)
    w.pass_time(60)
    w.edit_rollout(restart={"revision": w.wanted()})
    w.settle()
    assert last(w)["outcome"] == "RolledBack"
    w.edit_rollout(retry=w.wanted())
    w.settle()
    assert not events(w, "RolloutRestarted"), "it was said of the trial before"
