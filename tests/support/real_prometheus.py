"""A real Prometheus that scrapes what a test exposes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from dev.cluster.processes import Processes
from dev.prometheus import Prometheus


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
async def prometheus(
    folder: Path, *pods: str, namespace: str = "shop"
) -> AsyncIterator[RealPrometheus]:
    """One that runs, with an empty store, and scrapes those pods of the namespace."""
    made = RealPrometheus()
    app = web.Application()
    app.router.add_get("/{pod}", made.handle)
    async with TestServer(app) as exporter:
        target = f"127.0.0.1:{exporter.port}"
        jobs = [
            {
                "job_name": pod,
                "metrics_path": f"/{pod}",
                "static_configs": [
                    {"targets": [target], "labels": {"pod": pod, "namespace": namespace}}
                ],
            }
            for pod in pods
        ]
        settings = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}}
        server = Prometheus(Processes(folder, die_with_parent=True), folder, "prometheus")
        made.url = server.url
        try:
            await server.start({**settings, "scrape_configs": jobs})
            yield made
        finally:
            server.stop()
