"""Requests to outside systems that answer well, wrongly, slowly and not at all."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web as server
from aiohttp.test_utils import TestServer
from evenkeel.adapters import web as module
from evenkeel.adapters.access import Access
from evenkeel.adapters.exchange import REFUSAL
from evenkeel.adapters.source import (
    AccessDenied,
    NotAllowed,
    NotFound,
    NotUnderstood,
    SourceError,
    Unavailable,
)
from evenkeel.adapters.web import ANSWER, Web, refusal, words

Handler = Callable[[server.Request], Awaitable[server.StreamResponse]]
SHOWN = Access("", (("X-Workspace", "ml-team"),), "Bearer hush-hush")


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    made = Web()
    yield made
    await made.close()


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = server.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as made:
        yield f"http://127.0.0.1:{made.port}"


def shown(url: str) -> Access:
    return Access(url, SHOWN.headers, SHOWN.authorization)


async def test_what_is_sent_and_what_comes_back(web: Web) -> None:
    async def echo(request: server.Request) -> server.Response:
        return server.json_response(
            {
                "path": request.path_qs,
                "sent": (await request.read()).decode(),
                "authorization": request.headers["Authorization"],
                "workspace": request.headers["X-Workspace"],
                "own": request.headers["X-Own"],
            }
        )

    async with serving(echo) as url:
        reply = await web.request(
            shown(f"{url}/base"),
            "POST",
            "/api/get",
            params={"name": "a b&c"},
            headers={"X-Own": "o"},
            data=b"body",
        )
    assert (reply.status, reply.media_type) == (200, "application/json")
    for text in ("/base/api/get?name=a+b%26c", "Bearer hush-hush", "ml-team", '"body"', '"o"'):
        assert text in reply.body.decode()
    assert "hush" not in repr(reply)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_refused_and_credentials_stay(web: Web, status: int) -> None:
    asked: list[str] = []

    async def other(request: server.Request) -> server.Response:
        asked.append(request.path)
        return server.Response(text="stolen")

    async with serving(other) as elsewhere:

        async def away(request: server.Request) -> server.Response:
            location = f"{elsewhere}/x?token=hush-hush"
            return server.Response(status=status, headers={"Location": location})

        async with serving(away) as url:
            with pytest.raises(Unavailable, match="redirects are not followed") as raised:
                await web.request(shown(url), "GET", "/a")
    assert f"to {elsewhere}/x:" in str(raised.value)
    assert "hush" not in str(raised.value)
    assert asked == []


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (401, AccessDenied, "correct the Secret"),
        (403, AccessDenied, "correct the Secret"),
        (404, NotFound, "answered 404: no such repo"),
        (500, Unavailable, "answered 500: no such repo"),
        (429, Unavailable, "answered 429: no such repo"),
    ],
)
async def test_refusals_in_the_servers_words(
    web: Web, status: int, kind: type[SourceError], says: str
) -> None:
    async def refuse(request: server.Request) -> server.Response:
        return server.Response(status=status, text="no such repo\n for hush-hush")

    async with serving(refuse) as url:
        reply = await web.request(shown(url), "GET", "/a")
        error = refusal(reply, shown(url))
    assert type(error) is kind
    assert says in str(error)
    assert "hush" not in str(error)


@pytest.mark.parametrize("form", ["{}", '{{"message": "{}"}}', "<html>"])
async def test_words_that_are_cut_tell_no_part_of_a_credential(web: Web, form: str) -> None:
    said = "x" * 195 + "hush-hush"

    async def refuse(request: server.Request) -> server.Response:
        media_type = "text/html" if form == "<html>" else "text/plain"
        text = form.format(said)
        return server.Response(status=403, reason=said, text=text, content_type=media_type)

    async with serving(refuse) as url:
        error = refusal(await web.request(shown(url), "GET", "/a"), shown(url))
    assert "xx" in str(error)
    assert "hush" not in str(error)


async def test_who_shows_nothing_is_told_to(web: Web) -> None:
    async def refuse(request: server.Request) -> server.Response:
        return server.Response(status=401)

    async with serving(refuse) as url:
        access = Access(url)
        error = refusal(await web.request(access, "GET", "/"), access)
    assert "401: Unauthorized; name a Secret that holds token, or username" in str(error)


@pytest.mark.parametrize(
    ("body", "media_type", "says"),
    [
        ('{"error_code": "X", "message": "Alias not found."}', "application/json", "Alias not"),
        ('{"error": "nope"}', "application/json", "nope"),
        ('{"error": 7}', "application/json", '{"error": 7}'),
        ("<html><body>oops", "text/html", "Bad Request"),
        ("Permission denied", "text/html", "Permission denied"),
        ("", "text/plain", "Bad Request"),
        ("x" * 10**6, "text/plain", "xxx"),
    ],
)
async def test_words_of_answers_in_several_forms(
    web: Web, body: str, media_type: str, says: str
) -> None:
    async def refuse(request: server.Request) -> server.Response:
        return server.Response(status=400, text=body, content_type=media_type)

    async with serving(refuse) as url:
        reply = await web.request(Access(url), "GET", "/")
    assert words(reply, ()).startswith(says)
    assert len(reply.body) <= REFUSAL


async def test_an_answer_has_a_size(web: Web) -> None:
    async def much(request: server.Request) -> server.Response:
        return server.Response(body=b"x" * int(request.query["size"]))

    async with serving(much) as url:
        access = Access(url)
        reply = await web.request(access, "GET", "/", params={"size": str(ANSWER)})
        assert len(reply.body) == ANSWER
        with pytest.raises(NotUnderstood, match="larger than 512 KiB"):
            await web.request(access, "GET", "/", params={"size": str(ANSWER + 1)})
        reply = await web.request(
            access, "GET", "/", params={"size": str(ANSWER + 1)}, limit=2 * ANSWER
        )
        assert len(reply.body) == ANSWER + 1


async def test_an_answer_that_was_compressed_is_not_unpacked(web: Web) -> None:
    async def bomb(request: server.Request) -> server.Response:
        packed = gzip.compress(b"\0" * 10**7)
        return server.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async with serving(bomb) as url:
        with pytest.raises(NotUnderstood, match="compressed"):
            await web.request(Access(url), "GET", "/")


async def test_silence_and_dripping_end_at_the_deadline(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.05)

    async def slow(request: server.Request) -> server.StreamResponse:
        response = server.StreamResponse()
        if request.path == "/drip":
            await response.prepare(request)
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.01)
        await asyncio.sleep(60)
        return response

    async with serving(slow) as url:
        for path in ("/silence", "/drip"):
            with pytest.raises(Unavailable, match=r"no whole answer in 0\.05 s"):
                await web.request(Access(url), "GET", path)


async def test_the_clouds_metadata_service_is_not_asked(web: Web) -> None:
    with pytest.raises(NotAllowed, match="no address of an outside system"):
        await web.request(Access("http://169.254.169.254/latest"), "GET", "/meta-data")
    guarded = Web(loopback=True)
    try:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(NotAllowed):
                await guarded.request(Access(f"http://{host}:1/"), "GET", "/")
    finally:
        await guarded.close()


async def test_a_server_that_is_not_there(web: Web) -> None:
    with pytest.raises(Unavailable, match="cannot connect"):
        await web.request(Access("http://127.0.0.1:1"), "GET", "/")


async def test_a_broken_connection_is_tried_again_only_where_that_is_safe(web: Web) -> None:
    requests = 0

    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        if requests > 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(breaking, "127.0.0.1", 0)
    async with listening:
        access = Access(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
        with pytest.raises(Unavailable, match="closed the connection"):
            await web.request(access, "POST", "/", repeatable=False)
        assert requests == 1
        requests = 0
        assert (await web.request(access, "GET", "/")).body == b"ok"
        assert requests == 2
