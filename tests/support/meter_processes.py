"""Real meters in front of a model server that answers at once, and clients that ask it."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.trainer.profile import profile

from dev.cluster.ports import free_port
from dev.cluster.processes import Daemon, Processes
from dev.paths import ROOT

JSON = dict[str, Any]
FEATURES = ("load", "temperature")
Draw = Callable[[random.Random], list[float]]


def usual(chance: random.Random) -> list[float]:
    """A row as the model was trained on."""
    return [chance.gauss(0, 1), chance.gauss(10, 3)]


def moved(chance: random.Random) -> list[float]:
    """A row of later: the load is higher."""
    return [chance.gauss(2, 1), chance.gauss(10, 3)]


def told(row: list[float]) -> int:
    """The model."""
    return int(row[1] > 10)


def compiled(folder: Path) -> Path:
    """The meter's program. Raises CalledProcessError."""
    target = folder / "meter"
    subprocess.run(
        ["go", "build", "-o", str(target), "."],
        cwd=ROOT / "meter",
        env={**os.environ, "CGO_ENABLED": "0"},
        check=True,
    )
    return target


class Meters:
    """The meters of a revision's pods. rows: what clients ask from now on. asked: rows so far."""

    def __init__(self, program: Path, folder: Path, revision: str, namespace: str) -> None:
        self._program, self._folder = program, folder
        self._revision, self._namespace = revision, namespace
        self._processes = Processes(folder / "meters", die_with_parent=True)
        self._ports: dict[str, tuple[int, int]] = {}
        self._upstream = 0
        self.rows: Draw = usual
        self.asked = 0

    def targets(self) -> list[JSON]:
        """Prometheus' static configuration."""
        labels = {"namespace": self._namespace}
        return [
            {"targets": [f"127.0.0.1:{admin}"], "labels": {**labels, "pod": pod}}
            for pod, (_, admin) in self._ports.items()
        ]

    def start(self, pod: str) -> None:
        """Begins a pod's meter, or begins it anew."""
        listen, admin = self._ports.setdefault(pod, (free_port(), free_port()))
        environment = {
            "METER_LISTEN": f"127.0.0.1:{listen}",
            "METER_UPSTREAM": f"127.0.0.1:{self._upstream}",
            "METER_ADMIN_LISTEN": f"127.0.0.1:{admin}",
            "METER_DEPLOYMENT": "elec",
            "METER_REVISION": self._revision,
            "METER_VERSION": "v1",
            "METER_PROFILE": str(self._folder / "evenkeel-profile.json"),
        }
        self._processes.start(Daemon(pod, (str(self._program),), environment))

    def kill(self, pod: str) -> None:
        """Ends it at once."""
        self._processes.stop(pod, 0.0)

    async def infer(self, request: web.Request) -> web.Response:
        """The model server's part."""
        (tensor,) = (await request.json())["inputs"]
        rows, columns = tensor["shape"]
        data = tensor["data"]
        answers = [told(data[at * columns : (at + 1) * columns]) for at in range(rows)]
        output = {"name": "predict", "datatype": "INT64", "shape": [rows, 1], "data": answers}
        return web.json_response({"model_name": "elec", "outputs": [output]})

    async def ask(self) -> None:
        """Asks all of them again and again, until cancelled."""
        chance = random.Random(1)
        async with aiohttp.ClientSession() as session:
            while True:
                for listen, _ in self._ports.values():
                    rows = [self.rows(chance) for _ in range(20)]
                    data = [value for row in rows for value in row]
                    shape = [len(rows), len(FEATURES)]
                    tensor = {"name": "x", "datatype": "FP64", "shape": shape, "data": data}
                    url = f"http://127.0.0.1:{listen}/v2/models/elec/infer"
                    try:
                        async with session.post(url, json={"inputs": [tensor]}) as answer:
                            self.asked += len(rows) if answer.status == 200 else 0
                    except aiohttp.ClientError:
                        pass
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def open(self, *pods: str) -> AsyncIterator[None]:
        """The pods run and are asked."""
        chance = random.Random(0)
        rows = [usual(chance) for _ in range(10_000)]
        columns = {name: [row[at] for row in rows] for at, name in enumerate(FEATURES)}
        profile(columns, [told(row) for row in rows]).save(self._folder)
        app = web.Application()
        app.router.add_post("/v2/models/elec/infer", self.infer)
        async with TestServer(app) as server:
            self._upstream = server.port or 0
            for pod in pods:
                self.start(pod)
            asking = asyncio.create_task(self.ask())
            try:
                yield
            finally:
                asking.cancel()
                for pod in pods:
                    self.kill(pod)
