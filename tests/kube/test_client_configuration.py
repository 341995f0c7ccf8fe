"""Kubeconfigs that cannot be used are refused in one line that says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.kube.client import ApiError, Client, ConfigurationError
from evenkeel.meta.resources import POD


def kubeconfig(**parts: object) -> str:
    whole = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
        **parts,
    }
    return yaml.safe_dump({k: v for k, v in whole.items() if v is not None})


def cluster(**parts: object) -> list[dict[str, object]]:
    return [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", **parts}}]


WRONG = {
    "no YAML": "a: [",
    "empty": "",
    "a list": "- a",
    "no current context": kubeconfig(**{"current-context": None}),
    "unknown context": kubeconfig(**{"current-context": "y"}),
    "unknown cluster": kubeconfig(clusters=[]),
    "no server": kubeconfig(clusters=cluster(server="nonsense")),
    "no such authority": kubeconfig(clusters=cluster(**{"certificate-authority": "/absent"})),
    "authority is none": kubeconfig(clusters=cluster(**{"certificate-authority-data": "bm9uZQ=="})),
    "no such token file": kubeconfig(users=[{"name": "u", "user": {"tokenFile": "/absent"}}]),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
async def test_wrong_kubeconfig(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        await Client.from_kubeconfig(str(file), field_manager="test")
    (line,) = str(caught.value).splitlines()
    assert str(file) in line
    assert "KUBECONFIG" in line


async def test_missing_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    with pytest.raises(ConfigurationError, match=r"there is no kubeconfig at .*absent"):
        await Client.from_environment(field_manager="test")


async def test_pod_without_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(ConfigurationError, match="automountServiceAccountToken"):
        await Client.from_environment(field_manager="test")


async def test_several_files_of_which_one_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(kubeconfig())
    async with await Client.from_kubeconfig(
        f"{tmp_path / 'absent'}:{file}", field_manager="test"
    ) as client:
        assert client.configuration.host == "https://127.0.0.1:1"
        assert await client.authorization() == "Bearer secret"


async def test_no_answer_says_from_where(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("evenkeel.kube.client.RETRIES", 0)
    file = tmp_path / "kubeconfig"
    file.write_text(kubeconfig(clusters=cluster(server=f"http://127.0.0.1:{unused_tcp_port}")))
    async with await Client.from_kubeconfig(str(file), field_manager="test") as client:
        with pytest.raises(ApiError, match=rf"cannot connect to 127.0.0.1:{unused_tcp_port}"):
            await client.get(POD, "shop", "a")
        assert not client.answered.is_set()


async def test_another_server_than_kubernetes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>Log in</html>", content_type="text/html")

    monkeypatch.setattr("evenkeel.kube.client.RETRIES", 0)
    app = web.Application()
    app.router.add_get("/{path:.*}", page)
    async with TestServer(app) as server:
        file = tmp_path / "kubeconfig"
        file.write_text(kubeconfig(clusters=cluster(server=f"http://127.0.0.1:{server.port}")))
        async with await Client.from_kubeconfig(str(file), field_manager="test") as client:
            with pytest.raises(ApiError, match="not as Kubernetes does"):
                await client.get(POD, "shop", "a")
            assert not client.answered.is_set()
