"""The systems that teams bring, as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dev.mlflow import Mlflow

TRAINER = Path(__file__).with_name("train_with_mlflow.py")


class Trained(NamedTuple):
    """A server, and what the trainer's client told of the versions of its model iris."""

    server: Mlflow
    versions: list[dict[str, Any]]


@pytest.fixture(scope="session", params=[False, True], ids=["open", "auth"])
def mlflow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trained]:
    """Servers of MLflow with trained models: one for all, one with basic auth."""
    server = Mlflow(tmp_path_factory.mktemp("mlflow"), auth=request.param)
    server.start()
    try:
        yield Trained(server, json.loads(server.run(TRAINER, "iris").splitlines()[-1]))
    finally:
        server.stop()
