"""What the runtime of a revision counts is remembered with it."""

from __future__ import annotations

from typing import Any

from evenkeel.api.analysis import Analysis
from evenkeel.api.servingruntime import RuntimeMetrics
from evenkeel.verdict.catalogue import metrics_of, remembered


def metrics(prefix: str, *names: str) -> RuntimeMetrics:
    return RuntimeMetrics.model_validate(
        {"indicators": [{"name": n, "total": f"{prefix}_{n}", "good": "g"} for n in names]}
    )


def analysis(*indicators: dict[str, Any]) -> Analysis:
    return Analysis.model_validate({"indicators": list(indicators)})


ERRORS, OWN = {"name": "errors"}, {"name": "own", "total": "t", "bad": "b"}
GATEWAY = {"name": "latency", "source": "Istio", "thresholdSeconds": "1"}
OLD, NEW = metrics("old", "errors", "latency", "own"), metrics("new", "errors")


def test_only_what_the_analysis_reads_of_the_runtime_is_kept() -> None:
    kept = remembered(analysis(ERRORS, OWN, GATEWAY), OLD)
    assert kept is not None
    assert [query.name for query in kept.indicators] == ["errors"]
    assert remembered(None, OLD) is None


def test_another_runtime_is_not_asked_for_by_the_new_ones_names() -> None:
    found = metrics_of(remembered(analysis(ERRORS), OLD), NEW)
    assert found is not None
    assert [query.total for query in found.indicators] == ["old_errors"]


def test_the_same_runtime_is_asked_for_all_it_has() -> None:
    """An indicator that the analysis did not name before is there, too."""
    assert metrics_of(remembered(analysis(ERRORS), OLD), OLD) == OLD


def test_a_runtime_without_metrics_is_another_one() -> None:
    found = metrics_of(remembered(analysis(ERRORS), None), NEW)
    assert found is not None
    assert found.indicators == ()
    assert metrics_of(remembered(analysis(ERRORS), None), None) is None


def test_where_nothing_is_remembered_the_present_runtime_speaks() -> None:
    assert metrics_of(None, NEW) == NEW
