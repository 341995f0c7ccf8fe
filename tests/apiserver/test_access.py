"""Access to Prometheus as a user meets it: what the canary says without it, and its judgement."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.api_server import ApiServer
from tests.support.operating import B, World, model_deployment, until


@asynccontextmanager
async def demanding(w: World, granted: Callable[[web.Request], bool]) -> AsyncIterator[str]:
    """The address of the world's Prometheus behind one that refuses other requests."""

    async def handle(request: web.Request) -> web.Response:
        if granted(request):
            return await w.counters.handle(request)
        return web.Response(text="no org id\n", status=401)

    app = web.Application()
    app.router.add_post("/api/v1/query", handle)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


def message(w: World, name: str) -> str:
    return str((w.ns.canary(name) or {}).get("message", ""))


async def begun(w: World, name: str, prometheus: str) -> None:
    """A rollout of B, judged by that Prometheus."""
    w.ns.create(model_deployment(name, steps="[{weight: 50}]"))
    await until(lambda: w.ns.ready(name).get("status") == "True", f"{name} ready")
    w.ns.patch("ModelDeployment", name, {"spec": {"analysis": {"prometheus": {"url": prometheus}}}})
    w.ns.serve(name, B)


async def test_a_tenants_header(w: World) -> None:
    async with (
        demanding(w, lambda r: r.headers.get("X-Scope-OrgID") == "team-a") as url,
        w.operator(),
    ):
        await begun(w, "tenant", url)
        await until(lambda: "answered 401: no org id" in message(w, "tenant"))
        headers = [{"name": "X-Scope-OrgID", "value": "team-a"}]
        w.ns.patch(
            "ModelDeployment",
            "tenant",
            {"spec": {"analysis": {"prometheus": {"headers": headers}}}},
        )
        await until(lambda: w.ns.stable_uri("tenant") == B)


async def test_a_password_by_secret(w: World, api_server: ApiServer) -> None:
    wanted = "Basic " + base64.b64encode(b"user:geheim").decode()
    basic = {
        "username": {"name": "mimir", "key": "username"},
        "password": {"name": "mimir", "key": "password"},
    }
    async with (
        demanding(w, lambda r: r.headers.get("Authorization") == wanted) as url,
        w.operator(),
    ):
        await begun(w, "basic", url)
        w.ns.patch(
            "ModelDeployment", "basic", {"spec": {"analysis": {"prometheus": {"basicAuth": basic}}}}
        )
        says = f"there is no Secret 'mimir' of namespace {w.ns.name}; create it"
        await until(lambda: says in message(w, "basic"))
        api_server.kubectl(
            *("-n", w.ns.name, "create", "secret", "generic", "mimir"),
            *("--from-literal=username=user", "--from-literal=password=geheim"),
        )
        await until(lambda: w.ns.stable_uri("basic") == B)
    assert "geheim" not in str(w.ns.status("basic"))


async def test_an_address_that_the_platform_does_not_allow(w: World) -> None:
    async with w.operator(prometheus_allowed=("https://mimir.example",)):
        await begun(w, "elsewhere", "http://127.0.0.1:9/x")
        await until(lambda: "prometheus.allowed" in message(w, "elsewhere"))
        assert w.ns.canary("elsewhere") is not None
        w.ns.patch(
            "ModelDeployment", "elsewhere", {"spec": {"analysis": {"prometheus": {"url": None}}}}
        )
        await until(lambda: w.ns.stable_uri("elsewhere") == B)
