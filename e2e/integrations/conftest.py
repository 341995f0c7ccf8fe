"""The tools that teams bring, in pods beside the operator, as their users run them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stack import kubeflow
from dev.stack.install import Stack
from e2e.support.world import World, quiet_afterwards

NAMESPACE = "pricing"
NAMESPACES = (NAMESPACE, "search", "recommendations", "tumours")
VALUES = (
    "webhook.existingSecret=evenkeel-webhook",
    f"rbac.readByName[0].namespace={NAMESPACE}",
    "rbac.readByName[0].secrets={mlflow,store}",
    "rbac.readByName[1].namespace=search",
    "rbac.readByName[1].secrets={git}",
    "rbac.readByName[2].namespace=tumours",
    "rbac.readByName[2].secrets={store}",
    "integrations.trainJob.enabled=true",
)
IMAGES = ("mlflow", "mlserver-mlflow", "versitygw", "data", "metaflow")
MANIFESTS = Path(__file__).with_name("manifests")
RUNTIME = "mlserver-mlflow"


@pytest.fixture(scope="session")
def integrated(stack: Stack) -> Iterator[Stack]:
    """The operator with what these tests switch on, and the teams' namespaces.

    Both are there before: controllers, of which it watches the objects, and namespaces, in which it
    may read Secrets.
    """
    kubeflow.install(stack)
    stack.images(IMAGES)
    stack.kubectl("delete", "namespace", *NAMESPACES, "--ignore-not-found", "--wait=true")
    for name in NAMESPACES:
        stack.namespace(name)
    stack.operator(*VALUES)
    yield stack
    stack.kubectl("delete", "namespace", *NAMESPACES, "--wait=false")


@pytest.fixture(scope="session")
def teams(integrated: Stack) -> Iterator[World]:
    """A namespace with an object store and MLflow, whose Secrets the operator may read."""
    w = World(integrated, NAMESPACE)
    for name in ("store", "mlflow"):
        w.kubectl("apply", "-f", str(MANIFESTS / f"{name}.yaml"))
    _runtime(w)
    for name in ("store", "mlflow"):
        integrated.rollout(NAMESPACE, name, 300)
    with quiet_afterwards(w):
        yield w


def _runtime(world: World) -> None:
    """The shipped runtime with the image that stands in for MLServer's: it has nothing else."""
    shipped = world.get("clusterservingruntime", RUNTIME)
    spec = shipped["spec"]
    spec["containers"][0]["image"] += "-mlflow"
    world.apply(
        {
            "apiVersion": shipped["apiVersion"],
            "kind": "ServingRuntime",
            "metadata": {"name": RUNTIME},
            "spec": spec,
        }
    )
