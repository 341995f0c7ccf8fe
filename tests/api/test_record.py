"""A record brings back what must outlive a status, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from evenkeel.api import KINDS, Resource
from evenkeel.api.record import RECORD, annotation
from evenkeel.api.trainingrun import TrainingRun
from hypothesis import given
from hypothesis import strategies as st

from tests.support.retraining import TRAINING

TIME = "2026-01-31T09:00:00Z"


def run(record: str | None, **status: Any) -> TrainingRun:
    annotations = {} if record is None else {RECORD: record}
    return TrainingRun.model_validate(
        {
            "metadata": {"name": "a", "annotations": annotations},
            "spec": {"model": "m", "training": TRAINING},
            "status": status,
        }
    )


def text(**status: Any) -> str:
    return annotation(status)[RECORD]


def test_an_unwritten_status_is_that_of_the_record() -> None:
    assert run(text(startTime=TIME)).status.start_time == TIME
    assert run(None).status.start_time is None


def test_a_written_status_is_its_own() -> None:
    assert run(text(startTime=TIME), observedGeneration=1).status.start_time is None


def test_only_lasting_fields_come_back() -> None:
    status = run(text(startTime=TIME, result={"uri": "s3://m", "format": {"name": "x"}})).status
    assert status.start_time == TIME
    assert status.result is None


@pytest.mark.parametrize("kind", KINDS)
def test_lasting_fields_are_fields_of_the_status(kind: type[Resource]) -> None:
    if not kind.lasting:
        return
    model = kind.model_fields["status"].annotation
    assert model is not None
    assert kind.lasting <= {field.alias for field in model.model_fields.values()}


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.just(TIME),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(TrainingRun.lasting)), JSON) | JSON)
def test_a_record_that_is_no_status_is_left_out(record: Any) -> None:
    status = run(json.dumps(record)).status
    assert status == type(status).model_validate(status.wire())


def test_a_time_that_cannot_be_read_makes_the_record_void() -> None:
    assert run(text(startTime="yesterday", modelVersion="v")).status.model_version is None
