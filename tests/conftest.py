"""Fixtures for all tests that talk to a real API server, and settings of all tests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from dev.cluster.control_plane import ControlPlane
from tests.support.api_server import ApiServer

NEED_BINARIES = ("apiserver", "chart", "integrations")

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("evenkeel", deadline=None)
settings.load_profile("evenkeel")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuses a test of `make unit` that would build an API server."""
    folder = Path(__file__).parent
    for item in items:
        inside = item.path.is_relative_to(folder)
        room = item.path.relative_to(folder).parts[0] if inside else ""
        if (
            inside
            and room not in NEED_BINARIES
            and "api_server" in getattr(item, "fixturenames", ())
        ):
            raise pytest.UsageError(
                f"{item.nodeid} needs an API server: move it to tests/apiserver"
            )


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A running kube-apiserver with etcd and with the CRDs of crds/ (a few seconds, once)."""
    directory = tmp_path_factory.mktemp("control-plane")
    with ControlPlane(directory, die_with_parent=True) as plane:
        server = ApiServer(plane)
        server.install_crds()
        yield server
        server.http.close()


@pytest.fixture
def namespace(api_server: ApiServer) -> str:
    """An empty namespace for one test."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    api_server.kubectl("create", "namespace", name)
    return name
