"""Steps that wait for a system outside the cluster."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from evenkeel.controllers.modeldeployment.step_webhooks import polls
from evenkeel.outside.gates import GateAnswer, GateQuestion
from evenkeel.outside.poll import Failure, Poll, Sighting

from tests.rollout.test_step_words import BY_TIME, canary, last, on_trial, say
from tests.support.rollout_world import Crash, World, run

URL = "https://gate.example/confirm?team=risk"
STEP: dict[str, Any] = {**BY_TIME, "webhook": {"url": URL}}


def answers(w: World, answer: Any, message: str = "") -> None:
    w.gate = Sighting(GateAnswer(answer, message), w.now, w.now)


def fails(w: World, message: str = "cannot connect") -> None:
    since = w.gate.failure.since if w.gate.failure is not None else w.now
    failure = Failure("SourceUnavailable", message, since)
    w.gate = Sighting(w.gate.answer, w.gate.since, w.gate.asked, failure)


def asked(w: World) -> Poll | None:
    return polls(w.md).get("gate")


def waiting(**step: Any) -> World:
    w = on_trial({**STEP, **step})
    run(w, 60)
    assert canary(w)["awaiting"] == "Webhook"
    return w


def test_it_is_asked_once_all_else_is_over_and_no_more_once_it_allows() -> None:
    w = on_trial(STEP)
    run(w, 20)
    assert asked(w) is None
    run(w, 40)
    assert canary(w)["reason"] == "AskingGate"
    poll = asked(w)
    assert poll is not None
    assert (poll.url, poll.interval) == ("https://gate.example/confirm", 30.0)
    question = poll.question
    assert isinstance(question, GateQuestion)
    assert (question.query, question.timeout) == ("team=risk", 10.0)
    body = json.loads(question.body)
    stable = w.status["stable"]["revision"]
    assert (body["namespace"], body["name"], body["revision"]) == ("shop", "fraud", w.wanted())
    assert (body["stable"], body["step"], body["weight"], body["attempt"]) == (stable, 1, 25, 1)
    answers(w, "Allow")
    w.settle()
    assert canary(w)["step"] == 1
    assert asked(w) is None


def test_the_write_that_begins_the_wait_is_followed_by_the_question() -> None:
    w = on_trial(STEP)
    for _ in range(30):
        w.pass_time(5)
        w.pods_ready()
        plan = w.reconcile()
        if (w.status.get("canary") or {}).get("awaiting"):
            break
    assert plan.requeue_after == 0


def test_each_trial_and_step_is_another_delivery() -> None:
    w = waiting()
    first = asked(w)
    run(w, 60)
    assert asked(w) == first, "and each time the same"
    w.edit_rollout(restart={"revision": w.wanted()})
    run(w, 60)
    again = asked(w)
    assert first is not None
    assert again is not None
    assert isinstance(first.question, GateQuestion)
    assert isinstance(again.question, GateQuestion)
    assert first.question.delivery != again.question.delivery


def test_one_that_asks_to_wait_is_waited_for() -> None:
    w = waiting()
    answers(w, "Wait", "the office is closed")
    run(w, 86400, step=3600)
    assert (canary(w)["step"], canary(w)["reason"]) == (0, "GateWaiting")
    assert "asks to wait: the office is closed" in canary(w)["message"]
    answers(w, "Allow")
    w.settle()
    assert canary(w)["step"] == 1


def test_though_no_longer_than_the_deadline_says() -> None:
    w = waiting(deadlineSeconds=600)
    answers(w, "Wait")
    run(w, 700)
    assert (last(w)["reason"], last(w)["cause"]) == ("GateOverdue", "User")


def test_what_it_denies_goes_back() -> None:
    w = waiting()
    answers(w, "Deny", "change freeze")
    w.edit_rollout(skip={"revision": w.wanted(), "step": 1})
    w.settle()
    assert (last(w)["reason"], last(w)["cause"]) == ("GateDenied", "User")
    assert (
        "gate https://gate.example/confirm?team=risk denies it: change freeze"
        in (last(w)["message"])
    )


@pytest.mark.parametrize("before", [None, "Wait"])
def test_no_fault_lets_it_pass_and_it_is_not_for_ever(before: str | None) -> None:
    w = waiting()
    if before is not None:
        answers(w, before)
        run(w, 86400, step=3600)
    fails(w)
    run(w, 3000, step=60)
    assert (canary(w)["step"], canary(w)["reason"]) == (0, "GateUnavailable")
    assert "cannot connect" in canary(w)["message"]
    run(w, 900, step=60)
    assert (last(w)["reason"], last(w)["cause"]) == ("GateUnavailable", "Infrastructure")
    assert "pass it by rollout.skip" in last(w)["message"]


def test_one_that_answers_again_is_believed() -> None:
    w = waiting()
    fails(w)
    run(w, 3000, step=60)
    answers(w, "Allow")
    w.settle()
    assert canary(w)["step"] == 1


def test_a_new_leader_knows_what_the_gate_said() -> None:
    w = waiting(approval=True)
    answers(w, "Allow")
    w.settle()
    assert canary(w)["reason"] == "AwaitingApproval"
    w.gate = Sighting()
    run(w, 60)
    assert canary(w)["reason"] == "AwaitingApproval"
    say(w, "approve", 1)
    assert canary(w)["step"] == 1


def test_what_one_gate_allowed_is_no_word_of_another() -> None:
    w = waiting(approval=True)
    answers(w, "Allow")
    w.settle()
    w.gate = Sighting()
    steps = [{**STEP, "approval": True, "webhook": {"url": "https://other.example"}}]
    w.edit_rollout(steps=[*steps, w.spec["rollout"]["steps"][1]])
    w.settle()
    assert canary(w)["reason"] == "AskingGate"


def test_a_pause_stops_the_questions_and_the_clock() -> None:
    w = waiting()
    w.edit_rollout(paused=True)
    w.settle()
    assert asked(w) is None
    w.now += timedelta(days=1)
    w.settle()
    w.edit_rollout(paused=False)
    run(w, 60)
    assert canary(w)["reason"] == "AskingGate"


@pytest.mark.parametrize("writes", range(4))
@pytest.mark.parametrize("answer", ["Allow", "Deny"])
def test_a_crash_at_any_write_changes_no_answer(answer: str, writes: int) -> None:
    w = waiting()
    answers(w, answer)
    for _ in range(3):
        with contextlib.suppress(Crash):
            w.reconcile(crash_after=writes)
    w.settle()
    run(w, 100)
    assert last(w)["outcome"] == {"Allow": "Promoted", "Deny": "RolledBack"}[answer]
    assert len(w.status["history"]) == 1
