"""Kubeflow Pipelines trains for a run: what it is asked, and how the run stands by its answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from evenkeel.api.common import TrainingTemplate
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.conditions import Condition
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import timestamp
from evenkeel.outside.pipelines import (
    Begin,
    Follow,
    Gone,
    Pipeline,
    Place,
    Refused,
    Run,
    Stands,
    Stop,
)
from evenkeel.outside.poll import Failure, Poll, Sighting
from evenkeel.outside.s3 import Content
from evenkeel.training.asking import TRIED, parting, question
from evenkeel.training.awaiting import question as report_question
from evenkeel.training.engine import Observed
from evenkeel.training.engines.pipelinerun import PIPELINE_RUN_ENGINE, problem
from evenkeel.training.plan import plan_run
from evenkeel.training.snapshot import RunSnapshot

Json = dict[str, Any]
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
NAME = "elec-1 u1"
URL = "https://kubeflow.example/pipeline"
RESULT = {"object": {"uri": "s3://results/$(EVENKEEL_RUN).json"}}
UNSEEN: Sighting[object] = Sighting()


def run(pipeline: Json | None = None, **training: Any) -> TrainingRun:
    chosen = {"url": URL, "pipelineName": "elec", "secretName": "kfp", **(pipeline or {})}
    return TrainingRun.model_validate(
        {
            "metadata": {
                "name": "elec-1",
                "namespace": "ml",
                "uid": "u1",
                "generation": 1,
                "creationTimestamp": timestamp(NOW),
            },
            "spec": {
                "model": "elec",
                "training": {"pipelineRun": chosen, "resultFrom": RESULT, **training},
            },
        }
    )


def answered(answer: object, now: datetime = NOW) -> Sighting[object]:
    return Sighting(answer, now, now)


def silent(last: object = None) -> Sighting[object]:
    why = Failure("SourceUnavailable", f"{URL}: cannot connect", NOW)
    return Sighting(last, NOW if last else None, NOW if last else None, why)


def plan(
    subject: TrainingRun,
    seen: Sighting[object] = UNSEEN,
    now: datetime = NOW,
    replaced_by: str | None = None,
) -> Plan:
    observed = Observed(outside=seen)
    return plan_run(RunSnapshot(run=subject, now=now, observed=observed, replaced_by=replaced_by))


def after(subject: TrainingRun, done: Plan) -> TrainingRun:
    metadata = {**subject.wire()["metadata"], "annotations": dict(done.annotations)}
    wire = {**subject.wire(), "metadata": metadata, "status": done.status.wire()}
    return TrainingRun.model_validate(wire)


def started(**training: Any) -> TrainingRun:
    return after(run(**training), plan(run(**training)))


def known(state: str = "RUNNING", **training: Any) -> TrainingRun:
    """A run of which it was seen that it is there."""
    return after(begun := started(**training), plan(begun, answered(Stands("r1", state))))


def ready(done: Plan) -> Condition:
    return done.status.conditions[0]  # type: ignore[attr-defined, no-any-return]


def said(done: Plan) -> tuple[str, str]:
    return ready(done).reason, ready(done).message


def asked(subject: TrainingRun, now: datetime = NOW) -> Any:
    found = question(subject, None, now)
    return None if found is None else found.question


# What is asked, and when.


def test_nothing_is_asked_before_the_status_and_the_record_say_that_it_trains() -> None:
    """A crash before has made nothing; one after it asks again, which makes nothing twice."""
    first = plan(run())
    assert asked(run()) is None
    assert (first.creates, first.requeue_after) == ((), 0.0)
    assert said(first) == ("Pending", "the PipelineRun is being asked for")
    assert first.status.start_time == timestamp(NOW)  # type: ignore[attr-defined]
    assert "startTime" in str(first.annotations)
    assert isinstance(asked(after(run(), first)), Begin)


def test_the_question_has_all_that_makes_the_run() -> None:
    chosen = {
        "pipelineId": "p1",
        "pipelineVersionId": "v1",
        "pipelineName": None,
        "namespace": "ml",
        "experimentName": "nightly",
        "pipelineRoot": "s3://runs",
        "serviceAccount": "trainer",
        "intervalSeconds": 30,
    }
    subject = run(chosen, parameters={"epochs": "20", "c": "0.5"})
    poll = question(after(subject, plan(subject)), champion(), NOW)
    assert poll is not None
    wanted: Any = poll.question
    assert poll == Poll("pipelines", URL, wanted, 30.0, "kfp")
    assert (wanted.name, wanted.place) == (NAME, Place("ml", "", "nightly"))
    assert wanted.run == Run(
        Pipeline("p1", "v1", namespace="ml"),
        parameters=(("c", "0.5"), ("epochs", "20")),
        root="s3://runs",
        service_account="trainer",
        description="Trains elec for TrainingRun ml/elec-1: manual",
    )
    facts = dict(wanted.run.facts)
    assert facts["evenkeel_run"] == "elec-1"
    assert facts["evenkeel_result_uri"] == "s3://results/elec-1.json"
    assert facts["evenkeel_champion_uri"] == "s3://m/0"
    assert facts["evenkeel_parameters"] == '{"c":"0.5","epochs":"20"}'


def champion() -> ModelVersion:
    spec = {"model": "elec", "uri": "s3://m/0", "format": {"name": "sklearn"}}
    return ModelVersion.model_validate({"metadata": {"name": "elec-0"}, "spec": spec})


def test_another_champion_is_no_other_question() -> None:
    """A question that changed while it is answered would be asked anew beside it."""
    assert question(started(), champion(), NOW) == question(started(), None, NOW)


def test_a_run_that_is_known_is_followed() -> None:
    assert asked(known()) == Follow(NAME, Place(), "r1")
    first = plan(started(), answered(Stands("r1", "PENDING")))
    assert first.requeue_after == 0.0, "the next question is another"


def test_nothing_is_asked_of_a_run_that_has_ended_there_or_came_back() -> None:
    for state in ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"):
        assert asked(known(state)) is None
    later = timestamp(NOW + timedelta(hours=1))
    metadata = {**known().wire()["metadata"], "creationTimestamp": later}
    restored = TrainingRun.model_validate({**known().wire(), "metadata": metadata})
    assert asked(restored) is None
    assert ready(plan(restored)).reason == "Restored"


def test_names_are_checked_before_anything_is_asked() -> None:
    assert "name in training.resultFrom" in str(problem(TrainingTemplate()))
    failed = plan(run(parameters={"evenkeel_run": "x"}))
    assert ready(failed).reason == "InvalidTemplate"
    assert "begins with evenkeel_, by which a pipeline gets the facts" in ready(failed).message
    assert asked(after(run(), failed)) is None
    training = TrainingTemplate.model_validate(
        {"resultFrom": {"mlflow": {"registry": "r"}}, "parameters": {"mlflow_run_context": "{}"}}
    )
    assert "is what training.resultFrom gives the pipeline" in str(problem(training))


# How it stands.


def test_what_is_known_is_in_the_status() -> None:
    done = plan(started(), answered(Stands("r1", "PENDING")))
    status: Any = done.status
    assert status.run.wire() == {
        "engine": "pipelineRun",
        "name": "r1",
        "url": f"{URL}/#/runs/details/r1",
        "lastSeen": "PENDING",
    }
    assert status.job is None, "there is no object in the cluster"
    assert said(done) == ("Pending", "run r1: PENDING")
    assert [(e.reason, e.message) for e in done.events] == [
        ("PipelineRunCreated", f"PipelineRun r1: {URL}/#/runs/details/r1")
    ]
    again = plan(after(started(), done), answered(Stands("r1", "RUNNING")))
    assert (said(again), again.events) == (("Running", "run r1: RUNNING"), ())
    assert again.status.run.last_seen == "RUNNING"  # type: ignore[attr-defined]


def test_links_lead_to_the_pages_of_people() -> None:
    subject = run({"uiUrl": "https://kubeflow.example/_/pipeline/"})
    done: Any = plan(after(subject, plan(subject)), answered(Stands("r1", "PENDING")))
    assert done.status.run.url == "https://kubeflow.example/_/pipeline/#/runs/details/r1"


@pytest.mark.parametrize(
    ("state", "phase", "words"),
    [
        ("", "Pending", "run r1: PENDING"),
        ("PENDING", "Pending", "run r1: PENDING"),
        ("RUNNING", "Running", "run r1: RUNNING"),
        ("PAUSED", "Running", "run r1: PAUSED: it is paused; resume it in Kubeflow Pipelines"),
        ("CANCELING", "Running", "run r1: CANCELING: it is being terminated"),
        ("SOMETHING_NEW", "Running", "run r1: SOMETHING_NEW"),
        ("FAILED", "TrainerFailed", "run r1: FAILED: its page tells more"),
        ("CANCELED", "TrainerFailed", "run r1: CANCELED: it was terminated in Kubeflow Pipelines"),
        (
            "SKIPPED",
            "TrainerFailed",
            "run r1: SKIPPED: it was skipped, so that nothing was trained",
        ),
    ],
)
def test_each_state(state: str, phase: str, words: str) -> None:
    done = plan(started(), answered(Stands("r1", state)))
    assert said(done) == (phase, words)


def test_a_failure_has_the_server_s_words() -> None:
    done = plan(known(), answered(Stands("r1", "FAILED", "task train failed: exit code 1")))
    assert said(done) == ("TrainerFailed", "run r1: FAILED: task train failed: exit code 1")
    assert done.status.run.last_seen == "FAILED"  # type: ignore[attr-defined]


def test_what_the_server_refuses_fails_the_run() -> None:
    refused = Refused("parameter(s) provided are not required by pipeline: colour")
    assert said(plan(started(), answered(refused))) == (
        "InvalidTemplate",
        "Kubeflow Pipelines refused the run: parameter(s) provided are not required by pipeline: "
        "colour; correct training.pipelineRun or training.parameters",
    )


def test_a_run_that_vanishes_is_lost_and_not_made_again() -> None:
    for subject in (known(), started()):
        lost = plan(subject, answered(Gone()))
        assert (ready(lost).reason, ready(lost).status) == ("PipelineRunLost", "False")
        assert "was deleted in Kubeflow Pipelines before its end was seen" in ready(lost).message
    ended = after(known(), plan(known(), answered(Gone())))
    assert ended.status.run is not None
    assert (ended.status.run.name, ended.status.run.last_seen) == ("r1", "GONE")
    assert asked(ended) is None


def test_a_run_that_lost_its_status_finds_its_own_again() -> None:
    """Its record tells that it trains; name and UID are the same."""
    subject = TrainingRun.model_validate({**known().wire(), "status": {}})
    assert isinstance(asked(subject), Begin)
    found: Any = plan(subject, answered(Stands("r1", "RUNNING")))
    assert (said(found), found.status.run.name) == (("Running", "run r1: RUNNING"), "r1")


# While it cannot be reached.


def test_one_that_cannot_be_asked_yet_is_waited_for() -> None:
    waits = plan(started(), silent())
    assert ready(waits).status == "Unknown"
    assert said(waits) == (
        "SourceUnavailable",
        f"Kubeflow Pipelines is asked for the run; {URL}: cannot connect",
    )
    assert waits.requeue_after == 3600.0


def test_a_server_that_fails_takes_nothing_away() -> None:
    for hours in range(10):
        subject = known(timeout_seconds=43200)
        now = NOW + timedelta(hours=hours)
        for seen in (silent(Stands("r1", "RUNNING")), silent()):
            down = plan(subject, seen, now)
            assert ready(down).status == "Unknown"
            assert said(down) == (
                "SourceUnavailable",
                f"run r1: RUNNING when last seen; {URL}: cannot connect",
            )
            assert down.status.run == subject.status.run  # type: ignore[attr-defined]


def test_a_process_that_starts_says_what_the_last_one_saw() -> None:
    assert said(plan(known())) == ("Running", "run r1: RUNNING")
    assert plan(known()).status == known().status


# Its end.


def test_the_time_out_is_the_run_s_own_and_ends_it_there() -> None:
    late = NOW + timedelta(hours=1)
    assert plan(known(), answered(Stands("r1", "RUNNING"))).requeue_after == 3600.0
    over = plan(known(), answered(Stands("r1", "RUNNING"), late), late)
    assert said(over) == (
        "TimedOut",
        "the training took longer than timeoutSeconds 3600: run r1: RUNNING",
    )
    assert asked(after(known(), over), late) == Stop(NAME, Place(), "r1")


def test_one_that_was_never_reached_times_out_with_the_cause() -> None:
    late = NOW + timedelta(hours=1, seconds=90)
    over = plan(started(), silent(), late)
    assert ready(over).reason == "TimedOut"
    assert ready(over).message.endswith("asked for the run; " + f"{URL}: cannot connect")
    assert asked(after(started(), over), late) == Stop(NAME, Place()), "it may have been made"


REPORT = '{"uri": "s3://m/1", "format": {"name": "sklearn"}, "metrics": {"accuracy": 0.9}}'
AT = "2026-01-31T09:05:00Z"


def test_its_result_is_read_once_it_has_succeeded_and_the_version_links_to_it() -> None:
    done = plan(known(), answered(Stands("r1", "SUCCEEDED", finished=AT)))
    assert said(done)[0] == "AwaitingResult"
    assert done.status.trained_time == AT  # type: ignore[attr-defined]
    subject = after(known(), done)
    assert asked(subject) is None, "it stays as it is"
    waits = RunSnapshot(run=subject, now=NOW)
    report = report_question(waits)
    assert isinstance(report, Poll)
    assert report.kind == "s3"
    made = plan_run(replace(waits, sighting=answered(Content(REPORT, AT))))
    (version,) = made.creates
    assert version["spec"]["run"] == {
        "engine": "pipelineRun",
        "name": "r1",
        "url": f"{URL}/#/runs/details/r1",
    }
    assert version["spec"]["trainedTime"] == AT


def test_its_result_is_asked_for_as_soon_as_it_is_seen_to_have_succeeded() -> None:
    seen = Observed(outside=answered(Stands("r1", "SUCCEEDED")))
    assert isinstance(report_question(RunSnapshot(run=known(), now=NOW, observed=seen)), Poll)
    assert report_question(RunSnapshot(run=run(), now=NOW)) is None, "it has not begun"
    seen = Observed(outside=answered(Stands("r1", "RUNNING")))
    assert report_question(RunSnapshot(run=known(), now=NOW, observed=seen)) is None


def test_one_that_succeeded_at_the_last_moment_has_succeeded() -> None:
    late = NOW + timedelta(hours=2)
    done = plan(known(), answered(Stands("r1", "SUCCEEDED")), late)
    assert ready(done).reason == "AwaitingResult"


def test_an_answer_of_before_the_time_was_over_ends_nothing() -> None:
    late = NOW + timedelta(hours=1, seconds=1)
    old = answered(Stands("r1", "RUNNING"), late - timedelta(seconds=14))
    waits = plan(known(), old, late)
    assert (said(waits), waits.requeue_after) == (("Running", "run r1: RUNNING"), 15.0)
    assert asked(after(known(), waits), late) == Follow(NAME, Place(), "r1"), "it is not ended"
    done = plan(after(known(), waits), answered(Stands("r1", "SUCCEEDED"), late), late)
    assert ready(done).reason == "AwaitingResult"


@pytest.mark.parametrize("last", [None, Stands("r1", "RUNNING")], ids=["none", "old"])
def test_an_answer_that_does_not_come_is_waited_for_until_it_was_due_twice(last: object) -> None:
    soon, late = NOW + timedelta(hours=1, seconds=89), NOW + timedelta(hours=1, seconds=90)
    assert ready(plan(known(), silent(last), soon)).reason == "SourceUnavailable"
    assert ready(plan(known(), silent(last), late)).reason == "TimedOut"


def test_one_that_nobody_has_asked_for_since_its_time_was_over_is_asked_for_first() -> None:
    late = NOW + timedelta(hours=2)
    away = plan(known(), now=late)
    assert (said(away), away.requeue_after) == (("Running", "run r1: RUNNING"), 15.0)
    assert ready(plan(known(), silent(), late)).reason == "TimedOut"


def test_a_run_that_is_replaced_is_ended_there() -> None:
    replaced = plan(known(), answered(Stands("r1", "RUNNING")), replaced_by="elec-2")
    assert ready(replaced).reason == "Replaced"
    assert asked(after(known(), replaced)) == Stop(NAME, Place(), "r1")
    early = plan(run(), replaced_by="elec-2")
    assert ready(early).reason == "Replaced"
    assert asked(after(run(), early)) is None, "it was never asked for"


def test_a_run_on_its_way_out_is_ended_there_also_from_one_moment_to_the_next() -> None:
    metadata = {**known().wire()["metadata"], "deletionTimestamp": timestamp(NOW)}
    leaving = TrainingRun.model_validate({**known().wire(), "metadata": metadata})
    assert asked(leaving) == Stop(NAME, Place(), "r1")
    last = parting(known())
    assert last is not None
    assert last.question == Stop(NAME, Place(), "r1")
    unseen = parting(started())
    assert unseen is not None
    assert unseen.question == Stop(NAME, Place()), "it may have been made"
    assert parting(run()) is None
    assert parting(known("SUCCEEDED")) is None
    assert parting(ended(known())) == last, "what it is asked already goes on"


def ended(subject: TrainingRun) -> TrainingRun:
    return after(subject, plan(subject, replaced_by="elec-2"))


def test_it_is_asked_to_end_until_it_has() -> None:
    subject = ended(known())
    ending = plan(subject, answered(Stands("r1", "CANCELING")))
    assert ending.requeue_after is not None
    assert ready(ending).reason == "Replaced"
    subject = after(subject, ending)
    assert asked(subject) == Stop(NAME, Place(), "r1")
    over = plan(subject, answered(Stands("r1", "CANCELED")))
    assert over.status.run.last_seen == "CANCELED"  # type: ignore[attr-defined]
    assert asked(after(subject, over)) is None


def test_that_there_is_none_is_believed_once_no_request_can_be_under_way() -> None:
    subject = ended(started())
    early = plan(subject, answered(Gone(), NOW + timedelta(seconds=59)))
    assert asked(after(subject, early)) == Stop(NAME, Place())
    late = plan(subject, answered(Gone(), NOW + timedelta(seconds=60)))
    subject = after(subject, late)
    assert subject.status.run is not None
    assert (subject.status.run.name, subject.status.run.last_seen) == ("", "GONE")
    assert asked(subject) is None


def test_a_server_that_stays_away_is_not_asked_for_ever() -> None:
    subject = ended(known())
    assert asked(subject, NOW + TRIED - timedelta(seconds=1)) is not None
    assert asked(subject, NOW + TRIED) is None
    assert plan(subject, now=NOW + TRIED).requeue_after is None


def test_there_is_nothing_of_it_in_the_cluster() -> None:
    assert (PIPELINE_RUN_ENGINE.kind, PIPELINE_RUN_ENGINE.path) == (
        "PipelineRun",
        "training.pipelineRun",
    )
    assert (PIPELINE_RUN_ENGINE.watches, PIPELINE_RUN_ENGINE.integration) == ((), "")
