"""Liveness and readiness over HTTP, and the metrics endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from evenkeel.kube.diagnosis import Diagnosis
from evenkeel.kube.watcher import Watcher

STALLED_AFTER = 300.0
"""Seconds; longer than any reconcile with all its retries against a slow API server."""


class Health(NamedTuple):
    """How the process is.

    stalled_for: how long keys have waited without progress, or one was worked on, in seconds.
    unready: why the operator cannot do its work. impaired: what is wrong although it can.
    """

    stalled_for: float = 0.0
    unready: tuple[str, ...] = ()
    impaired: tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether a restart would not help."""
        return self.stalled_for <= STALLED_AFTER

    @property
    def stalled(self) -> str:
        """For people, while it is not alive."""
        return f"reconciling has stalled for {self.stalled_for:.0f} s"


def judged(
    stalled_for: float,
    watchers: Iterable[Watcher],
    lease: Diagnosis | None,
    beside: Iterable[str] = (),
) -> Health:
    """How the process is, by its watches and its Lease. beside: what else is wrong, if it is said.

    A kind that was never listed and a fault that lasts leave the operator unready; what passes,
    such as an API server that is away for a while, only impairs it.
    """
    unready: list[str] = []
    impaired = [said for said in beside if said]
    for watcher in watchers:
        if not watcher.synced.is_set():
            told = watcher.diagnosis
            unready.append(told.message if told else f"{watcher.plural} are not listed yet")
        elif watcher.diagnosis is not None:
            (unready if watcher.diagnosis.lasts else impaired).append(watcher.diagnosis.message)
    if lease is not None:
        (unready if lease.lasts else impaired).append(lease.message)
    return Health(stalled_for, tuple(dict.fromkeys(unready)), tuple(dict.fromkeys(impaired)))


def health(look: Callable[[], Health]) -> web.Application:
    """`/healthz` answers 500 while a restart is due, `/readyz` 503 while the operator cannot work.

    The body says why, a line each.
    """

    async def healthz(_: web.Request) -> web.Response:
        now = look()
        if not now.alive:
            return web.Response(status=500, text=f"{now.stalled}\n")
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        now = look()
        said = now.unready or ("ok", *now.impaired)
        status = 503 if now.unready else 200
        return web.Response(status=status, text="".join(f"{line}\n" for line in said))

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
