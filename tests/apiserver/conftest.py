"""Fixtures of tests with the whole operator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from evenkeel.kube.lease import Lease

from tests.support.api_server import ApiServer
from tests.support.metered import Metered, metered
from tests.support.mlflow_registry import Registry, registry
from tests.support.operating import World, world


@pytest.fixture
async def w(api_server: ApiServer, namespace: str) -> AsyncIterator[World]:
    """A namespace with everything around the operator, which the test starts."""
    async with world(api_server, namespace) as made:
        yield made


@pytest.fixture
async def m(w: World, tmp_path: Path) -> AsyncIterator[Metered]:
    """A real Prometheus that the operators ask about meters."""
    async with metered(w, tmp_path) as made:
        yield made


@pytest.fixture
async def mlflow() -> AsyncIterator[Registry]:
    """An empty registry that has MLflow's answers."""
    async with registry() as found:
        yield found


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Lease.__init__.__kwdefaults__
    assert defaults is not None
    for name, value in (("duration", 3.0), ("renew_deadline", 2.0), ("retry", 0.3)):
        monkeypatch.setitem(defaults, name, value)
