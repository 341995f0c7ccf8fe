"""Ways to Prometheus do to its answers what their names say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from evenkeel.adapters.access import basic

from bench.conditions.proxies import LAG, PASSWORD, TENANT, USER, Proxies, bomb

JSON = dict[str, Any]


class Stub:
    """A Prometheus that says who it is and what it was asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[dict[str, str]] = []
        self.runner = web.ServerRunner(web.Server(self.answer))
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append({k: str(v) for k, v in (await request.post()).items()})
        sample = {"metric": {"name": self.name}, "value": [0, "7"]}
        return web.json_response({"data": {"result": [sample] * 20}})

    async def start(self) -> None:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"


@pytest.fixture
async def stubs() -> AsyncIterator[tuple[Stub, Stub]]:
    made = Stub("a"), Stub("b")
    for stub in made:
        await stub.start()
    yield made
    for stub in made:
        await stub.runner.cleanup()


@pytest.fixture
async def proxies(stubs: tuple[Stub, Stub]) -> AsyncIterator[Proxies]:
    both = tuple(s.url for s in stubs)
    ways = ("lag", "tenant", "basic", "lying", "bomb", "drip", "huge", "heads", "unasked")
    made = Proxies({"ha-5s": both} | dict.fromkeys(ways, both[:1]), seed=4)
    await made.start()
    yield made
    await made.stop()


async def ask(proxies: Proxies, way: str, **headers: str) -> tuple[int, JSON]:
    url = f"{proxies.url(way)}/api/v1/query"
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data={"query": "up"}, headers=headers) as answer,
    ):
        text = await answer.text()
        return answer.status, await answer.json() if text.startswith("{") else {"text": text}


async def test_a_pair_answers_by_chance(proxies: Proxies) -> None:
    answers = [await ask(proxies, "ha-5s") for _ in range(20)]
    names = {answer["data"]["result"][0]["metric"]["name"] for _, answer in answers}
    assert names == {"a", "b"}
    assert proxies.asked["ha-5s"] == 20


async def test_a_lagging_one_is_asked_about_the_past(
    proxies: Proxies, stubs: tuple[Stub, Stub]
) -> None:
    before = time.time()
    await ask(proxies, "lag")
    asked = stubs[0].asked[0]
    assert asked["query"] == "up"
    assert before - LAG - 0.01 <= float(asked["time"]) <= time.time() - LAG + 0.01


async def test_a_tenant_has_to_say_who_it_is(proxies: Proxies) -> None:
    assert await ask(proxies, "tenant") == (401, {"text": "no org id"})
    status, _ = await ask(proxies, "tenant", **{TENANT: "models"})
    assert status == 200


async def test_a_guarded_one_asks_for_a_user(proxies: Proxies) -> None:
    assert await ask(proxies, "basic") == (401, {"text": "no such user"})
    status, _ = await ask(proxies, "basic", Authorization=basic(USER, PASSWORD))
    assert status == 200


@pytest.mark.parametrize(
    ("way", "begins"),
    [
        ("huge", b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n "),
        ("heads", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n"),
        ("unasked", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200"),
    ],
)
async def test_a_flood_does_not_end(proxies: Proxies, way: str, begins: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxies.port)
    head = f"POST /{way}/api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.readexactly(len(begins))) == begins
    await reader.readexactly(2**20)
    writer.close()


async def test_a_lying_one_lies_about_some(proxies: Proxies) -> None:
    _, answer = await ask(proxies, "lying")
    values = {sample["value"][1] for sample in answer["data"]["result"]}
    assert "7" in values
    assert values & {"NaN", "-5", "+Inf", "1e300"}


def test_a_bomb_is_small_on_the_way() -> None:
    assert len(bomb()) < 2**20
