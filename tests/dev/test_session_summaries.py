"""The last lines of `make test-integrations` and `make strategies`."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.support.integrations import integrations
from tests.support.strategies import strategies

Outcome = Literal["passed", "failed", "skipped"]


def report(
    file: str, outcome: Outcome, seconds: float, when: Literal["setup", "call"] = "call"
) -> pytest.TestReport:
    return pytest.TestReport(
        f"{file}::test_it", (file, 1, "it"), {}, outcome, None, when, duration=seconds
    )


def told(*reports: pytest.TestReport) -> list[str]:
    summary = integrations()
    for one in reports:
        summary.pytest_runtest_logreport(one)
    return [" ".join(line.split()) for line in summary.lines()]


def test_an_integration_passed_if_all_its_files_did() -> None:
    assert told(
        report("tests/integrations/test_mlflow.py", "passed", 2.0),
        report("e2e/integrations/test_mlflow.py", "passed", 3.0),
        report("tests/integrations/test_kubeflow_trainer.py", "passed", 4.4),
        report("tests/integrations/test_kubeflow_trainer.py", "failed", 1.0),
    ) == [
        "kubeflow-trainer failed 5 s",
        "mlflow passed 5 s",
        "1 integrations passed of 2 tried, 10 s",
    ]


def test_what_was_skipped_did_not_pass() -> None:
    file = "tests/integrations/test_dvc.py"
    assert told(report(file, "passed", 0.1, "setup"), report(file, "skipped", 0.1))[-1] == (
        "0 integrations passed of 1 tried, 0 s"
    )


def test_what_was_begun_and_not_ended_did_not_pass() -> None:
    assert told(report("tests/integrations/test_dvc.py", "passed", 0.1, "setup"))[-1] == (
        "0 integrations passed of 1 tried, 0 s"
    )


def test_each_parameter_of_a_test_is_a_strategy_of_its_own() -> None:
    summary = strategies()
    for name, outcome in (
        ("runtime_is_ready[onnx]", "passed"),
        ("runtime_is_ready[xgb]", "failed"),
    ):
        file = "e2e/strategies/test_runtimes.py"
        summary.pytest_runtest_logreport(
            pytest.TestReport(
                f"{file}::test_{name}", (file, 1, name), {}, outcome, None, "call", duration=1.0
            )
        )
    assert summary.lines() == [
        "runtimes: runtime-is-ready[onnx] passed      1 s",
        "runtimes: runtime-is-ready[xgb]  failed      1 s",
        "1 held of 2 tried, 2 s",
    ]
