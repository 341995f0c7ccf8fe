"""Tells at the end of a test session which integrations passed, and how long each took.

A file test_NAME.py is about the integration NAME, wherever it lies; it passed if all its tests did,
and a test that was skipped did not.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePath

import pytest

FILE = "test_"


class Integrations:
    """A plugin of pytest; its line is the session's last."""

    def __init__(self) -> None:
        self._tried: dict[str, bool] = defaultdict(lambda: True)
        self._seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Sums up a phase of a test."""
        file = PurePath(report.nodeid.partition("::")[0])
        name = file.stem.removeprefix(FILE).replace("_", "-")
        self._tried[name] &= report.passed
        self._seconds[name] += report.duration

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Prints it, below what pytest itself prints last."""
        if self._tried:
            print("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """One for each integration, and the last of all."""
        passed = sorted(name for name, ok in self._tried.items() if ok)
        told = [
            f"{name:<24} {'passed' if self._tried[name] else 'failed'} {self._seconds[name]:6.0f} s"
            for name in sorted(self._tried)
        ]
        seconds = sum(self._seconds.values())
        last = f"{len(passed)} integrations passed of {len(self._tried)} tried, {seconds:.0f} s"
        return [*told, last]


def pytest_configure(config: pytest.Config) -> None:
    """Registers it: `pytest -p tests.support.integrations`."""
    config.pluginmanager.register(Integrations())
