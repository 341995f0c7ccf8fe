"""One HTTP server that answers the scrapes of all simulated pods."""

from __future__ import annotations

import asyncio
import time
from random import Random

from aiohttp import web

from bench.conditions.exposition import content_type, text
from bench.conditions.fleet import Fleet

LATE = 3.0
"""A late answer takes this many seconds longer than a scrape waits."""


class Exporter:
    """Serves /m/NAMESPACE/POD on a port of its own on the loopback address."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self._fleet = fleet
        self._chance = Random(seed)
        self._runner: web.ServerRunner | None = None
        self.port = 0

    async def start(self) -> None:
        server = web.Server(self._answer, access_log=None)
        self._runner = web.ServerRunner(server)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        parts = request.path.split("/")
        pod = self._fleet.pod(parts[2], parts[3]) if len(parts) == 4 else None
        if pod is None or pod.started is None or pod.crashed:
            return web.Response(status=503)
        if self._chance.random() < pod.server.scrape_failures:
            if self._chance.random() < 0.5:
                return web.Response(status=500)
            await asyncio.sleep(LATE)
        model = self._fleet.models.get((pod.namespace, pod.model))
        if model is None or pod.started is None:
            return web.Response(status=503)
        now = time.time()
        pod.advance(now, model.incidents)
        if pod.crashed:
            return web.Response(status=503)
        pod.scrapes += 1
        headers = {"Content-Type": content_type(pod)}
        return web.Response(body=text(pod, now).encode(), headers=headers)
