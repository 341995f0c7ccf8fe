"""Tells at the end of a test session which strategies, steps and runtimes held.

Each test is about one of them, a parametrised one about one for each of its parameters.
"""

from __future__ import annotations

from pathlib import PurePath

import pytest

from tests.support.subjects import Subjects

FILE = "test_"


def _subject(test: str) -> str:
    """`ab: a-header-chooses-the-canary` of e2e/strategies/test_ab.py::test_a_header_..."""
    file, _, name = test.partition("::")
    about = PurePath(file).stem.removeprefix(FILE)
    return f"{about}: {name.removeprefix(FILE)}".replace("_", "-")


def strategies() -> Subjects:
    """The plugin."""
    return Subjects(_subject, "{passed} held of {tried} tried")


def pytest_configure(config: pytest.Config) -> None:
    """Registers it: `pytest -p tests.support.strategies`."""
    config.pluginmanager.register(strategies())
