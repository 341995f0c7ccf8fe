"""Requests that a real meter copies to a canary, judged by a real Prometheus' pairs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dev.cluster.ports import free_port
from dev.cluster.processes import Daemon, Processes
from dev.prometheus import Prometheus
from tests.support.meter_processes import compiled
from tests.support.operating import B, World, model_deployment, until

JSON = dict[str, Any]
DIVISION = "evenkeel.dev/division"
MORE = """
monitoring: {}
rollout: {steps: [{mirror: {percent: 100}}], scaleDownDelaySeconds: 1}
replicas: 1
analysis:
  minRequests: 50
  indicators:
  - {name: disagreement, source: Pairs, maxRatio: "0.1"}
  - {name: paired-errors, source: Pairs, acceptable: "0.05"}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("meter"))


@asynccontextmanager
async def model(
    answers: Callable[[int], int], revision: Callable[[], str] = str
) -> AsyncIterator[int]:
    """A model server that tells its revision, as its meter would; the port."""

    async def infer(request: web.Request) -> web.Response:
        (row,) = (await request.json())["instances"]
        return web.json_response({"predictions": [answers(row)]})

    async def tell(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Evenkeel-Revision"] = revision()

    app = web.Application()
    app.on_response_prepare.append(tell)
    app.router.add_post("/v1/models/fraud:predict", infer)
    async with TestServer(app) as server:
        yield server.port or 0


class Pod:
    """Stable's pod, whose file of the downward API is written as a kubelet does, but for where the
    canary is: no Service leads anywhere here."""

    def __init__(self, w: World, revision: str, file: Path, canary: int) -> None:
        self.name = f"{revision}-7d9f-abcde"
        self._w, self._file, self._canary = w, file, canary
        labels = {
            "app.kubernetes.io/managed-by": "evenkeel",
            "evenkeel.dev/deployment": "fraud",
            "evenkeel.dev/revision": revision,
        }
        container = {
            "name": "meter",
            "image": "meter",
            "env": [{"name": "METER_DIVISION", "value": str(file)}],
        }
        made = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.name, "labels": labels},
            "spec": {"containers": [container]},
        }
        w.ns.create(made)

    def told(self) -> JSON:
        """What its annotation says."""
        found = self._w.ns.get("Pod", self.name)["metadata"].get("annotations") or {}
        return dict(json.loads(found.get(DIVISION, "{}")))

    async def show(self) -> None:
        """Writes the file again and again, until cancelled."""
        while True:
            found = await asyncio.to_thread(self.told)
            for one in found.values():
                one["url"] = f"http://127.0.0.1:{self._canary}"
            self._file.write_text(json.dumps(found) if found else "")
            await asyncio.sleep(0.2)


async def ask(port: int) -> None:
    """Clients, until cancelled."""
    url = f"http://127.0.0.1:{port}/v1/models/fraud:predict"
    async with aiohttp.ClientSession() as session:
        for row in range(10**9):
            with suppress(aiohttp.ClientError):
                async with session.post(url, json={"instances": [row]}):
                    pass
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("canary", "outcome"),
    [
        (lambda row: row % 7, "Promoted AllIndicatorsPass"),
        (lambda row: row % 7 if row % 3 else -1, "RolledBack AboveMaxRatio"),
    ],
    ids=["as stable", "answers another way"],
)
async def test_a_shadow_is_judged_by_the_pairs_that_a_meter_counts(
    w: World, program: Path, tmp_path: Path, canary: Callable[[int], int], outcome: str
) -> None:
    server = Prometheus(Processes(tmp_path, die_with_parent=True), tmp_path, "prometheus")
    processes, file = Processes(tmp_path / "meters", die_with_parent=True), tmp_path / "division"
    listen, admin = free_port(), free_port()
    tried: list[str] = []
    w.counters.url = server.url
    async with (
        model(lambda row: row % 7) as upstream,
        model(canary, lambda: "".join(tried)) as shadow,
        w.operator(),
    ):
        w.ns.create(model_deployment("fraud", more=MORE))
        await until(lambda: w.ns.ready("fraud").get("status") == "True")
        stable = str(w.ns.status("fraud")["stable"]["revision"])
        pod = Pod(w, stable, file, shadow)
        environment = {
            "METER_LISTEN": f"127.0.0.1:{listen}",
            "METER_UPSTREAM": f"127.0.0.1:{upstream}",
            "METER_ADMIN_LISTEN": f"127.0.0.1:{admin}",
            "METER_DEPLOYMENT": "fraud",
            "METER_REVISION": stable,
            "METER_DIVISION": str(file),
        }
        file.write_text("")
        processes.start(Daemon("meter", (str(program),), environment))
        labels = {"namespace": w.ns.name, "pod": pod.name}
        target = {"targets": [f"127.0.0.1:{admin}"], "labels": labels}
        jobs = [{"job_name": "meters", "static_configs": [target]}]
        scraped = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        await server.start({"global": scraped, "scrape_configs": jobs})
        tasks = [asyncio.create_task(pod.show()), asyncio.create_task(ask(listen))]
        w.ns.serve("fraud", B)
        await until(lambda: "mirror" in pod.told(), "what stable's pod is told")
        tried.append(pod.told()["mirror"]["revision"])
        assert w.ns.get("Service", tried[0])
        await until(lambda: w.ns.outcomes("fraud") == [outcome], "the verdict", 120)
        await until(lambda: not pod.told(), "that nothing is told any more")
        for task in tasks:
            task.cancel()
    processes.stop("meter", 0.0)
    server.stop()
