"""Fixtures for all tests that talk to a real API server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from dev.cluster.control_plane import ControlPlane
from tests.support.api_server import ApiServer


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
