"""The meter as the operator starts it: from an answer's token to the count of its label."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.serving.feedback import FOLDER, feedback_objects
from evenkeel.serving.feedback_keys import PATH

from dev.cluster.ports import free_port
from dev.paths import ROOT
from tests.support.serving_examples import REVISION, SETTINGS, built, model_deployment

T = TypeVar("T")
MD = model_deployment(
    monitoring={"feedback": {"keys": {"secretName": "k"}, "slices": ["region"]}},
)
ANSWER = {"outputs": [{"name": "o", "shape": [1], "datatype": "INT64", "data": [1]}]}
ASKED = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [0.5]}]}


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("meter") / "meter"
    environment = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run(
        ["go", "build", "-o", made, "."], cwd=ROOT / "meter", env=environment, check=True
    )
    return made


class Started:
    """What the operator has a container do, with folders and ports of this machine."""

    def __init__(self, container: dict[str, Any], folders: dict[str, str]) -> None:
        told = {e["name"]: e["value"] for e in container["env"]}
        ports = {f":{p['containerPort']}": f"127.0.0.1:{free_port()}" for p in container["ports"]}
        self.environment = {n: ports.get(v, folders.get(v, v)) for n, v in told.items()}
        self.arguments = container.get("args", [])
        of = {p["name"]: ports[f":{p['containerPort']}"] for p in container["ports"]}
        self.http, self.metrics = (f"http://{of[name]}" for name in ("http", "metrics"))
        self.probes = {
            probe: self.metrics + container[probe]["httpGet"]["path"]
            for probe in ("readinessProbe", "livenessProbe")
        }

    @contextmanager
    def run(self, binary: Path) -> Iterator[None]:
        with subprocess.Popen([binary, *self.arguments], env=self.environment) as process:
            try:
                yield
            finally:
                process.terminate()
                process.wait(30)


async def eventually(ask: Callable[[], Awaitable[T]]) -> T:
    """What is asked for, once there is something."""
    async with asyncio.timeout(60):
        while True:
            if found := await ask():
                return found
            await asyncio.sleep(0.1)


@asynccontextmanager
async def model_server() -> AsyncIterator[str]:
    async def infer(request: web.Request) -> web.Response:
        return web.json_response(ANSWER)

    app = web.Application()
    app.router.add_post("/v2/models/fraud/infer", infer)
    async with TestServer(app) as server:
        yield f"127.0.0.1:{server.port}"


async def test_a_label_counts_for_the_revision_that_has_answered(
    binary: Path, tmp_path: Path
) -> None:
    keys, seen = tmp_path / "keys", tmp_path / "seen"
    keys.mkdir()
    seen.mkdir()
    folders = {PATH: str(keys), FOLDER: str(seen)}
    deployment, _ = feedback_objects(MD, SETTINGS.meter_image)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    server = Started(container, folders)
    pods = built(MD)["spec"]["containers"]
    meter = Started(next(c for c in pods if c["name"] == "meter"), folders)
    async with model_server() as upstream, aiohttp.ClientSession() as client:
        meter.environment |= {"METER_UPSTREAM": upstream}

        async def status(url: str) -> int:
            try:
                async with client.get(url) as answer:
                    return answer.status
            except aiohttp.ClientConnectionError:
                return 0

        async def reached(url: str, wanted: int) -> None:
            async def there() -> bool:
                return await status(url) == wanted

            assert await eventually(there)

        with server.run(binary), meter.run(binary):
            await reached(server.probes["livenessProbe"], 200)
            await reached(meter.probes["readinessProbe"], 200)
            assert await status(server.probes["readinessProbe"]) == 503, "there is no key"
            (keys / "2026-01-31").write_text(secrets.token_hex(32))
            await reached(server.probes["readinessProbe"], 200)

            async def token() -> str:
                url = f"{meter.http}/v2/models/fraud/infer"
                async with client.post(url, json=ASKED) as answer:
                    assert answer.status == 200
                    return answer.headers.get("Evenkeel-Feedback-Token", "")

            line = {"token": await eventually(token), "label": 0}
            async with client.post(f"{server.http}/v1/feedback", json=line) as answer:
                assert (await answer.json())["accepted"] == 1
            async with client.get(f"{server.metrics}/metrics") as answer:
                counted = [s for s in (await answer.text()).splitlines() if s.endswith(" 1")]
    (labels,) = [line for line in counted if line.startswith("evenkeel_labels_total")]
    for label in ('deployment="fraud"', f'revision="{REVISION}"', 'slice=""', 'result="bad"'):
        assert label in labels
