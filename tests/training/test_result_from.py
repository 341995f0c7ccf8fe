"""A report that is read outside: it is waited for, and becomes a version or a clear failure."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from evenkeel.api.common import TrainingTemplate
from evenkeel.api.resultfrom import ResultFrom
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.conditions import Condition
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import timestamp
from evenkeel.outside.poll import Failure, Poll, Sighting
from evenkeel.outside.s3 import Absent, Bucket, Content, Read, TooLarge
from evenkeel.training import template
from evenkeel.training.awaiting import ABSENT, UNREADABLE, question
from evenkeel.training.engine import Observed
from evenkeel.training.engines.job import training_job
from evenkeel.training.plan import plan_run
from evenkeel.training.results import SOURCES
from evenkeel.training.run_state import finished, succeeded
from evenkeel.training.snapshot import RunSnapshot

from tests.support.retraining import TRAINING
from tests.training.test_trainingrun import COMPLETE, NOW, REPORT, after, finished_pod, job, pod
from tests.training.test_trainingrun import run as plain_run

OBJECT = {"uri": "s3://runs/$(EVENKEEL_RUN)/report.json", "region": "eu-1", "secretName": "s3"}
URI = "s3://runs/elec-1a/report.json"
GONE = Absent("The specified key does not exist.")


def run(**place: Any) -> TrainingRun:
    training = {**TRAINING, "resultFrom": {"object": {**OBJECT, **place}}}
    return plain_run(training=training)


def content(text: str = REPORT, modified: datetime = NOW) -> Content:
    return Content(text, timestamp(modified))


def seen(answer: object, since: datetime = NOW, failure: str = "") -> Sighting[Any]:
    failed = Failure("SourceUnavailable", failure, since) if failure else None
    return Sighting(answer, since if answer else None, since, failed)


def plan(
    subject: TrainingRun, *pods: Any, main: Any = None, now: datetime = NOW, **more: Any
) -> Plan:
    observed = Observed(main, {"Pod": pods})
    return plan_run(RunSnapshot(run=subject, now=now, observed=observed, **more))


def asked(subject: TrainingRun, *pods: Any, main: Any = None) -> Poll | str | None:
    return question(RunSnapshot(run=subject, now=NOW, observed=Observed(main, {"Pod": pods})))


def started(subject: TrainingRun) -> TrainingRun:
    return after(subject, plan(subject))


def trained(subject: TrainingRun) -> TrainingRun:
    """The run once its Job has succeeded."""
    begun = started(subject)
    return after(begun, plan(begun, main=job(COMPLETE)))


def ready(done: Plan) -> Condition:
    return done.status.conditions[0]  # type: ignore[attr-defined, no-any-return]


def test_the_table_has_an_entry_for_each_field_of_the_api() -> None:
    assert tuple(s.field for s in SOURCES) == tuple(ResultFrom.model_fields)


def test_the_trainer_learns_where_to_write() -> None:
    trainer = training_job(run())["spec"]["template"]["spec"]["containers"][0]
    given = {e["name"]: e["value"] for e in trainer["env"]}
    assert given["EVENKEEL_RESULT_URI"] == URI
    assert "EVENKEEL_RESULT_URI" not in str(training_job(plain_run()))


def test_it_is_asked_for_once_the_training_has_succeeded() -> None:
    subject = started(run())
    assert asked(run()) is None
    assert asked(subject, pod("Running"), main=job()) is None
    assert asked(subject, main=job(uid="another")) is None
    assert asked(plain_run(), finished_pod(), main=job(COMPLETE)) is None
    read = Read(Bucket("runs", "eu-1", False), "elec-1a/report.json", 65536)
    expected = Poll("s3", "https://runs.s3.eu-1.amazonaws.com", read, 10.0, "s3")
    assert asked(subject, finished_pod(), main=job(COMPLETE)) == expected
    assert asked(subject, main=job(COMPLETE)) == expected, "no pod is needed"
    assert asked(trained(run())) == expected, "nor the Job"
    over = after(trained(run()), plan(trained(run()), sighting=seen(content())))
    assert asked(over) is None


def test_an_endpoint_is_asked_in_its_own_way() -> None:
    found = asked(trained(run(endpoint="https://minio.example", secretName=None)))
    assert isinstance(found, Poll)
    assert (found.url, found.secret) == ("https://minio.example", "")
    found = asked(trained(run(endpoint="https://oss.example", addressing="VirtualHost")))
    assert isinstance(found, Poll)
    assert found.url == "https://runs.oss.example"


def test_the_termination_message_does_not_count() -> None:
    done = plan(started(run()), finished_pod(REPORT), main=job(COMPLETE))
    assert (ready(done).status, ready(done).reason) == ("Unknown", "AwaitingResult")
    assert ready(done).message == f"the training has succeeded; its report at {URI} is being read"
    assert (done.creates, done.deletes) == ((), ())
    assert not finished(after(run(), done))


def test_an_answer_becomes_a_version_with_the_time_of_the_training() -> None:
    subject = trained(run())
    late = NOW + timedelta(minutes=5)
    done = plan(subject, now=late, sighting=seen(content(modified=late)))
    (version,) = done.creates
    assert (version["kind"], version["spec"]["uri"]) == ("ModelVersion", "s3://m/1")
    assert version["spec"]["trainedTime"] == timestamp(NOW)
    assert succeeded(after(subject, done))


def test_a_report_may_be_larger_than_a_termination_message() -> None:
    slices = [{"name": f"slice-{n}", "metrics": {"accuracy": 0.9}} for n in range(64)]
    text = json.dumps({**json.loads(REPORT), "slices": slices}, indent=4)
    assert len(text) > 4096
    done = plan(trained(run()), sighting=seen(content(text)))
    assert len(done.creates[0]["spec"]["slices"]) == 64


@pytest.mark.parametrize("main", [None, job(COMPLETE)], ids=["deleted", "there"])
def test_what_is_not_there_is_waited_for_ten_minutes(main: Any) -> None:
    subject, since = trained(run()), NOW + timedelta(seconds=3)
    soon = plan(subject, main=main, now=since, sighting=seen(GONE, since))
    assert ready(soon).reason == "AwaitingResult"
    assert ready(soon).message == (
        f"the training has succeeded; there is no report at {URI}: The specified key does not "
        "exist.; it is waited for until 2026-01-31T09:10:03Z"
    )
    assert soon.requeue_after == ABSENT.total_seconds()
    missing = plan(subject, main=main, now=since + ABSENT, sighting=seen(GONE, since))
    assert (ready(missing).status, ready(missing).reason) == ("False", "ResultMissing")
    assert "for 10 minutes there is no report at" in ready(missing).message
    assert missing.creates == ()


def test_other_words_for_it_begin_no_ten_minutes_anew() -> None:
    subject, since = trained(run()), NOW + timedelta(seconds=3)
    subject = after(subject, plan(subject, now=since, sighting=seen(GONE, since)))
    later = since + timedelta(minutes=9)
    down = seen(GONE, since, failure="https://s3.example: cannot connect")
    subject = after(subject, plan(subject, now=later, sighting=down))
    other = seen(Absent("Not Found"), later)
    waits = plan(subject, now=later, sighting=other)
    assert ready(waits).message.endswith(
        "Not Found; it is waited for until 2026-01-31T09:10:03Z",
    )
    assert waits.requeue_after == 60.0
    subject = after(subject, waits)
    missing = plan(subject, now=since + ABSENT, sighting=other)
    assert ready(missing).reason == "ResultMissing"


def test_a_place_that_cannot_be_asked_takes_no_training_away_for_a_day() -> None:
    subject = trained(run())
    for answer in (None, GONE):
        down = seen(answer, failure="https://s3.example gave no whole answer in 20 s")
        hours = plan(subject, now=NOW + timedelta(hours=9), sighting=down)
        assert ready(hours).reason == "AwaitingResult"
        assert f"its report at {URI} cannot be read: https://s3.example" in ready(hours).message
        over = plan(subject, now=NOW + UNREADABLE, sighting=down)
        assert ready(over).reason == "ResultMissing"
        assert "gave no whole answer in 20 s" in ready(over).message


def test_a_report_counts_though_its_place_fails_since() -> None:
    assert plan(trained(run()), sighting=seen(content(), failure="down")).creates


def test_a_report_of_an_earlier_run_of_that_name_is_none() -> None:
    subject = trained(run())
    old = seen(content(modified=NOW - timedelta(minutes=11)))
    done = plan(subject, sighting=old)
    assert ready(done).reason == "AwaitingResult"
    assert "written at 2026-01-31T08:49:00Z, before this run began" in ready(done).message
    assert plan(subject, sighting=seen(content(modified=NOW - timedelta(minutes=9)))).creates
    assert plan(subject, sighting=seen(Content(REPORT, ""))).creates, "no time is told"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (content(""), f"the trainer left no report at {URI}; write one JSON object there, such as"),
        (content("ok"), f"the report at {URI} is not JSON"),
        (content("[]"), f"the report at {URI} is not a JSON object"),
        (content("\udcff"), f"the report at {URI} is not JSON"),
        (content("{}"), "uri: Field required"),
        (content("{" + " " * 5000), f"the report at {URI} is not JSON"),
        (TooLarge(65536), f"the report at {URI} is larger than 64 KiB"),
    ],
    ids=["empty", "text", "list", "octets", "fields", "long", "large"],
)
def test_a_report_that_cannot_be_used_ends_the_run(answer: object, says: str) -> None:
    done = plan(trained(run()), sighting=seen(answer))
    assert (ready(done).reason, done.creates) == ("InvalidResult", ())
    assert says in ready(done).message


def test_a_run_that_is_replaced_waits_no_longer() -> None:
    subject = trained(run())
    assert ready(plan(subject, replaced_by="elec-2b")).reason == "Replaced"
    kept = plan(subject, replaced_by="elec-2b", sighting=seen(content()))
    assert ready(kept).reason == "Succeeded", "a result that is there is kept"


def test_what_a_sidecar_leaves_running_is_stopped_meanwhile() -> None:
    ended = NOW - timedelta(seconds=4)
    left = pod("Running", terminated={"exitCode": 0, "finishedAt": timestamp(ended)})
    left["status"]["containerStatuses"][0]["state"] = {"running": {}}
    begun = started(run())
    first = plan(begun, left, main=job())
    assert (ready(first).reason, first.deletes, first.requeue_after) == ("AwaitingResult", (), 6.0)
    then = plan(after(begun, first), left, main=job(), now=NOW + timedelta(seconds=6))
    assert [ref.kind for ref in then.deletes] == ["Job"]
    assert ready(then).reason == "AwaitingResult"
    gone = after(begun, then)
    assert plan(gone, now=NOW + timedelta(hours=1), sighting=seen(content())).creates


def test_an_integration_that_is_switched_off_meanwhile_takes_no_report_away() -> None:
    subject = trained(run())
    assert plan(subject, switched_off=True, sighting=seen(content())).creates


def test_a_place_that_this_release_does_not_know_is_refused() -> None:
    unknown = TrainingTemplate.model_validate({**TRAINING, "resultFrom": {"pigeon": {}}})
    assert template.problem(unknown) == "training.resultFrom needs exactly one of object, mlflow"
