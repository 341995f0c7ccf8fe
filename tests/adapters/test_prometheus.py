"""The Prometheus client against a local server that answers what a test prescribes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.adapters import prometheus as module
from evenkeel.adapters.prometheus import Prometheus, PrometheusError


def success(kind: str, result: list[Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}}


class Stub:
    """A Prometheus with one prescribed answer."""

    def __init__(self) -> None:
        self.answer: Any = {}
        self.status = 200
        self.delay = 0.0
        self.headers: list[str | None] = []
        self.queries: list[str] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.headers.append(request.headers.get("Authorization"))
        self.queries.append(str((await request.post())["query"]))
        await asyncio.sleep(self.delay)
        if isinstance(self.answer, str):
            return web.Response(text=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)

    def vector(self, *samples: tuple[dict[str, str], str]) -> None:
        result = [{"metric": metric, "value": [1.5, value]} for metric, value in samples]
        self.answer = success("vector", result)


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    found = Stub()
    app = web.Application()
    app.router.add_post("/prom/api/v1/query", found.handle)
    async with TestServer(app) as server:
        found.url = f"http://127.0.0.1:{server.port}/prom"
        yield found


async def ask(stub: Stub, url: str = "", **settings: Any) -> dict[str, int]:
    client = Prometheus(**settings)
    try:
        return await client.series(url or stub.url, "up")
    finally:
        await client.close()


async def test_values_by_labels_whatever_their_order(stub: Stub) -> None:
    stub.vector(({"pod": "a", "code": "200"}, "3"), ({"code": "500", "pod": "a"}, "1e3"), ({}, "7"))
    assert await ask(stub) == {"code=200,pod=a": 3, "code=500,pod=a": 1000, "": 7}
    assert stub.queries == ["up"]


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-1"])
async def test_a_value_that_is_no_count_is_absent(stub: Stub, value: str) -> None:
    stub.vector(({"pod": "a"}, value), ({"pod": "b"}, "2"))
    assert await ask(stub) == {"pod=b": 2}


async def test_series_with_long_labels_stay_apart(stub: Stub) -> None:
    long = "x" * 600
    stub.vector(({"path": f"{long}1"}, "1"), ({"path": f"{long}2"}, "2"))
    found = await ask(stub)
    assert sorted(found.values()) == [1, 2]
    assert all(len(key) <= 480 for key in found)


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ({"status": "error", "errorType": "bad_data", "error": "parse error"}, 400, "parse error"),
        ({"status": "error", "error": "query timed out"}, 503, "timed out"),
        ("<html>bad gateway</html>", 502, "502"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, 200, "matrix"),
        (
            {"status": "success", "data": {"resultType": "scalar", "result": [1, "2"]}},
            200,
            "scalar",
        ),
        ([], 200, "understood"),
        ({"status": "success"}, 200, "understood"),
        (
            {"status": "success", "data": {"resultType": "vector", "result": [{}]}},
            200,
            "understood",
        ),
        (success("vector", [{"metric": {}, "value": [1, "x"]}]), 200, "understood"),
    ],
)
async def test_anything_else_is_an_error_that_says_why(
    stub: Stub, answer: Any, status: int, says: str
) -> None:
    stub.answer, stub.status = answer, status
    with pytest.raises(PrometheusError, match=says):
        await ask(stub)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://host:notaport", "http://[", "http://no.such.host.invalid"]
)
async def test_unreachable_or_malformed_addresses_are_errors(stub: Stub, url: str) -> None:
    with pytest.raises(PrometheusError):
        await ask(stub, url)


async def test_silence_is_an_error(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", httpx.Timeout(0.1))
    stub.delay = 0.5
    with pytest.raises(PrometheusError, match="ReadTimeout"):
        await ask(stub)


async def test_token_goes_to_the_operators_own_prometheus_only(stub: Stub) -> None:
    """A ModelDeployment names any URL; its author must not get the operator's token there."""
    stub.vector()
    await ask(stub, token=lambda: "secret", trusted_url=stub.url + "/")
    await ask(stub, token=lambda: "secret", trusted_url="http://prometheus.test")
    assert stub.headers == ["Bearer secret", None]


async def test_token_is_read_anew_since_it_rotates(stub: Stub) -> None:
    stub.vector()
    tokens = iter(["one", "two"])
    client = Prometheus(token=lambda: next(tokens), trusted_url=stub.url)
    await client.series(stub.url, "up")
    await client.series(stub.url, "up")
    await client.close()
    assert stub.headers == ["Bearer one", "Bearer two"]


async def test_token_that_cannot_be_read_is_an_error(stub: Stub) -> None:
    def unreadable() -> str:
        raise OSError("no such file: token")

    with pytest.raises(PrometheusError, match="no such file"):
        await ask(stub, token=unreadable, trusted_url=stub.url)
    assert stub.queries == []
