"""One cluster with everything installed, and one namespace with a good and a bad model."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from demo.data import elec2, fetch
from dev.stack.install import Stack
from e2e.support.world import World, run

NAMESPACE = "e2e"


@pytest.fixture(scope="session")
def data() -> elec2.Elec2:
    """The demonstration's data set, downloaded."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(home) / "evenkeel" / "elec2.csv.gz"
    fetch.fetch(path)
    return elec2.load(path)


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The cluster that `make cluster` would give, with the operator and its neighbours."""
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {line}", flush=True)

    installed = Stack.on_cluster(say)
    installed.everything()
    return installed


@pytest.fixture(scope="session")
def world(stack: Stack) -> Iterator[World]:
    """A fresh namespace under Pod Security restricted.

    pvc://models holds elec2/good and elec2/bad: the bad one was trained on a column that clients
    do not send, so that it answers every request with an error.
    """
    stack.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true")
    stack.namespace(NAMESPACE)
    w = World(stack, NAMESPACE)
    w.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "models"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
        run("good", "elec2", {"DATA_UNTIL": "16464"}),
        run("bad", "elec2", {"DATA_UNTIL": "17424", "MISTAKE": "extra-feature"}),
    )
    for name in ("good", "bad"):
        w.until(
            f"TrainingRun {name} has succeeded",
            partial(_succeeded, w, name),
        )
    yield w
    stack.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _succeeded(w: World, run: str) -> bool:
    return w.condition("trainingrun", run, "Ready").get("status") == "True"
