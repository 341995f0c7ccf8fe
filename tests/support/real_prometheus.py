"""A real Prometheus that scrapes what a test exposes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from dev.cluster.processes import Processes
from dev.prometheus import Prometheus


class RealPrometheus:
    """Scrapes the targets each second. targets: by pod what it exposes, or what makes that for each
    scrape; None is a failed scrape. scraped: by pod how often."""

    def __init__(self) -> None:
        self.targets: dict[str, str | Callable[[], str] | None] = {}
        self.scraped: Counter[str] = Counter()
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        pod = request.match_info["pod"]
        self.scraped[pod] += 1
        text = self.targets.get(pod)
        if text is None:
            return web.Response(status=500)
        if not isinstance(text, str):
            text = text()
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
                "honor_labels": True,
                "static_configs": [
                    {"targets": [target], "labels": {"pod": pod, "namespace": namespace}}
                ],
            }
            for pod in pods
        ]
        settings: dict[str, object] = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            # What a target exposes with times of the past is history.
            "storage": {"tsdb": {"out_of_order_time_window": "30d"}},
        }
        server = Prometheus(Processes(folder, die_with_parent=True), folder, "prometheus")
        made.url = server.url
        try:
            await server.start({**settings, "scrape_configs": jobs})
            yield made
        finally:
            server.stop()
