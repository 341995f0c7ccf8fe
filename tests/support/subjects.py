"""Sums up a test session by its subjects: which of them passed, and how long each took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest


@dataclass
class Subjects:
    """A plugin of pytest; its line is the session's last.

    subject: of a test, by its identifier. told: the last line's words, with how many passed and
    how many were tried. A subject passed if all its tests did, and a test that was skipped did not.
    """

    subject: Callable[[str], str]
    told: str
    _open: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _failed: set[str] = field(default_factory=set)
    _seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Sums up a phase of a test, which is open until its call has passed."""
        name = self.subject(report.nodeid)
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
        """One for each subject, and the last of all."""
        passed = [n for n in self._seconds if n not in self._failed and not self._open[n]]
        width = max(map(len, self._seconds), default=0)
        lines = [
            f"{name:<{width}} {'passed' if name in passed else 'failed'} {seconds:6.0f} s"
            for name, seconds in sorted(self._seconds.items())
        ]
        told = self.told.format(passed=len(passed), tried=len(self._seconds))
        return [*lines, f"{told}, {sum(self._seconds.values()):.0f} s"]
