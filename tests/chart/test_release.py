"""A release over its life: installation, upgrade and removal on a real API server."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator

import pytest
from evenkeel.api import KINDS

from dev.cluster.control_plane import ControlPlane
from dev.paths import CHART
from tests.chart.conftest import Helm
from tests.support.api_server import ApiServer

NAMESPACE = "evenkeel-system"


@pytest.fixture
def empty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that has never seen Evenkeel."""
    with ControlPlane(tmp_path_factory.mktemp("empty"), die_with_parent=True) as plane:
        server = ApiServer(plane)
        yield server
        server.http.close()


@pytest.fixture
def run(empty_server: ApiServer, helm: Helm) -> Callable[..., str]:
    """Runs helm against the empty server."""

    def helm_on_server(*arguments: str) -> str:
        return helm(
            *arguments, f"--kubeconfig={empty_server.kubeconfig}", f"--namespace={NAMESPACE}"
        ).stdout

    return helm_on_server


def _get(server: ApiServer, *arguments: str) -> str:
    return server.kubectl("get", f"--namespace={NAMESPACE}", *arguments).stdout


def _token(server: ApiServer) -> str:
    return base64.b64decode(
        _get(server, "secret", "evenkeel-webhook", "-o", "jsonpath={.data.token}")
    ).decode()


@pytest.fixture
def pods_get_ready(empty_server: ApiServer) -> Iterator[None]:
    """Plays the Deployment controller, so that helm's --wait comes to its end."""
    over = threading.Event()

    def play() -> None:
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/evenkeel"
        while not over.wait(0.2):
            found = empty_server.http.get(path)
            if found.status_code != 200:
                continue
            generation, spec = found.json()["metadata"]["generation"], found.json()["spec"]
            numbers = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")
            status = {
                "observedGeneration": generation,
                **dict.fromkeys(numbers, spec["replicas"]),
                "conditions": [
                    {"type": "Available", "status": "True"},
                    {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
                ],
            }
            name = ("Deployment", NAMESPACE, "evenkeel")
            empty_server.patch(*name, {"status": status}, "status")

    player = threading.Thread(target=play)
    player.start()
    yield
    over.set()
    player.join()


@pytest.mark.usefixtures("pods_get_ready")
def test_install_upgrade_uninstall(empty_server: ApiServer, run: Callable[..., str]) -> None:
    # As the pages say: without --wait helm goes on before its CRDs are served.
    run("install", "evenkeel", str(CHART), "--create-namespace", "--wait")
    token = _token(empty_server)
    assert len(token) == 48
    runtimes = _get(empty_server, "clusterservingruntimes", "-o", "name").split()
    assert len(runtimes) == len([*(CHART / "files" / "runtimes").iterdir()])
    uids = _get(empty_server, "clusterservingruntimes", "-o", "jsonpath={.items[*].metadata.uid}")

    run("upgrade", "evenkeel", str(CHART), "--set=replicas=2", "--set=crds.keep=true")
    assert _token(empty_server) == token
    assert _get(empty_server, "deployment", "evenkeel", "-o", "jsonpath={.spec.replicas}") == "2"
    # The runtimes were taken over, not made again.
    assert uids == _get(
        empty_server, "clusterservingruntimes", "-o", "jsonpath={.items[*].metadata.uid}"
    )
    assert "ClusterServingRuntime" in run("get", "manifest", "evenkeel")

    run("upgrade", "evenkeel", str(CHART), "--set=runtimes.enabled=false")
    assert not _get(empty_server, "clusterservingruntimes", "-o", "name")

    run("uninstall", "evenkeel")
    crds = empty_server.kubectl("get", "crd", "-o", "name").stdout.split()
    assert len(crds) == len(KINDS)
    assert not _get(empty_server, "deployments,services,secrets", "-o", "name")

    # What was kept does not stand in the way of the next installation.
    run("install", "evenkeel", str(CHART), "--set=crds.keep=false", "--wait")
    run("uninstall", "evenkeel")
    # The API server itself may take minutes to finalize a CRD that is deleted soon after its
    # creation: it retries with growing pauses while the kind's storage initializes.
    times = "jsonpath={range .items[*]}{.metadata.name} {.metadata.deletionTimestamp}{'\\n'}{end}"
    left = empty_server.kubectl("get", "crd", "-o", times).stdout.splitlines()
    assert all(len(line.split()) == 2 for line in left), left


def test_plain_manifests(empty_server: ApiServer) -> None:
    deploy = CHART.parents[1] / "deploy"
    empty_server.kubectl("apply", "--server-side", "-f", str(deploy / "install.yaml"))
    empty_server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=180s")
    done = empty_server.kubectl("apply", "--server-side", "-f", str(deploy / "runtimes.yaml"))
    assert done.stdout.count("serverside-applied") == len([*(CHART / "files/runtimes").iterdir()])
    empty_server.kubectl("delete", "-f", str(deploy / "install.yaml"), "--wait=false")
