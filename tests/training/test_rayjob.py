"""A RayJob trains for a run: what is made of it, what is kept of it, and how it stands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.objects import Ref
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import timestamp
from evenkeel.training.engine import Observed
from evenkeel.training.engines.rayjob import (
    RAY_JOB_ENGINE,
    WORDS,
    problem,
    ray_job_state,
    slim_ray_job,
)
from hypothesis import given

from tests.support import engine_runs
from tests.support.engine_runs import (
    LATE,
    NAME,
    NOW,
    after,
    env,
    json_objects,
    pod,
    said,
    started,
)

Json = dict[str, Any]


def group(**more: Any) -> Json:
    own = [{"name": "OUT", "value": "s3://m/$(EVENKEEL_RUN)"}]
    containers = [{"name": "ray", "image": "ray", "env": own}, {"name": "agent"}]
    return {"template": {"spec": {"containers": containers}, **more}}


SPEC: Json = {
    "entrypoint": "python train.py",
    "rayClusterSpec": {
        "headGroupSpec": group(metadata={"labels": {"team": "ml"}, "annotations": {"a": "b"}}),
        "workerGroupSpecs": [group()],
    },
}
FROM = {"object": {"uri": "s3://m/results/$(EVENKEEL_RUN).json", "region": "eu"}}
DELETED = (Ref("ray.io/v1", "RayJob", "ml", NAME, "w1"),)
HOUR = NOW + timedelta(hours=1)


def run(spec: Json | None = None, **training: Any) -> TrainingRun:
    return engine_runs.run({"rayJob": {"spec": spec or SPEC}, "resultFrom": FROM, **training})


def plan(subject: TrainingRun, job: Json, *pods: Json, **more: Any) -> Plan:
    return engine_runs.plan(subject, slim_ray_job(job), *pods, **more)


def job(phase: str = "", *, suspend: bool = False, **status: Any) -> Json:
    spec = {"suspend": suspend, "activeDeadlineSeconds": 3600, "backoffLimit": 2, **SPEC}
    told = {"jobDeploymentStatus": phase, "rayClusterName": f"{NAME}-x1", **status}
    return engine_runs.main(spec, told if phase else {})


# What is made.


def test_head_and_workers_get_environment_and_labels() -> None:
    subject = run(parameters={"EPOCHS": "3"}, timeoutSeconds=60, retries=1)
    (made,) = engine_runs.plan(subject).creates
    assert (made["apiVersion"], made["kind"]) == ("ray.io/v1", "RayJob")
    assert made["metadata"]["labels"]["evenkeel.dev/run"] == NAME
    spec = made["spec"]
    chosen = ("entrypoint", "suspend", "activeDeadlineSeconds", "backoffLimit")
    assert [spec[key] for key in chosen] == ["python train.py", False, 60, 1]
    assert spec["shutdownAfterJobFinishes"] is True
    cluster = spec["rayClusterSpec"]
    for nodes in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert nodes["template"]["metadata"]["labels"]["evenkeel.dev/run"] == NAME
        ray, agent = nodes["template"]["spec"]["containers"]
        assert (env(ray)["EVENKEEL_RUN"], env(ray)["EPOCHS"]) == (NAME, "3")
        assert ray["env"][-1]["name"] == "OUT"
        assert agent == {"name": "agent"}
    meta = cluster["headGroupSpec"]["template"]["metadata"]
    assert (meta["labels"]["team"], meta["annotations"]) == ("ml", {"a": "b"})


def test_what_happens_to_the_cluster_afterwards_may_be_said() -> None:
    stays = engine_runs.plan(run({**SPEC, "shutdownAfterJobFinishes": False})).creates[0]
    assert stays["spec"]["shutdownAfterJobFinishes"] is False
    rules = {"deletionStrategy": {"deletionRules": []}}
    assert (
        "shutdownAfterJobFinishes"
        not in engine_runs.plan(run({**SPEC, **rules})).creates[0]["spec"]
    )


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({**SPEC, "suspend": True}, "write training.suspend in place of suspend"),
        ({**SPEC, "activeDeadlineSeconds": 1}, "write training.timeoutSeconds in place of"),
        ({**SPEC, "backoffLimit": 1}, "write training.retries in place of backoffLimit"),
        ({**SPEC, "entrypoint": ""}, "entrypoint must be the command that trains"),
        ({**SPEC, "clusterSelector": {"a": "b"}}, "take clusterSelector and jobId out"),
        ({"entrypoint": "a"}, "need a template with containers"),
        ({"entrypoint": "a", "rayClusterSpec": {"headGroupSpec": {}}}, "need a template with"),
        ({**SPEC, "rayClusterSpec": {"headGroupSpec": group(spec={"containers": []})}}, "need a"),
        (
            {**SPEC, "rayClusterSpec": {"headGroupSpec": group(), "workerGroupSpecs": [1]}},
            "workerGroupSpecs need a template",
        ),
        (
            {**SPEC, "rayClusterSpec": {"headGroupSpec": group(metadata={"labels": [1]})}},
            "need a template with containers",
        ),
    ],
)
def test_what_cannot_be_extended_is_told(spec: Json, words: str) -> None:
    found = problem(run(spec).spec.training)
    assert found is not None
    assert words in found


def test_it_needs_a_place_for_its_report() -> None:
    training = engine_runs.run({"rayJob": {"spec": SPEC}}).spec.training
    assert "needs training.resultFrom" in str(problem(training))


@given(
    json_objects(
        ("entrypoint", "rayClusterSpec", "headGroupSpec", "workerGroupSpecs", "template"),
        ("metadata", "labels", "spec", "containers", "env", "name"),
    )
)
def test_no_spec_makes_it_raise(spec: Json) -> None:
    if problem(run({**spec, "x": 1}).spec.training) is None:
        assert engine_runs.plan(run({**spec, "x": 1})).creates


# What is kept.


def test_little_is_kept_and_of_a_log_the_beginning_and_the_end() -> None:
    log = f"Job entrypoint command failed with exit code 1: {'x' * 20000} ValueError: no data"
    kept = slim_ray_job(job("Failed", message=log, rayClusterStatus={"a": "b" * 9999}))
    assert len(str(kept)) < WORDS + 1000
    words = kept["status"]["message"]
    assert words.startswith("Job entrypoint command failed")
    assert words.endswith("ValueError: no data")


# How it stands.


def test_the_states_of_a_ray_job_that_goes_on() -> None:
    subject = started(run())
    assert said(plan(subject, job()))[1].startswith("KubeRay has not taken the RayJob up")
    made = plan(subject, job("Initializing"), pod("ray", "Pending"))
    assert said(made) == ("Pending", "the Ray cluster is being made; 0 of 1 pods run")
    pulling = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    stuck = plan(subject, job("Initializing"), pod("ray", "Pending", pulling))
    assert said(stuck) == ("Pending", "ImagePullBackOff: no such image")
    submitted = plan(subject, job("Running"), pod("ray"))
    assert said(submitted) == ("Running", "the Ray job is being submitted; 1 of 1 pods run")
    trains = plan(subject, job("Running", jobStatus="RUNNING"), pod("ray"), pod("ray", at=1))
    assert said(trains) == ("Running", "the Ray job is running; 2 of 2 pods run")


def test_what_kuberay_is_refused_is_told() -> None:
    words = 'Failed to create head Pod ml/x, pods "x" is forbidden: exceeded quota: q'
    refused = plan(started(run()), job("Initializing"), refusal=words)
    assert f"no pod can be created: {words}" in said(refused)[1]
    assert "have it raised" in said(refused)[1]
    assert refused.requeue_after == 15
    assert plan(started(run()), job("Initializing")).requeue_after == 5, "Events may tell"


def test_success_has_no_report_of_its_own() -> None:
    done = job("Complete", jobStatus="SUCCEEDED")
    assert said(plan(started(run()), done))[0] == "AwaitingResult"
    at = timestamp(NOW + timedelta(minutes=5))
    done = job("Complete", jobStatus="SUCCEEDED", endTime=at)
    state = ray_job_state(started(run()), Observed(slim_ray_job(done)), NOW)
    assert (state.phase, state.report, state.completed, state.stop) == (
        "Succeeded",
        None,
        at,
        False,
    )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (job("Failed", reason="AppFailed", message="exit code 1"), "AppFailed: exit code 1"),
        (job("Failed", reason="SubmissionFailed"), "SubmissionFailed"),
        (job("Complete", jobStatus="STOPPED"), "the Ray job ended as STOPPED"),
    ],
)
def test_failures_are_told_in_kuberay_s_words(status: Json, expected: str) -> None:
    failed = plan(started(run()), status)
    assert said(failed) == ("TrainerFailed", expected)
    assert failed.deletes == ()


def test_what_kuberay_finds_invalid_is_an_invalid_template() -> None:
    words = "The RayJob metadata is invalid: RayJob name should be no more than 47 characters"
    refused = plan(
        started(run()), job("ValidationFailed", reason="ValidationFailed", message=words)
    )
    assert said(refused) == (
        "InvalidTemplate",
        f"KubeRay refuses the RayJob: {words}; correct training.rayJob.spec",
    )


def test_the_words_of_an_attempt_outlive_it() -> None:
    subject = started(run())
    retrying = plan(subject, job("Retrying", failed=1, reason="AppFailed", message="exit code 1"))
    before = "attempt 2 of 3; the one before: exit code 1: "
    assert said(retrying)[1] == f"{before}the Ray cluster is being made"
    again = plan(
        after(subject, retrying), job("Running", failed=1, jobStatus="RUNNING"), pod("ray")
    )
    assert said(again)[1] == f"{before}the Ray job is running; 1 of 1 pods run"


# Suspension and time.


def test_kuberay_s_deadline_is_told_and_the_run_s_ends_all_attempts() -> None:
    over = plan(started(run()), job("Failed", reason="DeadlineExceeded", message="passed"))
    assert said(over) == ("TimedOut", "the training took longer than timeoutSeconds 3600")
    assert over.deletes == ()
    subject, again = started(run()), job("Running", failed=1)
    assert plan(subject, again, now=HOUR + timedelta(seconds=29)).requeue_after == 1
    late = plan(subject, again, now=HOUR + timedelta(seconds=30))
    assert (said(late)[0], late.deletes) == ("TimedOut", DELETED)


def test_a_queue_holds_it_and_its_time_begins_anew() -> None:
    labels = {"kueue.x-k8s.io/queue-name": "gpus", "evenkeel.dev/run": NAME}
    subject, held = started(run(suspend=True)), job("Suspended", suspend=True)
    held["metadata"]["labels"] = labels
    waits = plan(subject, held, now=LATE)
    assert said(waits) == ("Suspended", "the RayJob waits in Kueue's queue gpus")
    going = after(subject, plan(after(subject, waits), job("Suspended"), now=LATE))
    assert said(plan(going, job("Suspended"), now=LATE))[0] == "Pending", "KubeRay is yet to see it"
    assert plan(going, job("Running"), now=LATE + timedelta(hours=2)).deletes == DELETED


def test_events_of_its_cluster_are_asked_for() -> None:
    assert RAY_JOB_ENGINE.events(job()) == ("involvedObject.uid=w1",)
    assert RAY_JOB_ENGINE.events(job("Running"))[1] == (
        "involvedObject.kind=RayCluster,involvedObject.name=elec-1a-x1"
    )
