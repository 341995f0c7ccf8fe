"""A real Prometheus that scrapes what a test exposes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml
from aiohttp import ClientError, ClientSession, web
from aiohttp.test_utils import TestServer

from dev.cluster.ports import free_port


class RealPrometheus:
    """Scrapes the targets each second. targets: by pod what it exposes; None is a failed scrape."""

    def __init__(self) -> None:
        self.targets: dict[str, str | None] = {}
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        text = self.targets.get(request.match_info["pod"])
        if text is None:
            return web.Response(status=500)
        return web.Response(text=text, content_type="text/plain")


@asynccontextmanager
async def prometheus(program: Path, folder: Path, *pods: str) -> AsyncIterator[RealPrometheus]:
    """One that runs, with an empty store, and scrapes those pods of the namespace shop."""
    made = RealPrometheus()
    app = web.Application()
    app.router.add_get("/{pod}", made.handle)
    async with TestServer(app) as server:
        file = folder / "prometheus.yml"
        target = f"127.0.0.1:{server.port}"
        jobs = [
            {
                "job_name": pod,
                "metrics_path": f"/{pod}",
                "static_configs": [
                    {"targets": [target], "labels": {"pod": pod, "namespace": "shop"}}
                ],
            }
            for pod in pods
        ]
        settings = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}}
        file.write_text(yaml.safe_dump({**settings, "scrape_configs": jobs}))
        port = free_port()
        made.url = f"http://127.0.0.1:{port}"
        process = await asyncio.create_subprocess_exec(
            program,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        )
        try:
            await _ready(made.url)
            yield made
        finally:
            process.terminate()
            await process.wait()


async def _ready(url: str) -> None:
    async with ClientSession() as http, asyncio.timeout(60):
        while True:
            try:
                async with http.get(f"{url}/-/ready") as answer:
                    if answer.status == 200:
                        return
            except ClientError:
                pass
            await asyncio.sleep(0.1)
