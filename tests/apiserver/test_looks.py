"""A Prometheus that does not answer delays what is known of its own canaries, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.operating import A, B, World, model_deployment, schedule, until

STUCK = 40
"""ModelDeployments whose Prometheus does not answer: more than there are workers."""


class Stuck:
    """A Prometheus that answers nothing until it is released, then as the world's own does."""

    def __init__(self, w: World) -> None:
        self.released, self.asked = asyncio.Event(), 0
        self._w = w

    async def handle(self, request: web.Request) -> web.Response:
        self.asked += 1
        await self.released.wait()
        return await self._w.counters.handle(request)


@asynccontextmanager
async def stuck(w: World) -> AsyncIterator[tuple[Stuck, str]]:
    made = Stuck(w)
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/api/v1/query", made.handle)
    async with TestServer(app) as server:
        try:
            yield made, f"http://127.0.0.1:{server.port}"
        finally:
            made.released.set()


async def test_a_prometheus_that_hangs_holds_up_nobody_else(w: World) -> None:
    async with stuck(w) as (prometheus, url), w.operator() as operator:
        names = [f"stuck-{number}" for number in range(STUCK)]
        w.ns.create(schedule())
        for name in (*names, "free"):
            w.ns.create(model_deployment(name, A, steps="[{weight: 50}]"))
        await until(lambda: all(w.ns.ready(n).get("status") == "True" for n in (*names, "free")))
        for name in names:
            analysis = {"analysis": {"prometheus": {"url": url}}}
            w.ns.patch("ModelDeployment", name, {"spec": analysis})
            w.ns.serve(name, B)
        await until(lambda: all((w.ns.canary(n) or {}).get("step") == 0 for n in names))
        await until(lambda: prometheus.asked > 0)

        # While no look at any of them is answered, another is judged and promoted, an alert has
        # its training, and they themselves do what they are told.
        w.ns.serve("free", B)
        await until(lambda: w.ns.outcomes("free") == ["Promoted AllIndicatorsPass"])
        webhook = f"http://127.0.0.1:{operator._settings.webhook_port}/alertmanager/v4"
        async with (
            aiohttp.ClientSession() as session,
            session.post(webhook, json=w.alerts(0, 1)) as answer,
        ):
            assert answer.status == 200
        await until(lambda: w.ns.all("TrainingRun"))
        aborted = str((w.ns.canary(names[0]) or {})["revision"])
        w.ns.rollout(names[0], abort=aborted)
        await until(lambda: w.ns.outcomes(names[0]) == ["RolledBack Aborted"])
        assert not prometheus.released.is_set()
        assert [w.ns.stable_uri(n) for n in names] == [A] * STUCK

        prometheus.released.set()
        await until(lambda: w.ns.stable_uri(names[1]) == B, seconds=60)


async def test_a_tenants_wrong_query_is_told_to_it_and_hurts_nobody(w: World) -> None:
    async with w.operator():
        for name in ("wrong", "right"):
            w.ns.create(model_deployment(name, steps="[{weight: 50}]"))
            await until(lambda name=name: w.ns.ready(name).get("status") == "True")  # type: ignore[misc]
        refused = {"status": "error", "errorType": "bad_data", "error": "unknown function nosuch"}
        w.counters.refuse = lambda query: refused if "nosuch" in query else None
        indicator = {"name": "errors", "total": "nosuch(all)", "bad": "bad"}
        w.ns.patch("ModelDeployment", "wrong", {"spec": {"analysis": {"indicators": [indicator]}}})
        for name in ("wrong", "right"):
            w.ns.serve(name, B)
        await until(lambda: w.ns.outcomes("right") == ["Promoted AllIndicatorsPass"])
        await until(lambda: (w.ns.canary("wrong") or {}).get("reason") == "QueryRefused")
        assert "unknown function nosuch" in (w.ns.canary("wrong") or {})["message"]
