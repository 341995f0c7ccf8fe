"""With Kubernetes' own controllers: namespaces end, and orphans are adopted in time."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from dev.cluster.control_plane import ControlPlane
from tests.support.api_server import ApiServer
from tests.support.manifests import manifest
from tests.support.operating import A, World, model_deployment, runtime, schedule, until
from tests.support.restoring import CHILDREN, backup, quiet, restored

MORE = """
autoscaling: {maxReplicas: 3}
disruptionBudget: {maxUnavailable: 1}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server with kube-controller-manager; pods stay pending, since there is no node."""
    directory = tmp_path_factory.mktemp("controllers")
    with ControlPlane(directory, controllers=True, die_with_parent=True) as plane:
        made = ApiServer(plane)
        made.install_crds()
        yield made
        made.http.close()


@pytest.fixture
async def w(server: ApiServer) -> AsyncIterator[World]:
    """A namespace; the operator's own, with its Lease, is another."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    for each in (name, f"{name}-operator"):
        server.kubectl("create", "namespace", each)
    made = World(server, name)
    made.ns.create(runtime())
    async with made.wire.open():
        yield made


def watching(w: World) -> dict[str, str]:
    return {"namespace": f"{w.ns.name}-operator"}


def owners(w: World) -> set[str]:
    return {
        o["metadata"].get("ownerReferences", [{}])[0].get("uid", "")
        for kind in CHILDREN
        for o in w.ns.all(kind)
    }


def uid(w: World) -> str:
    return str(w.ns.get("ModelDeployment", "fraud")["metadata"]["uid"])


async def test_a_namespace_with_everything_in_it_ends(w: World) -> None:
    w.ns.create(model_deployment("fraud", more=MORE))
    w.ns.create(schedule("retrain"))
    w.ns.create(manifest("TrainingRun", "", "begun"))
    w.ns.create(manifest("ModelVersion", "", "v1"))
    async with w.operator(wired=True, **watching(w)):
        await until(lambda: len(w.ns.all("Deployment")) == 1 and len(w.ns.all("Job")) == 1)
        await until(lambda: w.ns.all("HorizontalPodAutoscaler") and w.ns.all("Service"))
        await until(lambda: w.ns.status("v1", "ModelVersion"))
        before = len(w.wire.requests)
        path = f"/api/v1/namespaces/{w.ns.name}"
        w.server.http.delete(path).raise_for_status()
        await until(lambda: w.server.http.get(path).status_code == 404, "it is gone", 90)
        assert not w.lost
        writes = [r for r in w.wire.requests[before:] if not r.startswith(("GET", "PUT"))]
        assert len(writes) < 60, "nothing is made again and again in a namespace that ends"


@pytest.mark.parametrize("dangling", [True, False])
async def test_restored_children_are_adopted_before_they_are_collected(
    w: World, dangling: bool
) -> None:
    async with w.operator(**watching(w)):
        w.ns.create(model_deployment("fraud", more=MORE))
        await until(lambda: len(w.ns.all("PodDisruptionBudget")) == 1)
        await quiet(w.ns)
        revision = w.ns.status("fraud")["stable"]["revision"]
        saved = backup(w.ns, ("ModelDeployment", *CHILDREN))
        path = f"/apis/evenkeel.dev/v1alpha1/namespaces/{w.ns.name}/modeldeployments/fraud"
        w.server.http.delete(path).raise_for_status()
        await until(lambda: not [o for kind in CHILDREN for o in w.ns.all(kind)], "collected", 60)
        for obj in saved:
            w.ns.create(restored(obj, "dangling" if dangling else "dropped"))
        await until(lambda: len(w.ns.all("Deployment")) == 1 and owners(w) == {uid(w)}, "", 60)
        await quiet(w.ns)
        assert owners(w) == {uid(w)}
        assert w.ns.revisions("fraud") == [revision]
        assert w.ns.stable_uri("fraud") == A


async def test_one_made_anew_while_the_old_children_are_collected(w: World) -> None:
    async with w.operator(**watching(w)):
        w.ns.create(model_deployment("fraud", more=MORE))
        await until(lambda: len(w.ns.all("PodDisruptionBudget")) == 1)
        path = f"/apis/evenkeel.dev/v1alpha1/namespaces/{w.ns.name}/modeldeployments/fraud"
        for _ in range(5):
            w.server.http.delete(path).raise_for_status()
            w.ns.create(model_deployment("fraud", more=MORE))
        await quiet(w.ns)
        kinds = ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget")
        await until(lambda: all(len(w.ns.all(k)) == 1 for k in kinds), "", 60)
        await quiet(w.ns)
        assert owners(w) == {uid(w)}


async def test_children_orphaned_on_purpose_are_taken_back(w: World) -> None:
    """As when the CRDs are installed anew with the models left to serve."""
    async with w.operator(**watching(w)):
        w.ns.create(model_deployment("fraud"))
        await until(lambda: len(w.ns.all("Service")) == 1)
        await quiet(w.ns)
        (kept,) = w.ns.all("Deployment")
        path = f"/apis/evenkeel.dev/v1alpha1/namespaces/{w.ns.name}/modeldeployments/fraud"
        w.server.http.request("DELETE", path, json={"propagationPolicy": "Orphan"})
        await until(lambda: not w.ns.all("ModelDeployment"), "", 60)
        assert owners(w) == {""}
        w.ns.create(model_deployment("fraud"))
        await until(lambda: owners(w) == {uid(w)})
        assert (
            w.ns.get("Deployment", kept["metadata"]["name"])["metadata"]["uid"]
            == (kept["metadata"]["uid"])
        )
