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
    "evenkeel_model_profile_info",
    "evenkeel_model_bodies_total",
    "evenkeel_labels_refused_total",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_rule_can_be_parsed(rule: dict[str, Any]) -> None:
    promql_parser.parse(rule["expr"])
    assert set(re.findall(r"evenkeel_\w+", rule["expr"])) <= METRICS
    assert rule["annotations"]["summary"]


def test_all_metrics_are_told_by_some_rule() -> None:
    told = {name for rule in RULES for name in re.findall(r"evenkeel_\w+", rule["expr"])}
    assert told == METRICS
