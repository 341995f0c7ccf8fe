"""The rules for people are PromQL, on metrics that the meter has."""

from __future__ import annotations

import re
from typing import Any

import promql_parser
import pytest
import yaml

from dev.paths import ROOT

RULES = [
    rule
    for group in yaml.safe_load((ROOT / "docs" / "monitoring-rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]
METRICS = {
    "evenkeel_model_requests_total",
    "evenkeel_model_request_duration_seconds_bucket",
    "evenkeel_model_streams_total",
    "evenkeel_model_profile_info",
    "evenkeel_model_bodies_total",
    "evenkeel_meter_runtime_metrics_up",
    "evenkeel_model_feedback_info",
    "evenkeel_labels_refused_total",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_rule_can_be_parsed(rule: dict[str, Any]) -> None:
    promql_parser.parse(rule["expr"])
    assert set(re.findall(r"evenkeel_\w+", rule["expr"])) <= METRICS
    assert rule["annotations"]["summary"]


@pytest.mark.parametrize(
    ("codes", "bad"),
    [
        (["200", "304", "400", "404", "422", "429", "499"], False),
        (["500", "502", "503", "504"], True),
        # OK, Cancelled, InvalidArgument, NotFound, AlreadyExists, PermissionDenied,
        # ResourceExhausted, FailedPrecondition, Aborted, OutOfRange, Unauthenticated
        (["0", "1", "3", "5", "6", "7", "8", "9", "10", "11", "16"], False),
        # Unknown, DeadlineExceeded, Unimplemented, Internal, Unavailable, DataLoss
        (["2", "4", "12", "13", "14", "15"], True),
    ],
)
def test_people_are_called_for_what_is_the_servers_fault(codes: list[str], bad: bool) -> None:
    expr = next(rule["expr"] for rule in RULES if rule["alert"] == "ModelErrors")
    (pattern,) = re.findall(r'code=~"([^"]+)"', expr)
    # Prometheus anchors it.
    assert {code: bool(re.fullmatch(pattern, code)) for code in codes} == dict.fromkeys(codes, bad)


def test_all_metrics_are_told_by_some_rule() -> None:
    told = {name for rule in RULES for name in re.findall(r"evenkeel_\w+", rule["expr"])}
    assert told == METRICS
