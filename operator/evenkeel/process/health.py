"""Liveness and readiness over HTTP, and the metrics endpoint."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

STALLED_AFTER = 300.0
"""Seconds; longer than any reconcile with all its retries against a slow API server."""


def health(alive: Callable[[], float], ready: Callable[[], bool]) -> web.Application:
    """`/healthz` fails when a key has been waited for or worked on for too long; `/readyz` until
    the caches are filled."""

    async def healthz(_: web.Request) -> web.Response:
        age = alive()
        if age > STALLED_AFTER:
            return web.Response(status=500, text=f"reconciling has stalled for {age:.0f} s\n")
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if not ready():
            return web.Response(status=503, text="caches are not filled yet\n")
        return web.Response(text="ok\n")

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    return app


def exposition(refresh: Callable[[], None]) -> web.Application:
    """`/metrics` in Prometheus' text format; `refresh` sets the gauges first."""

    async def metrics(_: web.Request) -> web.Response:
        refresh()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app
