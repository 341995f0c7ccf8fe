"""How the process starts and ends: as `python -m evenkeel` and as `kopf run`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dev.cluster.control_plane import ControlPlane
from dev.cluster.ports import free_port
from tests.support.api_server import ApiServer
from tests.support.operating import until
from tests.support.started import BY_KOPF, BY_PYTHON, SECONDS, kubeconfig, running

both = pytest.mark.parametrize("how", [BY_PYTHON, BY_KOPF], ids=["python", "kopf"])


@pytest.fixture
def busy_port() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        yield str(taken.getsockname()[1])


@pytest.fixture
def empty(tmp_path: Path) -> str:
    file = tmp_path / "empty"
    file.touch()
    return str(file)


# By what is wrong: the variable, its value ({busy} and {empty} are filled in), what is said of it.
WRONG = {
    "no kubeconfig": ("KUBECONFIG", "/absent", "there is no kubeconfig at /absent"),
    "wrong kubeconfig": (
        "KUBECONFIG",
        "pyproject.toml",
        "kubeconfig pyproject.toml cannot be used",
    ),
    "wrong setting": ("EVENKEEL_WORKERS", "many", "EVENKEEL_WORKERS must be a number"),
    "unknown variable": ("EVENKEEL_WORKRES", "3", "did you mean EVENKEEL_WORKERS"),
    "no webhook token": ("EVENKEEL_WEBHOOK_TOKEN_FILE", "/absent", "token file /absent"),
    "empty webhook token": ("EVENKEEL_WEBHOOK_TOKEN_FILE", "{empty}", "is empty"),
    "no Prometheus token": ("EVENKEEL_PROMETHEUS_TOKEN_FILE", "/absent", "token file /absent"),
    "empty Prometheus token": ("EVENKEEL_PROMETHEUS_TOKEN_FILE", "{empty}", "is empty"),
    "busy port": ("EVENKEEL_HTTP_PORT", "{busy}", "set EVENKEEL_HTTP_PORT to another port"),
    "busy webhook port": ("EVENKEEL_WEBHOOK_PORT", "{busy}", "is in use"),
    "busy metrics port": ("EVENKEEL_METRICS_PORT", "{busy}", "is in use"),
}


@both
@pytest.mark.parametrize(("name", "value", "said"), WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_start_ends_with_one_line(
    api_server: ApiServer,
    tmp_path: Path,
    busy_port: str,
    empty: str,
    how: tuple[str, ...],
    name: str,
    value: str,
    said: str,
) -> None:
    variables = {
        "KUBECONFIG": str(api_server.kubeconfig),
        name: value.format(busy=busy_port, empty=empty),
    }
    async with running(tmp_path, how, **variables) as started:
        assert await started.ended() == 2
    (line,) = started.log().splitlines()
    assert line.startswith("evenkeel: ")
    assert said in line


@both
async def test_sigterm_while_the_api_server_does_not_answer(
    tmp_path: Path, unused_tcp_port: int, how: tuple[str, ...]
) -> None:
    dead = kubeconfig(tmp_path / "dead", f"https://127.0.0.1:{unused_tcp_port}")
    async with running(tmp_path, how, KUBECONFIG=str(dead)) as started:
        await until(
            lambda: started.readyz()[0] == 503 and "gives no answer" in started.readyz()[1],
            seconds=SECONDS,
        )
        assert await started.terminate() == 0
    assert "Traceback" not in started.log()


async def test_sigterm_while_the_api_server_hangs(tmp_path: Path) -> None:
    """It takes connections, and then nothing."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        hung = kubeconfig(tmp_path / "hung", f"http://127.0.0.1:{silent.getsockname()[1]}")
        async with running(tmp_path, BY_PYTHON, KUBECONFIG=str(hung)) as started:
            await until(lambda: started.readyz()[0] == 503, seconds=SECONDS)
            assert await started.terminate() == 0
    assert "Traceback" not in started.log()


async def test_sigterm_at_once(api_server: ApiServer, tmp_path: Path) -> None:
    """Whether Python, kopf or the operator has the signal."""
    for delay in (0.1, 0.5, 1.0, 1.5):
        config = str(api_server.kubeconfig)
        async with running(tmp_path, BY_PYTHON, KUBECONFIG=config) as started:
            await asyncio.sleep(delay)
            assert await started.terminate() in (0, -15)


@asynccontextmanager
async def without_discovery() -> AsyncIterator[tuple[str, list[str]]]:
    """The URL of an API server that lists nothing and refuses what kopf asks; and what it did."""
    refused: list[str] = []
    over = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path in ("/api", "/apis"):
            refused.append(request.path)
            return web.json_response({"code": 500, "message": "no"}, status=500)
        if "watch" in request.query:
            await over.wait()
        if request.method == "GET" and "/leases/" in request.path:
            return web.json_response({"reason": "NotFound", "message": "no"}, status=404)
        if request.method == "GET":
            return web.json_response({"items": [], "metadata": {"resourceVersion": "1"}})
        return web.json_response({"metadata": {"resourceVersion": "1"}})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as server:
        try:
            yield f"http://127.0.0.1:{server.port}", refused
        finally:
            over.set()


async def test_what_kopf_is_refused_does_not_matter(tmp_path: Path) -> None:
    async with without_discovery() as (url, refused):
        config = str(kubeconfig(tmp_path / "stub", url))
        async with running(tmp_path, BY_PYTHON, KUBECONFIG=config) as started:
            await until(lambda: len(refused) >= 4, "kopf has tried again", seconds=SECONDS)
            await until(started.leads, seconds=SECONDS)
            assert started.readyz() == (200, "ok\n")
            assert await started.terminate() == 0
    assert "Traceback" not in started.log()


@pytest.fixture
def without_crds(tmp_path: Path) -> Iterator[ApiServer]:
    with ControlPlane(tmp_path / "bare", die_with_parent=True) as plane:
        server = ApiServer(plane)
        yield server
        server.http.close()


def unready_with(readyz: Callable[[], tuple[int, str]], *parts: str) -> bool:
    status, body = readyz()
    return status == 503 and all(part in body for part in parts)


async def test_missing_crds_are_told_and_waited_for(
    without_crds: ApiServer, tmp_path: Path
) -> None:
    config = str(without_crds.kubeconfig)
    async with running(tmp_path, BY_PYTHON, KUBECONFIG=config) as started:
        named = "install the CustomResourceDefinition modeldeployments.evenkeel.dev"
        await until(lambda: unready_with(started.readyz, named), seconds=SECONDS)
        # Several tries later.
        await asyncio.sleep(5)
        assert started.log().count(named) == 1
        without_crds.install_crds()
        await until(lambda: started.readyz() == (200, "ok\n"), seconds=SECONDS)
        await until(started.leads, seconds=SECONDS)
        assert await started.terminate() == 0
    assert "Traceback" not in started.log()


@pytest.fixture
def roles(api_server: ApiServer) -> Iterator[Callable[[str, str], None]]:
    """Grants a ClusterRole to a user; taken back in the end."""
    granted: list[str] = []

    def grant(user: str, role: str) -> None:
        name = f"{user}-{role}"
        arguments = (f"--clusterrole={role}", f"--user={user}")
        api_server.kubectl("create", "clusterrolebinding", name, *arguments)
        granted.append(name)

    yield grant
    for name in granted:
        api_server.kubectl("delete", "clusterrolebinding", name)


async def test_missing_rights_are_told_and_waited_for(
    api_server: ApiServer,
    namespace: str,
    tmp_path: Path,
    roles: Callable[[str, str], None],
) -> None:
    user = f"user-{namespace}"
    verbs = ("--verb=get,list,watch", "--resource=*.*")
    api_server.kubectl("create", "clusterrole", f"reader-{namespace}", *verbs)
    variables = {
        "KUBECONFIG": str(api_server.kubeconfig_for(user)),
        "EVENKEEL_NAMESPACE": namespace,
        "EVENKEEL_WATCH_NAMESPACES": namespace,
    }
    async with running(tmp_path, BY_PYTHON, **variables) as started:
        missing = 'cannot list resource "trainingruns"'
        await until(lambda: unready_with(started.readyz, missing), seconds=SECONDS)
        roles(user, f"reader-{namespace}")
        lease = 'cannot create resource "leases"'
        await until(lambda: unready_with(started.readyz, lease), seconds=SECONDS)
        assert missing not in started.readyz()[1]
        # Several tries later.
        await asyncio.sleep(5)
        assert started.log().count(lease) == 1
        roles(user, "cluster-admin")
        await until(lambda: started.readyz() == (200, "ok\n"), seconds=SECONDS)
        await until(started.leads, seconds=SECONDS)
        assert await started.terminate() == 0
    assert "Traceback" not in started.log()


@both
async def test_orderly_end_gives_the_lease_up(
    api_server: ApiServer, namespace: str, tmp_path: Path, how: tuple[str, ...]
) -> None:
    port = free_port()
    if how == BY_KOPF:
        how = (*how, f"--liveness=http://127.0.0.1:{port}/healthz")
    variables = {"KUBECONFIG": str(api_server.kubeconfig), "EVENKEEL_NAMESPACE": namespace}
    async with running(tmp_path, how, POD_ID="the-pod", **variables) as started:
        await until(started.leads, seconds=SECONDS)
        held = api_server.get("Lease", namespace, "evenkeel")
        assert held["spec"]["holderIdentity"] == "the-pod"
        if "kopf" in how:
            well = {"ready": True, "diagnoses": []}
            await until(lambda: started.liveness(port) == well, seconds=SECONDS)
        assert await started.terminate() == 0
    left = api_server.get("Lease", namespace, "evenkeel")
    assert left["spec"]["holderIdentity"] == ""
    assert "Traceback" not in started.log()


@both
async def test_lost_leadership_ends_the_process(
    api_server: ApiServer, namespace: str, tmp_path: Path, how: tuple[str, ...]
) -> None:
    variables = {"KUBECONFIG": str(api_server.kubeconfig), "EVENKEEL_NAMESPACE": namespace}
    async with running(tmp_path, how, **variables) as started:
        await until(started.leads, seconds=SECONDS)
        taken = {"spec": {"holderIdentity": "another"}}
        api_server.patch("Lease", namespace, "evenkeel", taken).raise_for_status()
        assert await started.ended() == 1
    assert api_server.get("Lease", namespace, "evenkeel")["spec"]["holderIdentity"] == "another"
    assert "Traceback" not in started.log()
