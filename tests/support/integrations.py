"""Tells at the end of a test session which integrations passed, and how long each took.

A file test_NAME.py is about the integration NAME, wherever it lies.
"""

from __future__ import annotations

from pathlib import PurePath

import pytest

from tests.support.subjects import Subjects

FILE = "test_"
PARTS = {"mlflow-registration": "mlflow", "mlflow-tracking": "mlflow", "object-store-loop": "s3"}
"""Integrations that have several files, by file."""


def _integration(test: str) -> str:
    file = PurePath(test.partition("::")[0])
    name = file.stem.removeprefix(FILE).replace("_", "-")
    return PARTS.get(name, name)


def integrations() -> Subjects:
    """The plugin."""
    return Subjects(_integration, "{passed} integrations passed of {tried} tried")


def pytest_configure(config: pytest.Config) -> None:
    """Registers it: `pytest -p tests.support.integrations`."""
    config.pluginmanager.register(integrations())
