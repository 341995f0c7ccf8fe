"""What a load generator's last words say, and what is said where there are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from evenkeel.api.performance import LatencyBound, Performance
from evenkeel.performance.report import decimal, outcome, progress
from hypothesis import given
from hypothesis import strategies as st

JSON = dict[str, Any]
NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
BOUND = LatencyBound(seconds="0.1")
JOB: JSON = {"metadata": {"name": "fraud-load-1", "uid": "j1"}, "status": {}}
FULL = {
    "rate": 87.31,
    "limitedBy": "Latency",
    "latencies": {"0.5": 0.0121, "0.99": 0.0934},
    "aloneSeconds": 0.0112,
    "readySeconds": 3.5,
    "memoryBytes": 536870912,
    "cores": 1.31,
    "steps": [{"rate": 87.31, "sent": 473}],
}


def pod(state: JSON, owner: str = "j1", **status: Any) -> JSON:
    container = {"name": "evenkeel-load", "state": state}
    return {
        "metadata": {
            "name": "fraud-load-1-x",
            "creationTimestamp": "2026-01-31T09:00:00Z",
            "ownerReferences": [{"uid": owner}],
        },
        "status": {"containerStatuses": [container], **status},
    }


def ended(message: str, code: int = 0) -> JSON:
    started = "2026-01-31T09:00:20Z"
    return {"terminated": {"exitCode": code, "startedAt": started, "message": message}}


def found(*pods: JSON, job: JSON = JOB) -> Performance | None:
    return outcome(job, pods, BOUND, "d1", NOW)


def told(report: JSON) -> Performance:
    known = found(pod(ended(json.dumps(report))))
    assert known is not None
    return known


def over(reason: str) -> JSON:
    condition = {"type": "Failed", "status": "True", "reason": reason}
    return {**JOB, "status": {"conditions": [condition]}}


def test_figures_are_decimals_with_what_they_mean() -> None:
    known = told(FULL)
    assert (known.reason, known.rate, known.cpu) == ("Measured", "87.31", "1.31")
    assert {q.quantile: q.seconds for q in known.latencies} == {"0.5": "0.0121", "0.99": "0.0934"}
    assert known.cold_start_seconds == "23.5", "created, 20 s until the load began, 3.5 s more"
    assert known.memory_bytes == 536870912
    assert known.message == (
        "87.31 requests/s a pod at p99 within 0.1 s, 1.31 CPU, 512 MiB, cold start 23.5 s"
    )


@pytest.mark.parametrize(
    ("limit", "words"),
    [("MaxRate", "it may carry more"), ("Time", "it may carry more"), ("Failure", "any longer")],
)
def test_a_rate_that_is_not_the_highest_says_so(limit: str, words: str) -> None:
    assert words in told({**FULL, "limitedBy": limit}).message


def test_a_model_that_is_slow_alone_carries_nothing() -> None:
    known = told({"rate": 0, "limitedBy": "Latency", "aloneSeconds": 0.4, "readySeconds": 1})
    assert (known.reason, known.rate) == ("Measured", "0")
    assert known.message == "a single request takes 0.4 s, not p99 within 0.1 s"


def test_the_model_servers_own_words_are_told() -> None:
    known = told({"rate": 0, "readySeconds": 1, "problem": "status 400: no input x"})
    assert (known.reason, known.rate) == ("MeasurementFailed", None)
    assert known.message == "status 400: no input x"


@pytest.mark.parametrize(
    "words",
    ["", "{}", '{"rate": -1}', '{"rate": 1e999}', '{"rate": "a"}', '{"rate": NaN}', "[1]", "null"],
)
def test_words_that_are_no_report_are_no_figures(words: str) -> None:
    known = found(pod(ended(words)))
    assert known is not None
    assert (known.reason, known.rate) == ("MeasurementUnfinished", None)


def test_nothing_is_known_while_the_job_goes_on() -> None:
    assert found() is None
    assert found(pod({"running": {"startedAt": "2026-01-31T09:00:20Z"}})) is None
    assert found(pod(ended("no room", code=1))) is None, "another pod follows"
    assert found(pod(ended(json.dumps(FULL)), owner="j0")) is None, "an earlier Job of that name"


def test_a_job_without_a_report_says_why() -> None:
    known = found(pod(ended("meter: LOAD_URL is wrong", code=2)), job=over("BackoffLimitExceeded"))
    assert known is not None
    assert (known.reason, known.rate) == ("MeasurementUnfinished", None)
    assert known.message == "BackoffLimitExceeded: exit code 2: meter: LOAD_URL is wrong"
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    late = found(pod({}, conditions=[{**unscheduled, "message": "0/1"}]), job=over("Late"))
    assert late is not None
    assert late.message == "Late: Unschedulable: 0/1"


def test_what_it_waits_for_is_told() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    assert "Unschedulable" in progress([pod({}, conditions=[unscheduled])], JOB)
    running = pod({"running": {"startedAt": "2026-01-31T09:00:20Z"}})
    assert progress([running], JOB) == "under load since 2026-01-31T09:00:20Z"
    assert progress([], JOB) == "the pod to be loaded starts"


@given(st.floats(min_value=1e-6, max_value=1e7))
def test_decimals_have_no_exponent_and_four_digits(value: float) -> None:
    text = decimal(value)
    assert text is not None
    assert "e" not in text.lower()
    assert abs(float(text) - value) <= value * 5e-4
