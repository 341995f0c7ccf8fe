"""Tells at the end of a test session which integrations passed, and how long each took.

A file test_NAME.py is about the integration NAME, wherever it lies; it passed if all its tests did,
and a test that was skipped did not.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePath

import pytest

FILE = "test_"
PARTS = {"mlflow-registration": "mlflow", "mlflow-tracking": "mlflow", "object-store-loop": "s3"}
"""Integrations that have several files, by file."""


class Integrations:
    """A plugin of pytest; its line is the session's last."""

    def __init__(self) -> None:
        self._open: dict[str, set[str]] = defaultdict(set)
        self._failed: set[str] = set()
        self._seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Sums up a phase of a test, which is open until its call has passed."""
        name = _integration(report.nodeid)
        self._seconds[name] += report.duration
        if report.when == "setup":
            self._open[name].add(report.nodeid)
        elif report.when == "call" and report.passed:
            self._open[name].discard(report.nodeid)
        if report.failed:
            self._failed.add(name)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Prints it, below what pytest itself prints last."""
        if self._seconds:
            print("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """One for each integration, and the last of all."""
        passed = [n for n in self._seconds if n not in self._failed and not self._open[n]]
        told = [
            f"{name:<24} {'passed' if name in passed else 'failed'} {seconds:6.0f} s"
            for name, seconds in sorted(self._seconds.items())
        ]
        every, total = len(self._seconds), sum(self._seconds.values())
        return [*told, f"{len(passed)} integrations passed of {every} tried, {total:.0f} s"]


def _integration(test: str) -> str:
    file = PurePath(test.partition("::")[0])
    name = file.stem.removeprefix(FILE).replace("_", "-")
    return PARTS.get(name, name)


def pytest_configure(config: pytest.Config) -> None:
    """Registers it: `pytest -p tests.support.integrations`."""
    config.pluginmanager.register(Integrations())
