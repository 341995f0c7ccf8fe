"""etcd and kube-apiserver, for real."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from dev.cluster.control_plane import ControlPlane
from dev.cluster.errors import ClusterError
from dev.cluster.kubectl import kubectl


def test_control_planes_are_apart_repaired_and_keep_what_they_hold(tmp_path: Path) -> None:
    with (
        ControlPlane(tmp_path / "one", die_with_parent=True) as one,
        ControlPlane(tmp_path / "two", die_with_parent=True) as two,
    ):
        assert one.server != two.server
        kubectl(one.kubeconfig, "create", "namespace", "only-in-one")
        assert "only-in-one" not in kubectl(two.kubeconfig, "get", "namespaces", "-o", "name")

        before = {name: one.processes.pid(name) for name in one.processes.names()}
        one.start()
        assert {name: one.processes.pid(name) for name in one.processes.names()} == before

        apiserver = before["kube-apiserver"]
        assert apiserver is not None
        os.kill(apiserver, signal.SIGKILL)
        while one.processes.pid("kube-apiserver") is not None:
            time.sleep(0.01)
        one.start()
        assert "only-in-one" in kubectl(one.kubeconfig, "get", "namespaces", "-o", "name")
        assert one.processes.pid("etcd") == before["etcd"]

        reader = one.kubeconfig_for("reader", ["readers"])
        with pytest.raises(ClusterError, match="cannot list"):
            kubectl(reader, "get", "namespaces")
    assert one.processes.names() == []


def test_a_store_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "etcd").write_text("not a directory")
    plane = ControlPlane(tmp_path, die_with_parent=True)
    with pytest.raises(ClusterError, match="etcd"):
        plane.start()
    assert plane.processes.names() == []
