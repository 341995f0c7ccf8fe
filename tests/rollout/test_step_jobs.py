"""Steps that wait for a Job."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from tests.rollout.test_step_words import (
    BY_TIME,
    LAST,
    B,
    canary,
    last,
    model,
    on_trial,
    say,
    serving,
)
from tests.support.rollout_world import Crash, World, run

JSON = dict[str, Any]
SMOKE = {"podTemplate": {"spec": {"containers": [{"name": "smoke", "image": "smoke:1"}]}}}
STEP = {**BY_TIME, "job": SMOKE}
PASSED = {"type": "Complete"}
FAILED = {"type": "Failed", "reason": "BackoffLimitExceeded"}


def ended(code: int, message: str = "") -> JSON:
    end = {"exitCode": code, "message": message}
    state = {"name": "smoke", "state": {"terminated": end}}
    return {"phase": "Failed" if code else "Succeeded", "containerStatuses": [state]}


def jobs(w: World) -> dict[str, JSON]:
    return {name: job for (kind, name), job in w.others.items() if kind == "Job"}


def only(w: World) -> JSON:
    (job,) = jobs(w).values()
    return job


def test_it_begins_with_the_step_s_requests_and_has_to_succeed() -> None:
    w = on_trial(STEP)
    w.settle()
    assert not jobs(w), "the canary has no pods yet"
    w.pods_ready()
    w.settle()
    job = only(w)
    assert job["metadata"]["labels"]["evenkeel.dev/step"] == "1"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    env = {e["name"]: e["value"] for e in container["env"]}
    stable = w.status["stable"]["revision"]
    assert env["EVENKEEL_URL"] == f"http://{w.wanted()}.shop.svc"
    assert env["EVENKEEL_STABLE_URL"] == f"http://{stable}.shop.svc"
    assert env["EVENKEEL_REVISION"] == w.wanted()
    for revision in (w.wanted(), stable):
        selector = w.others["Service", revision]["spec"]["selector"]
        assert selector["evenkeel.dev/revision"] == revision
    run(w, 3000, step=60)
    assert (canary(w)["step"], canary(w)["reason"]) == (0, "StepJobRunning")
    w.job_condition, w.job_pod = PASSED, ended(0)
    run(w, 60)
    assert last(w)["outcome"] == "Promoted"
    assert len(w.made_jobs) == 1
    assert not jobs(w), "it goes with its trial"
    services = {name for kind, name in w.others if kind == "Service"}
    assert services == {"fraud"}


def test_its_pod_meets_the_restricted_standard_and_is_none_of_the_model_s() -> None:
    w = on_trial(STEP)
    run(w, 10)
    template = only(w)["spec"]["template"]
    assert template["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "evenkeel",
        "evenkeel.dev/step-job": "fraud",
        "evenkeel.dev/step": "1",
    }
    assert template["spec"]["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize("pause", [0, 6000])
def test_a_failure_takes_the_canary_back_whatever_else_is_waited_for(pause: int) -> None:
    w = on_trial({**STEP, "pauseSeconds": pause})
    run(w, 10)
    w.job_condition, w.job_pod = FAILED, ended(3, "no scores")
    w.edit_rollout(skip={"revision": w.wanted(), "step": 1})
    run(w, 10)
    assert (last(w)["reason"], last(w)["cause"]) == ("StepJobFailed", "Model")
    assert "step 1 of 2 at 25 %: BackoffLimitExceeded: exit code 3: no scores" in last(w)["message"]
    assert not jobs(w)


EVICTED = {**ended(137), "conditions": [{"type": "DisruptionTarget", "status": "True"}]}
UNPULLED = {
    "phase": "Pending",
    "containerStatuses": [
        {"name": "smoke", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no"}}}
    ],
}


@pytest.mark.parametrize(
    ("condition", "pod", "told"),
    [
        ({"type": "Failed", "reason": "DeadlineExceeded"}, UNPULLED, "ImagePullBackOff: no"),
        ({"type": "Failed", "reason": "DeadlineExceeded"}, {}, "its pods were taken away"),
        (FAILED, EVICTED, "its pods were taken away"),
    ],
)
def test_what_is_no_fault_of_the_model(condition: JSON, pod: JSON, told: str) -> None:
    w = on_trial(STEP)
    run(w, 10)
    w.job_pod = pod
    run(w, 60)
    w.job_condition = condition
    run(w, 10)
    assert (last(w)["reason"], last(w)["cause"]) == ("StepJobUnfinished", "Infrastructure")
    assert told in last(w)["message"]


def test_why_it_does_not_start_is_told() -> None:
    w = on_trial(STEP)
    run(w, 10)
    w.job_pod = UNPULLED
    run(w, 60)
    assert (canary(w)["reason"], canary(w)["awaiting"]) == ("StepJobRunning", "Job")
    assert "ImagePullBackOff: no" in canary(w)["message"]


def test_it_is_not_made_while_no_pods_are_asked_for() -> None:
    w = on_trial(STEP)
    w.reconcile()
    while canary(w)["stage"] != "Stepping":
        w.pods_ready()
        w.reconcile()
    assert not jobs(w)
    w.edit(replicas=0)
    w.settle()
    assert (canary(w)["reason"], jobs(w)) == ("ScaledToZero", {})
    w.edit(replicas=4)
    w.settle()
    assert not jobs(w)
    w.pods_ready()
    w.settle()
    assert len(jobs(w)) == 1


@pytest.mark.parametrize("ends", [True, False])
def test_an_edited_one_has_to_succeed_itself(ends: bool) -> None:
    w = on_trial({**STEP, "approval": True})
    run(w, 10)
    first = set(jobs(w))
    if ends:
        w.job_condition, w.job_pod = PASSED, ended(0)
    run(w, 60)
    w.job_condition, w.job_pod = {}, {}
    stricter = {**SMOKE, "backoffLimit": 1}
    w.edit_rollout(steps=[{**STEP, "approval": True, "job": stricter}, LAST])
    say(w, "approve", 1)
    run(w, 60)
    assert (canary(w)["step"], canary(w)["reason"]) == (0, "StepJobRunning")
    assert only(w)["spec"]["backoffLimit"] == 1
    assert first.isdisjoint(jobs(w))
    w.job_condition, w.job_pod = PASSED, ended(0)
    w.settle()
    assert canary(w)["step"] == 1


def test_one_that_never_ends_is_not_waited_for_for_ever() -> None:
    w = on_trial({**STEP, "deadlineSeconds": 700})
    run(w, 1200, step=60)
    assert canary(w)["reason"] == "StepJobRunning"
    run(w, 300, step=60)
    assert (last(w)["reason"], last(w)["cause"]) == ("StepJobUnfinished", "Infrastructure")


def test_who_deletes_it_makes_it_run_no_second_time() -> None:
    w = on_trial(STEP)
    run(w, 10)
    w.others.pop(("Job", w.made_jobs[0]))
    run(w, 10)
    assert (last(w)["reason"], last(w)["cause"]) == ("StepJobUnfinished", "Infrastructure")
    assert len(w.made_jobs) == 1


def test_what_it_said_stays_said_when_it_is_gone() -> None:
    w = on_trial({**STEP, "approval": True})
    run(w, 10)
    w.job_condition = PASSED
    run(w, 60)
    assert canary(w)["reason"] == "AwaitingApproval"
    w.others.pop(("Job", w.made_jobs[0]))
    run(w, 600)
    assert canary(w)["reason"] == "AwaitingApproval"
    assert len(w.made_jobs) == 1


def test_each_step_and_each_trial_has_its_own() -> None:
    w = serving([STEP, {**LAST, "job": SMOKE}])
    w.job_condition = PASSED
    w.edit(model=model(B))
    run(w, 45)
    w.edit_rollout(restart={"revision": w.wanted()})
    run(w, 90)
    assert last(w)["outcome"] == "Promoted"
    assert len(set(w.made_jobs)) == len(w.made_jobs) == 4


@pytest.mark.parametrize("writes", range(8))
def test_a_crash_at_any_write_makes_one_job(writes: int) -> None:
    w = on_trial(STEP)
    w.settle()
    w.pods_ready()
    for _ in range(6):
        with contextlib.suppress(Crash):
            w.reconcile(crash_after=writes)
    w.settle()
    w.job_condition = PASSED
    run(w, 120)
    assert last(w)["outcome"] == "Promoted"
    assert len(w.made_jobs) == 1
