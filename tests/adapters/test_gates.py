"""What gates answer, and what is none of their answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.adapters.access import Access
from evenkeel.adapters.gates import Gates, signature
from evenkeel.adapters.source import AccessDenied, NotFound, NotUnderstood, SourceError, Unavailable
from evenkeel.adapters.web import Web
from evenkeel.outside.gates import GateAnswer, GateQuestion

KEY = "hush-hush-hush"


class Gate:
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        self.headers: Any = {}
        self.asked = b""
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.headers, self.asked = request.headers, await request.read()
        self.query = request.query_string
        return web.Response(status=self.status, body=self.body)


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    made, app = Gate(), web.Application()
    app.router.add_post("/confirm", made.handle)
    async with TestServer(app) as server:
        made.url = f"http://127.0.0.1:{server.port}/confirm"
        yield made


async def ask(gate: Gate, **access: Any) -> GateAnswer:
    client = Web(loopback=True)
    question = GateQuestion("a=b", '{"step": 1}', "d1", 5.0)
    try:
        way = Access(gate.url, guarded=False, **access)
        return await Gates(client, wall=lambda: 1700000000.9)(question, way, None)
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, b"", GateAnswer("Allow")),
        (204, b"", GateAnswer("Allow")),
        (200, b'{"allow": true, "message": "go"}', GateAnswer("Allow", "go")),
        (200, b'{"allow": false, "message": "no\\n"}', GateAnswer("Deny", "no")),
        (200, b'{"wait": true}', GateAnswer("Wait")),
        (200, b'{"wait": true, "allow": true}', GateAnswer("Wait")),
        (202, b"", GateAnswer("Wait")),
        (425, b'{"message": "soon"}', GateAnswer("Wait", "soon")),
    ],
)
async def test_its_answers(gate: Gate, status: int, body: bytes, answer: GateAnswer) -> None:
    gate.status, gate.body = status, body
    assert await ask(gate) == answer


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>log in</html>", NotUnderstood),
        (200, b"true", NotUnderstood),
        (200, b"{}", NotUnderstood),
        (200, b'{"allow": "false"}', NotUnderstood),
        (200, b'{"allow": 1}', NotUnderstood),
        (200, b'{"allow": true' + b" " * 2**17 + b"}", NotUnderstood),
        (302, b"", Unavailable),
        (403, b'{"allow": true}', AccessDenied),
        (404, b"", NotFound),
        (500, b'{"allow": true}', Unavailable),
        (503, b"", Unavailable),
    ],
)
async def test_what_is_none(gate: Gate, status: int, body: bytes, error: type[SourceError]) -> None:
    gate.status, gate.body = status, body
    with pytest.raises(error):
        await ask(gate)


async def test_what_it_is_sent(gate: Gate) -> None:
    await ask(gate, signing=KEY)
    assert (gate.asked, gate.query) == (b'{"step": 1}', "a=b")
    assert gate.headers["Content-Type"] == "application/json"
    assert gate.headers["webhook-id"] == "d1"
    assert gate.headers["webhook-timestamp"] == "1700000000"
    expected = hmac.digest(KEY.encode(), b'd1.1700000000.{"step": 1}', hashlib.sha256)
    assert gate.headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
    await ask(gate)
    assert "webhook-signature" not in gate.headers


def test_keys_are_text_or_bytes_in_base64() -> None:
    raw = b"a key of some bytes"
    key = "whsec_" + base64.b64encode(raw).decode()
    assert signature(key, "m", "1", b"{}") == signature(raw.decode(), "m", "1", b"{}")
    assert signature("whsec_?", "m", "1", b"{}") != signature("", "m", "1", b"{}")


async def test_its_words_hold_no_secret(gate: Gate) -> None:
    gate.body = f'{{"allow": false, "message": "{KEY} is wrong"}}'.encode()
    assert KEY not in (await ask(gate, signing=KEY)).message
