"""A run that had an earlier life trains nothing again, and keeps the end that it had."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from evenkeel.api.record import RECORD
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.conditions import find
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import timestamp
from evenkeel.training.engine import Observed
from evenkeel.training.plan import plan_run
from evenkeel.training.restored import created
from evenkeel.training.run_state import finished, outcomes, succeeded
from evenkeel.training.snapshot import RunSnapshot
from hypothesis import given
from hypothesis import strategies as st

from tests.support.retraining import TRAINING

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
REPORT = json.dumps({"uri": "s3://m/1", "format": {"name": "sklearn"}})
Json = dict[str, Any]


def run(**spec: Any) -> Json:
    return {
        "metadata": {
            "name": "elec-1a",
            "namespace": "ml",
            "uid": "u1",
            "generation": 1,
            "creationTimestamp": timestamp(NOW),
            "labels": {"evenkeel.dev/schedule": "elec"},
        },
        "spec": {"model": "elec", "training": TRAINING, **spec},
    }


def job(phase: str, owner: str = "u1") -> Json:
    owners = [{"apiVersion": "evenkeel.dev/v1alpha1", "kind": "TrainingRun", "name": "elec-1a"}]
    meta = {
        "name": "elec-1a",
        "uid": "j1",
        "labels": {"evenkeel.dev/run": "elec-1a"},
        "ownerReferences": [{**owners[0], "uid": owner, "controller": True}] if owner else [],
    }
    condition = {"type": phase, "status": "True", "lastTransitionTime": timestamp(NOW)}
    return {"metadata": meta, "status": {"conditions": [condition] if phase else []}}


def pod() -> Json:
    state = {"terminated": {"exitCode": 0, "message": REPORT}}
    statuses = [{"name": "trainer", "state": state}]
    return {
        "metadata": {"name": "p", "creationTimestamp": timestamp(NOW)},
        "status": {"phase": "Succeeded", "containerStatuses": statuses},
    }


def plan(obj: Json, now: datetime = NOW, main: Json | None = None) -> Plan:
    observed = Observed(main, {"Pod": (pod(),)} if main else {})
    return plan_run(RunSnapshot(TrainingRun.model_validate(obj), now, observed))


def after(obj: Json, done: Plan) -> Json:
    """The object as the API server has it once the plan is written."""
    annotations = {**obj["metadata"].get("annotations", {}), **done.annotations}
    metadata = {**obj["metadata"], "annotations": annotations}
    return {**obj, "metadata": metadata, "status": done.status.wire()}


def again(obj: Json) -> Json:
    """The object as a backup tool brings it back."""
    fresh = {"uid": "u2", "creationTimestamp": timestamp(LATER)}
    return {"metadata": {**obj["metadata"], **fresh}, "spec": obj["spec"]}


def ready(obj: Json) -> tuple[str, str]:
    found = find(TrainingRun.model_validate(obj).status.conditions, "Ready")
    assert found is not None
    return found.status, found.reason


def settle(obj: Json, main: Json | None = None, now: datetime = LATER) -> Json:
    """Planned until nothing changes; no plan on the way may train."""
    for _ in range(5):
        done = plan(obj, now, main)
        assert not done.creates
        if main is not None and main["metadata"]["uid"] in {r.uid for r in done.deletes}:
            main = None
        before, obj = obj, after(obj, done)
        if obj == before:
            return obj
    raise AssertionError("it does not settle")


def test_a_run_that_had_begun_is_restored_and_trains_nothing() -> None:
    begun = after(run(), plan(run()))
    found = settle(again(begun))
    assert ready(found) == ("False", "Restored")
    model = TrainingRun.model_validate(found)
    assert created(model) == NOW
    message = model.status.conditions[0].message
    assert RECORD in message
    assert "spec.requestTime" in message
    assert not outcomes([model]), "it says nothing about the training"


def test_a_run_that_had_succeeded_keeps_its_end() -> None:
    begun = after(run(), plan(run()))
    done = after(begun, plan(begun, NOW, job("Complete")))
    found = settle(again(done))
    model = TrainingRun.model_validate(found)
    assert ready(found) == ("True", "Restored")
    assert succeeded(model)
    assert model.status.model_version == done["status"]["modelVersion"]
    assert [o.succeeded for o in outcomes([model])] == [True]
    assert [o.ended for o in outcomes([model])] == [NOW]


def test_a_run_that_had_failed_still_counts_as_a_failure() -> None:
    begun = after(run(), plan(run()))
    done = after(begun, plan(begun, NOW, job("Failed")))
    model = TrainingRun.model_validate(settle(again(done)))
    assert [(o.succeeded, o.ended) for o in outcomes([model])] == [(False, NOW)]


def test_a_second_restore_changes_nothing() -> None:
    begun = after(run(), plan(run()))
    once = settle(again(begun))
    twice = settle(again(once))
    assert once["status"]["creationTime"] == twice["status"]["creationTime"] == timestamp(NOW)
    assert ready(twice) == ("False", "Restored")


@pytest.mark.parametrize("owner", ["", "u1"])
def test_a_job_that_was_restored_as_well_is_deleted(owner: str) -> None:
    begun = after(run(), plan(run()))
    (deleted,) = plan(again(begun), LATER, job("", owner)).deletes
    assert (deleted.kind, deleted.uid) == ("Job", "j1")


def test_a_job_of_somebody_else_is_left_alone() -> None:
    begun = after(run(), plan(run()))
    foreign = job("")
    foreign["metadata"]["ownerReferences"][0]["kind"] = "CronJob"
    assert not plan(again(begun), LATER, foreign).deletes
    unlabelled = job("", "")
    unlabelled["metadata"]["labels"] = {}
    assert not plan(again(begun), LATER, unlabelled).deletes


@pytest.mark.parametrize(
    "spec",
    [
        {"schedule": "elec", "requestTime": timestamp(NOW - timedelta(minutes=11))},
        {"schedule": "elec", "cause": {"type": "Cron", "time": timestamp(NOW - timedelta(days=9))}},
        {"schedule": "elec", "cause": {"type": "Alert", "time": "2025-10-01T03:00:00Z"}},
    ],
)
def test_a_run_without_a_record_is_known_by_its_times(spec: Json) -> None:
    found = settle(run(**spec), now=NOW)
    assert ready(found) == ("False", "Restored")
    assert created(TrainingRun.model_validate(found)) < NOW


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"cause": {"type": "Manual", "time": "2025-10-01T03:00:00Z"}},
        {"schedule": "elec", "requestTime": timestamp(NOW - timedelta(minutes=5))},
        {"schedule": "elec", "cause": {"type": "Cron", "time": timestamp(NOW - timedelta(0, 60))}},
        {
            "schedule": "elec",
            "requestTime": timestamp(NOW),
            "cause": {"type": "Alert", "time": "2025-10-01T03:00:00Z"},
        },
    ],
)
def test_a_fresh_run_trains(spec: Json) -> None:
    (made,) = plan(run(**spec)).creates
    assert made["kind"] == "Job"


def test_a_status_that_was_lost_in_the_same_life_goes_on_with_its_job() -> None:
    begun = after(run(), plan(run()))
    lost = {"metadata": begun["metadata"], "spec": begun["spec"]}
    done = after(lost, plan(lost, NOW, job("Complete")))
    assert ready(done) == ("True", "Succeeded")


def test_a_crash_before_the_record_is_written_loses_no_training() -> None:
    done = plan(run())
    crashed = {**run(), "status": done.status.wire()}
    assert plan(crashed, NOW, job("Complete")).creates, "the version"


BROKEN = ["", "{", "[]", "7", '{"a":1}']


@given(st.sampled_from(["", "Complete", "Failed"]), st.sampled_from(BROKEN))
def test_whatever_the_record_says_nothing_is_trained_again(phase: str, broken: str) -> None:
    begun = after(run(), plan(run()))
    done = after(begun, plan(begun, NOW, job(phase)))
    lost = again(done)
    if broken:
        lost["metadata"] = {**lost["metadata"], "annotations": {RECORD: broken}}
    assert finished(TrainingRun.model_validate(settle(lost)))
