"""Why pods are not ready, and where it is told."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.pods.diagnosis import first_diagnosis

from tests.support.rollout_world import World

JSON = dict[str, Any]
NOT_READY = {"type": "Ready", "status": "False"}
SPEC = {
    "model": {"uri": "s3://m/a", "format": {"name": "sklearn"}},
    "rollout": {"progressDeadlineSeconds": 60},
}


def pod(*conditions: JSON, kind: str = "containerStatuses", **container: Any) -> JSON:
    statuses = [{"name": "model", "ready": False, **container}] if container else []
    return {"metadata": {"name": "p"}, "status": {"conditions": list(conditions), kind: statuses}}


@pytest.mark.parametrize(
    ("found", "diagnosis"),
    [
        (pod(NOT_READY, state={"waiting": {"reason": "ContainerCreating"}}), ""),
        (pod(NOT_READY, state={"running": {}}), ""),
        (
            pod(
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "x",
                }
            ),
            "Unschedulable: x",
        ),
        (
            pod(
                NOT_READY,
                kind="initContainerStatuses",
                state={"waiting": {"reason": "ErrImagePull", "message": "no such image"}},
            ),
            "ErrImagePull: no such image",
        ),
        (
            pod(
                NOT_READY,
                state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
                lastState={"terminated": {"exitCode": 1, "message": "loading\nno model.joblib\n"}},
            ),
            "CrashLoopBackOff: container model: exit code 1: loading\nno model.joblib",
        ),
        (
            pod(
                NOT_READY,
                state={"running": {}},
                lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            ),
            "Restarted: container model: exit code 137 (OOMKilled)",
        ),
    ],
)
def test_a_diagnosis_is_in_the_words_of_scheduler_and_kubelet(found: JSON, diagnosis: str) -> None:
    assert first_diagnosis([found]) == diagnosis


def ending(words: str) -> JSON:
    return pod(
        NOT_READY,
        state={"waiting": {"reason": "CrashLoopBackOff"}},
        lastState={"terminated": {"exitCode": 0, "reason": "Completed", "message": words}},
    )


def test_the_end_of_long_last_words_is_kept() -> None:
    told = first_diagnosis([ending("x" * 3000 + "\n" + "y" * 500 + " no model.joblib")])
    assert told.startswith("CrashLoopBackOff: container model: exit code 0: ")
    assert told.endswith("no model.joblib")


def test_an_error_with_a_stack_below_it_is_among_the_last_words() -> None:
    stack = "\n".join(f"  [bt] ({n}) libxgboost.so(+0x2c1a8c)" for n in range(9))
    told = first_diagnosis([ending(f"Traceback\nInvalid model format\nStack trace:\n{stack}\n\n")])
    assert "Invalid model format" in told


def test_pods_that_are_ready_or_going_have_no_diagnosis() -> None:
    failing = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    ready = pod({"type": "Ready", "status": "True"}, state=failing)
    going = pod(NOT_READY, state=failing)
    going["metadata"]["deletionTimestamp"] = "2026-01-31T09:00:00Z"
    assert first_diagnosis([ready, going]) == ""
    assert first_diagnosis([ready, going, pod(NOT_READY, state=failing)]).startswith("ErrImagePull")


def message(w: World, type_: str = "Ready") -> str:
    return str(next(c["message"] for c in w.status["conditions"] if c["type"] == type_))


def test_first_revision_tells_why_it_does_not_start() -> None:
    w = World(SPEC)
    w.settle()
    (serving,) = w.pods.values()
    serving.diagnosis = "Unschedulable: no GPU"
    plan = w.settle()
    assert message(w) == "0 of 1 pods are ready: Unschedulable: no GPU"
    assert plan.requeue_after is None, "the watch on the pods tells of the next change"


def test_canary_tells_why_it_does_not_start_and_the_record_keeps_it() -> None:
    w = World(SPEC)
    w.settle()
    w.pods_ready()
    w.settle()
    w.edit(model={"uri": "s3://m/b", "format": {"name": "sklearn"}})
    w.settle()
    serving = w.pods[w.status["canary"]["revision"]]
    serving.diagnosis = "CrashLoopBackOff: container model: exit code 1"
    w.settle()
    assert message(w).endswith("0 of 1 pods ready: CrashLoopBackOff: container model: exit code 1")
    w.pass_time(61)
    w.settle()
    outcome = w.status["history"][0]
    assert outcome["reason"] == "ProgressDeadlineExceeded"
    assert outcome["message"].endswith("CrashLoopBackOff: container model: exit code 1")
