"""A Workflow trains for a run: what is made of it, what is kept of it, and how it stands."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.objects import Ref
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import timestamp
from evenkeel.training.engines.workflow import WORKFLOW_ENGINE, inert, problem
from evenkeel.training.environment import OPTIONAL, facts_of
from evenkeel.training.plan import plan_run
from evenkeel.training.snapshot import RunSnapshot
from evenkeel.training.workflow_nodes import REPORT_BYTES, slim_workflow
from hypothesis import given
from hypothesis import strategies as st

from tests.support import engine_runs
from tests.support.engine_runs import (
    LATE,
    NAME,
    NOW,
    REPORT,
    after,
    ended,
    env,
    json_objects,
    pod,
    said,
    started,
)

Json = dict[str, Any]
CONTAINER = {"name": "train", "container": {"image": "trainer:1", "env": [{"name": "A"}]}}
SPEC: Json = {"entrypoint": "train", "templates": [CONTAINER]}
DELETED = (Ref("argoproj.io/v1alpha1", "Workflow", "ml", NAME, "w1"),)
HOUR = NOW + timedelta(hours=1)


def run(spec: Json | None = None, **training: Any) -> TrainingRun:
    return engine_runs.run({"workflow": {"spec": spec or SPEC}, **training})


def made(subject: TrainingRun, champion: ModelVersion | None = None) -> Json:
    (manifest,) = plan_run(RunSnapshot(run=subject, now=NOW, champion=champion)).creates
    return manifest["spec"]


def plan(subject: TrainingRun, workflow: Json, *pods: Json, **more: Any) -> Plan:
    return engine_runs.plan(subject, slim_workflow(workflow), *pods, **more)


def workflow(
    phase: str = "", *, suspend: bool = False, deadline: int = 3600, **status: Any
) -> Json:
    spec = {"suspend": suspend, "activeDeadlineSeconds": deadline, "templates": [CONTAINER]}
    told: Json = {"phase": phase, "startedAt": timestamp(NOW), **status} if phase else {}
    if phase in ("Succeeded", "Failed", "Error"):
        told.setdefault("finishedAt", timestamp(NOW + timedelta(minutes=1)))
    return engine_runs.main(spec, told)


def node(name: str = NAME, type_: str = "Pod", phase: str = "Succeeded", **more: Any) -> Json:
    return {"id": name, "displayName": name, "type": type_, "phase": phase, **more}


def nodes(*several: Json) -> Json:
    return {n["id"]: n for n in several}


def outputs(value: str = REPORT, name: str = "result") -> Json:
    return {"parameters": [{"name": "other", "value": "x"}, {"name": name, "value": value}]}


# What is made.


def test_templates_get_the_environment_the_labels_and_the_parameters() -> None:
    several = {"containerSet": {"containers": [{"name": "a"}, {"name": "b"}]}}
    spec = {
        "entrypoint": "train",
        "serviceAccountName": "argo",
        "podMetadata": {"labels": {"team": "ml"}, "annotations": {"a": "b"}},
        "arguments": {"parameters": [{"name": "EPOCHS", "value": "1"}, {"name": "own"}]},
        "templates": [
            CONTAINER,
            {"name": "s", "script": {"source": "x", "env": [{"name": "EPOCHS", "value": "9"}]}},
            {"name": "c", **several},
            {"name": "steps", "steps": [[{"name": "a", "template": "train"}]]},
        ],
    }
    subject = run(spec, parameters={"EPOCHS": "3"}, timeoutSeconds=60)
    (manifest,) = engine_runs.plan(subject).creates
    assert (manifest["apiVersion"], manifest["kind"]) == ("argoproj.io/v1alpha1", "Workflow")
    assert manifest["metadata"]["ownerReferences"][0]["uid"] == "u1"
    given = manifest["spec"]
    assert (given["suspend"], given["activeDeadlineSeconds"]) == (False, 60)
    assert given["serviceAccountName"] == "argo"
    labels = given["podMetadata"]["labels"]
    assert (labels["team"], labels["evenkeel.dev/run"]) == ("ml", NAME)
    assert given["podMetadata"]["annotations"] == {"a": "b"}
    container, script, both, steps = given["templates"]
    assert env({"env": container["container"]["env"][:-1]})["EVENKEEL_RUN"] == NAME
    assert container["container"]["env"][-1] == {"name": "A"}
    assert env(script["script"])["EPOCHS"] == "9", "the container's own wins"
    assert [env(c)["EPOCHS"] for c in both["containerSet"]["containers"]] == ["3", "3"]
    assert steps == spec["templates"][3]  # type: ignore[index]
    values = {p["name"]: p.get("value") for p in given["arguments"]["parameters"]}
    assert (values["EPOCHS"], values["own"], values["EVENKEEL_MODEL"]) == ("3", None, "elec")
    assert len(values) == len(given["arguments"]["parameters"])


def test_a_workflow_template_of_the_users_gets_all_as_parameters() -> None:
    spec = {"workflowTemplateRef": {"name": "retrain"}}
    given = made(run(spec))
    assert given["workflowTemplateRef"] == {"name": "retrain"}
    assert "templates" not in given
    values = {p["name"]: p["value"] for p in given["arguments"]["parameters"]}
    assert values["EVENKEEL_RUN"] == NAME
    assert values["EVENKEEL_CHAMPION_URI"] == "", "a parameter that is missing fails in Argo"
    version = {"model": "elec", "uri": "s3://m/0", "format": {"name": "sklearn"}}
    champion = ModelVersion.model_validate({"metadata": {"name": "elec-0"}, "spec": version})
    later = made(run(spec), champion)
    values = {p["name"]: p["value"] for p in later["arguments"]["parameters"]}
    assert values["EVENKEEL_CHAMPION_URI"] == "s3://m/0"


def test_every_fact_that_a_run_may_lack_is_empty_then() -> None:
    objects = {"uri": "s3://b/p", "digest": "d"}
    causes = (
        {"type": "Data", "data": {"repo": "r", "rev": "0" * 40, "path": "p", "digest": "d"}},
        {"type": "Data", "objects": {**objects, "partition": "1", "time": timestamp(NOW)}},
    )
    places = ({"object": {"uri": "s3://abc/x"}}, {"mlflow": {"registry": "mlflow"}})
    version = {"model": "elec", "uri": "s3://m/0", "format": {"name": "sklearn"}}
    champion = ModelVersion.model_validate({"metadata": {"name": "elec-0"}, "spec": version})
    full = {
        name
        for cause in causes
        for place in places
        for name in facts_of(
            engine_runs.run({"workflow": {"spec": SPEC}, "resultFrom": place}, cause=cause),
            champion,
        )
    }
    plain = facts_of(run(), None)
    assert full - set(plain) == set(OPTIONAL)
    values = {p["name"]: p["value"] for p in made(run())["arguments"]["parameters"]}
    assert {name: values[name] for name in OPTIONAL} == dict.fromkeys(OPTIONAL, "")


def test_what_a_run_lacks_takes_nothing_of_the_users() -> None:
    mine = {"name": "MLFLOW_EXPERIMENT_NAME", "value": "nightly"}
    theirs = {"name": "EVENKEEL_CHAMPION", "value": "x"}
    spec = {**SPEC, "arguments": {"parameters": [mine, theirs]}}
    values = {p["name"]: p["value"] for p in made(run(spec))["arguments"]["parameters"]}
    assert values["MLFLOW_EXPERIMENT_NAME"] == "nightly"
    assert values["EVENKEEL_CHAMPION"] == ""


def test_the_deadline_of_argo_does_not_stand_still_and_is_not_used_with_suspension() -> None:
    given = made(run(suspend=True))
    assert given["suspend"] is True
    assert "activeDeadlineSeconds" not in given


@given(st.text(alphabet='{}a\\"$', max_size=12))
def test_no_value_reaches_argo_as_a_tag(text: str) -> None:
    assert "{{" not in inert(text)
    told = json.dumps({"alert": text})
    assert "{{" not in inert(told)
    assert json.loads(inert(told)) == {"alert": text}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({**SPEC, "workflowTemplateRef": {"name": "a"}}, "exactly one of templates or workflowT"),
        ({"entrypoint": "a"}, "exactly one of templates or workflowTemplateRef"),
        ({**SPEC, "activeDeadlineSeconds": 5}, "write training.timeoutSeconds in place of"),
        ({**SPEC, "suspend": True}, "write training.suspend in place of suspend"),
        ({**SPEC, "shutdown": "Stop"}, "take shutdown out"),
        ({**SPEC, "templates": ["a"]}, "templates must be a list of objects"),
        ({**SPEC, "templates": [{"name": "a", "container": 1}]}, "must be objects and their env"),
        ({**SPEC, "templates": [{"container": {"env": [{}]}}]}, "lists of objects with a name"),
        ({**SPEC, "arguments": {"parameters": [1]}}, "parameters must be a list of objects"),
        ({**SPEC, "podMetadata": {"labels": 1}}, "podMetadata.labels must be an object"),
    ],
)
def test_what_cannot_be_extended_is_told(spec: Json, words: str) -> None:
    found = problem(run(spec).spec.training)
    assert found is not None
    assert words in found


def test_parameters_that_argo_would_not_take_or_would_expand_are_told() -> None:
    assert "cannot be a parameter" in str(problem(run(parameters={"a.b": "1"}).spec.training))
    tag = run(parameters={"a": "{{workflow.uid}}"}).spec.training
    assert "which Argo would expand" in str(problem(tag))
    assert problem(run(parameters={"a": "{b}"}).spec.training) is None


@given(
    json_objects(
        (
            "entrypoint",
            "templates",
            "workflowTemplateRef",
            "arguments",
            "parameters",
            "podMetadata",
        ),
        ("labels", "name", "value", "container", "script", "containerSet", "containers", "env"),
    )
)
def test_no_spec_makes_it_raise(spec: Json) -> None:
    if problem(run({**spec, "x": 1}).spec.training) is None:
        assert made(run({**spec, "x": 1}))["podMetadata"]["labels"]


# What is kept.


def test_little_is_kept_of_a_large_workflow() -> None:
    many = nodes(*(node(f"n{i}", message="x" * 50, outputs=outputs()) for i in range(500)))
    whole = workflow("Running", nodes=many, storedTemplates={"a": "b" * 10**5}, progress="1/9")
    kept = slim_workflow(whole)
    assert len(json.dumps(kept)) < 1000
    assert kept["metadata"]["labels"] == {"evenkeel.dev/run": NAME}
    assert "managedFields" not in kept["metadata"]
    assert kept["status"]["progress"] == "1/9"


@given(
    json_objects(
        ("phase", "message", "startedAt", "nodes", "outputs", "parameters", "value", "progress"),
        ("type", "displayName", NAME, "result", "name", "compressedNodes", "finishedAt"),
        texts=("Failed", "Succeeded", "Pending", "Pod", timestamp(NOW)),
    )
)
def test_nothing_that_somebody_writes_into_it_stops_the_watch(status: Json) -> None:
    kept = slim_workflow(engine_runs.main({"activeDeadlineSeconds": 60}, status))
    assert json.dumps(kept)
    engine_runs.plan(started(run()), kept)


# How it stands.


def test_the_phases_of_a_workflow_that_goes_on() -> None:
    subject = started(run())
    assert said(plan(subject, workflow()))[1].startswith("Argo has not taken the Workflow up")
    first = workflow("Running", nodes=nodes(node(phase="Pending")), progress="0/1")
    assert said(plan(subject, first)) == ("Running", "0 of 1 steps are done")
    pulling = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    stuck = plan(subject, first, pod("main", "Pending", pulling))
    assert said(stuck) == ("Pending", "ImagePullBackOff: no such image")
    going = workflow("Running", nodes=nodes(node(phase="Running")), progress="1/3")
    assert said(plan(subject, going, pod("main"))) == ("Running", "1 of 3 steps are done")
    waits = node("b", phase="Pending", message="ImagePullBackOff: no such image")
    both = workflow("Running", nodes=nodes(node(phase="Running"), waits), progress="0/2")
    assert said(plan(subject, both, pod("main"))) == (
        "Running",
        "0 of 2 steps are done; ImagePullBackOff: no such image",
    )
    asks = workflow("Running", nodes=nodes(node("approve", "Suspend", "Running")))
    assert said(plan(subject, asks))[1] == "the step approve waits until somebody resumes it"
    lock = workflow("Pending", message="Waiting for ml/ConfigMap/lock. Lock status: 0/1")
    assert said(plan(subject, lock)) == ("Pending", lock["status"]["message"])


def test_what_argo_is_refused_is_told_with_the_remedy() -> None:
    words = 'pods "elec-1a" is forbidden: exceeded quota: q'
    waits = workflow("Running", nodes=nodes(node(phase="Pending", message=words)))
    reason, message = said(plan(started(run()), waits))
    assert (reason, words in message) == ("Pending", True)
    assert "have it raised; it is tried again by itself" in message


@pytest.mark.parametrize(
    "status",
    [
        {"nodes": nodes(node(outputs=outputs()))},
        {"nodes": nodes(node(type_="Retry", outputs=outputs()), node("elec-1a-1"))},
        {"outputs": outputs(), "compressedNodes": "H4sI"},
    ],
    ids=["entrypoint", "retried", "global"],
)
def test_the_output_parameter_result_is_the_report(status: Json) -> None:
    message = pod("main", "Succeeded", ended(0, "not the report"))
    done = plan(started(run()), workflow("Succeeded", **status), message)
    assert said(done)[0] == "Succeeded"
    (version,) = done.creates
    assert version["spec"]["uri"] == "s3://m/1"
    assert version["spec"]["trainedTime"] == timestamp(NOW + timedelta(minutes=1))
    assert done.deletes == ()


def test_without_it_the_termination_message_of_the_last_main_counts() -> None:
    pods = (
        pod("main", "Succeeded", ended(0, "an earlier step's", at=10), name="a"),
        pod("main", "Succeeded", ended(0, REPORT, at=50), name="b"),
        pod("main", "Succeeded", ended(0, at=55), name="c"),
        pod("main", "Failed", ended(1, "failed", at=58), name="d"),
    )
    steps = nodes(node(type_="Steps"), node("elec-1a-1", outputs=outputs("x", "accuracy")))
    assert said(plan(started(run()), workflow("Succeeded", nodes=steps), *pods))[0] == "Succeeded"


def test_the_pod_of_a_workflow_that_is_complete_is_waited_for() -> None:
    done = workflow("Succeeded", nodes=nodes(node()))
    soon = NOW + timedelta(seconds=70)
    for pods in ((), (pod("main"),)):
        waits = plan(started(run()), done, *pods, now=soon)
        assert said(waits)[1] == "the Workflow is complete; waiting for its pod's report"
        assert waits.requeue_after == 60
    assert said(plan(started(run()), done, now=LATE))[0] == "ReportLost"
    silent = pod("main", "Succeeded", ended(0))
    assert said(plan(started(run()), done, silent, now=soon))[0] == "InvalidResult"


@pytest.mark.parametrize(
    ("status", "where"),
    [
        ({"compressedNodes": "H4sI"}, "compressed (compressedNodes)"),
        ({"offloadNodeStatusVersion": "fnv:1"}, "in its database"),
    ],
)
def test_nodes_that_argo_hides_are_told_with_the_remedy(status: Json, where: str) -> None:
    silent = pod("main", "Succeeded", ended(0))
    reason, message = said(plan(started(run()), workflow("Succeeded", **status), silent, now=LATE))
    assert reason == "ReportLost"
    assert f"Argo keeps its nodes {where}" in message
    assert "give the parameter the globalName result" in message


def test_a_parameter_that_is_no_report_is_told_as_such() -> None:
    large = outputs('{"uri": "' + "x" * REPORT_BYTES)
    reason, message = said(plan(started(run()), workflow("Succeeded", outputs=large)))
    assert reason == "InvalidResult"
    assert message.startswith(f"the output parameter result was cut at {REPORT_BYTES} bytes")
    message = said(plan(started(run()), workflow("Succeeded", outputs=outputs("no"))))[1]
    assert "the output parameter result is not JSON" in message


def test_with_result_from_its_own_report_is_not_asked_for() -> None:
    there = {"object": {"uri": "s3://b/$(EVENKEEL_RUN)", "region": "eu"}}
    subject = run(resultFrom=there)
    assert {
        e["name"]: e.get("value", "") for e in made(subject)["templates"][0]["container"]["env"]
    }["EVENKEEL_RESULT_URI"].startswith("s3:")
    done = plan(started(subject), workflow("Succeeded", outputs=outputs("no")))
    assert said(done)[0] == "AwaitingResult"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"message": "main: Error (exit code 3): no data"}, "main: Error (exit code 3): no data"),
        ({}, "Argo gives no reason"),
        (
            {
                "message": "child 'train' failed",
                "nodes": nodes(
                    node("b", phase="Failed", message="later", finishedAt="2026-01-31T09:00:50Z"),
                    node("a", phase="Failed", message="no data", finishedAt="2026-01-31T09:00:40Z"),
                    node(type_="Steps", phase="Failed", message="child 'train' failed"),
                ),
            },
            "child 'train' failed: a: no data",
        ),
    ],
)
def test_a_failure_is_told_in_argo_s_words(status: Json, expected: str) -> None:
    failed = plan(started(run()), workflow("Failed", **status))
    assert said(failed) == ("TrainerFailed", expected)
    assert failed.deletes == ()
    assert said(plan(started(run()), workflow("Error", **status)))[0] == "TrainerFailed"


def test_a_spec_that_argo_refuses_is_an_invalid_template() -> None:
    words = "invalid spec: templates.train.outputs.result: valueFrom must be specified"
    reason, message = said(plan(started(run()), workflow("Failed", message=words)))
    assert reason == "InvalidTemplate"
    assert message == f"Argo refuses the Workflow: {words}; correct training.workflow.spec"


# Suspension and time.


def test_argo_s_deadline_is_the_run_s_and_keeps_the_workflow() -> None:
    over = {"message": "Step exceeded its deadline", "finishedAt": timestamp(HOUR)}
    late = plan(started(run()), workflow("Failed", **over))
    assert said(late)[0] == "TimedOut"
    assert late.deletes == ()
    of_a_step = workflow("Failed", message="Step exceeded its deadline")
    assert said(plan(started(run()), of_a_step))[0] == "TrainerFailed", "a template's own"


def test_the_run_s_clock_ends_what_argo_does_not() -> None:
    subject, going = started(run()), workflow("Running", progress="0/1")
    assert plan(subject, going, now=HOUR + timedelta(seconds=29)).requeue_after == 1
    over = plan(subject, going, now=HOUR + timedelta(seconds=30))
    assert said(over) == ("TimedOut", "the training took longer than timeoutSeconds 3600")
    assert over.deletes == DELETED
    never = plan(subject, workflow(), now=LATE)
    assert "Argo has not taken the Workflow up" in said(never)[1]


def test_the_time_stands_still_while_it_is_suspended_and_begins_anew_then() -> None:
    subject = started(run(suspend=True))
    held = workflow("Running", suspend=True)
    del held["spec"]["activeDeadlineSeconds"]
    waits = plan(subject, held, now=LATE)
    assert said(waits)[0] == "Suspended"
    assert "as training.suspend asks" in said(waits)[1]
    resumed = {**held, "spec": {}}
    going = after(subject, plan(after(subject, waits), resumed, now=LATE))
    assert plan(going, resumed, now=LATE + timedelta(minutes=59)).requeue_after == 60
    assert plan(going, resumed, now=LATE + timedelta(hours=1)).deletes == DELETED


def test_its_events_are_not_asked_for() -> None:
    assert WORKFLOW_ENGINE.events(workflow()) == ()
