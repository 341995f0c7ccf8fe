"""Ways to Prometheus that are not straight: pairs, lag, slowness, demands and hostility."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import cache
from random import Random
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

TENANT = "X-Scope-OrgID"
USER, PASSWORD = "models", "a very good one"
SLOW = 4.0
LAG = 10.0
Answer = Callable[["Proxies", web.BaseRequest], Awaitable[web.StreamResponse]]


class Proxies:
    """One HTTP server; /NAME/api/v1/query leads to Prometheus in the way that NAME stands for."""

    def __init__(self, targets: Mapping[str, tuple[str, ...]], seed: int) -> None:
        """targets: by NAME the base URLs of the Prometheus servers behind it."""
        self._targets = targets
        self.chance = Random(seed)
        self.asked: Counter[str] = Counter()
        self._runner: web.ServerRunner | None = None
        self._http: aiohttp.ClientSession | None = None
        self.port = 0

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http is not None:
            await self._http.close()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        name = request.path.split("/")[1]
        self.asked[name] += 1
        return await WAYS.get(name.split("-")[0], straight)(self, request)

    async def asks(self, request: web.BaseRequest, behind: float = 0.0) -> web.Response:
        """One of the servers behind, by chance, about the time so many seconds ago."""
        _, name, path = request.path.split("/", 2)
        try:
            form = dict(parse_qsl(await request.text())) | dict(request.query)
        except ConnectionError:  # The client has had enough.
            return web.Response(status=499)
        if behind:
            form["time"] = f"{float(form.get('time', time.time())) - behind:.3f}"
        assert self._http is not None
        target = self.chance.choice(self._targets[name])
        try:
            async with self._http.post(f"{target}/{path}", data=form) as answer:
                body = await answer.read()
                return web.Response(
                    status=answer.status, body=body, content_type="application/json"
                )
        except aiohttp.ClientError:
            return web.Response(status=502, text="no server behind answers")


@cache
def bomb() -> bytes:
    """256 MiB of blanks in a quarter of a megabyte."""
    return gzip.compress(b" " * (256 << 20), 9)


async def straight(proxies: Proxies, request: web.BaseRequest) -> web.StreamResponse:
    return await proxies.asks(request)


async def _lagging(proxies: Proxies, request: web.BaseRequest) -> web.StreamResponse:
    return await proxies.asks(request, behind=LAG)


async def _slow(proxies: Proxies, request: web.BaseRequest) -> web.StreamResponse:
    await asyncio.sleep(SLOW)
    return await proxies.asks(request)


async def _tenant(proxies: Proxies, request: web.BaseRequest) -> web.StreamResponse:
    if request.headers.get(TENANT) != "models":
        return web.Response(status=401, text="no org id")
    return await proxies.asks(request)


async def _basic(proxies: Proxies, request: web.BaseRequest) -> web.StreamResponse:
    if request.headers.get("Authorization") != aiohttp.encode_basic_auth(USER, PASSWORD):
        return web.Response(status=401, text="no such user")
    return await proxies.asks(request)


async def _drip(proxies: Proxies, request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with suppress(ConnectionError):  # The client has had enough.
        for _ in range(3600):
            await response.write(b" ")
            await asyncio.sleep(1)
    return response


async def _bomb(proxies: Proxies, request: web.BaseRequest) -> web.StreamResponse:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return web.Response(body=bomb(), headers=headers)


async def _huge(proxies: Proxies, request: web.BaseRequest) -> web.StreamResponse:
    """A body without an end."""
    return await _flood(request, b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n", b" ")


async def _heads(proxies: Proxies, request: web.BaseRequest) -> web.StreamResponse:
    """Interim answers without an end."""
    return await _flood(request, b"", b"HTTP/1.1 100 Continue\r\n\r\n")


async def _unasked(proxies: Proxies, request: web.BaseRequest) -> web.StreamResponse:
    """An answer, and others that nobody asked for."""
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    return await _flood(request, one, one)


async def _flood(request: web.BaseRequest, first: bytes, more: bytes) -> web.StreamResponse:
    """Sends bytes as they are until the client ends the connection."""
    transport = request.transport
    assert transport is not None
    transport.write(first)
    more *= 2**16 // len(more)
    while not transport.is_closing():
        if not transport.get_write_buffer_size():
            transport.write(more)
        await asyncio.sleep(0.005)
    return web.Response()


async def _lying(proxies: Proxies, request: web.BaseRequest) -> web.StreamResponse:
    """Values that no counter has, another kind in each answer, of each pod one at least."""
    answer = await proxies.asks(request)
    body = json.loads(answer.body if isinstance(answer.body, bytes) else b"{}")
    lie = proxies.chance.choice(("NaN", "-5", "+Inf", "1e300"))
    lied: set[str] = set()
    samples = [s for s in body.get("data", {}).get("result", ()) if "value" in s]
    for sample in sorted(samples, key=lambda _: proxies.chance.random()):
        pod = sample["metric"].get("pod", "")
        if pod not in lied or proxies.chance.random() < 0.5:
            sample["value"][1] = lie
            lied.add(pod)
    return web.json_response(body)


WAYS: Mapping[str, Answer] = {
    "lag": _lagging,
    "slow": _slow,
    "tenant": _tenant,
    "basic": _basic,
    "drip": _drip,
    "bomb": _bomb,
    "huge": _huge,
    "heads": _heads,
    "unasked": _unasked,
    "lying": _lying,
}
