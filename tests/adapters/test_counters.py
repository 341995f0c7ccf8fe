"""Counters of a web API that answers well, oddly and not at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web as server
from evenkeel.adapters.access import Access
from evenkeel.adapters.counters import ANSWER, WebCounters, count
from evenkeel.adapters.source import AccessDenied, NotFound, NotUnderstood, Unavailable
from evenkeel.adapters.web import Web
from evenkeel.outside.counters import Counters, CountersQuestion
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.test_web import serving

QUESTION = CountersQuestion("", "/total", "/good")


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    made = Web()
    yield made
    await made.close()


async def asked(
    web: Web, body: Any, question: CountersQuestion = QUESTION, status: int = 200
) -> Counters:
    """What becomes of an answer; a text is sent as it is."""

    async def answer(request: server.Request) -> server.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return server.Response(status=status, text=text, content_type="application/json")

    async with serving(answer) as url:
        return await WebCounters(web)(question, Access(f"{url}/v1/counts"), None)


async def test_the_question_and_the_answer(web: Web) -> None:
    seen: list[tuple[str, str | None]] = []

    async def answer(request: server.Request) -> server.Response:
        seen.append((request.path_qs, request.headers.get("Authorization")))
        return server.json_response({"total": 400, "good": 398.0})

    async with serving(answer) as url:
        access = Access(f"{url}/v1/counts", authorization="Bearer hush")
        question = CountersQuestion("revision=fraud-1&kind=a%20b", "/total", "/good")
        found = await WebCounters(web)(question, access, None)
    assert found == Counters(400, 398)
    assert seen == [("/v1/counts?revision=fraud-1&kind=a%20b", "Bearer hush")]


@pytest.mark.parametrize(
    ("pointer", "found"),
    [("/a~1b/0/~0c", 7), ("/a~1b/1", 8), ("/", 9), ("/-1", 10), ("/01", 11)],
)
async def test_pointers_are_those_of_rfc_6901(web: Web, pointer: str, found: int) -> None:
    document = {"a/b": [{"~c": 7}, 8], "": 9, "-1": 10, "01": 11}
    question = CountersQuestion("", pointer, pointer)
    assert await asked(web, document, question) == Counters(found, found)


@pytest.mark.parametrize("pointer", ["/a/2", "/a/-", "/a/01", "/a/-1", "/b", "/a/0/x", "/a/١"])
async def test_a_pointer_to_nothing(web: Web, pointer: str) -> None:
    with pytest.raises(NotUnderstood, match="correct the pointer; a revision that has no events"):
        await asked(web, {"a": [1, 2]}, CountersQuestion("", pointer, "/a/0"))


@pytest.mark.parametrize(
    "value",
    ["-1", "1.5", "true", '"12"', "[]", "{}", "NaN", "Infinity", "1e400", "1e16", "10" * 9],
)
async def test_what_is_no_count(web: Web, value: str) -> None:
    with pytest.raises(NotUnderstood, match="has no count at /good of its answer"):
        await asked(web, f'{{"total": 5, "good": {value}}}')


@pytest.mark.parametrize("body", ["", "<html>", '{"total": 1', "[" * 40_000, "1" * 5000])
async def test_what_is_no_json(web: Web, body: str) -> None:
    with pytest.raises(NotUnderstood, match=r"answers no JSON|has nothing at /total"):
        await asked(web, body)


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, NotFound), (401, AccessDenied), (500, Unavailable), (204, Unavailable)],
)
async def test_a_refusal_in_the_servers_words(web: Web, status: int, error: type) -> None:
    with pytest.raises(error, match="No Content" if status == 204 else "no such revision"):
        await asked(web, {"message": "no such revision"}, status=status)


async def test_an_answer_has_a_size(web: Web) -> None:
    with pytest.raises(NotUnderstood, match="the answer is"):
        await asked(web, {"total": 1, "good": 1, "more": "x" * ANSWER})


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 10**15), min_size=1, max_size=4))
def test_every_member_has_its_pointer(document: dict[str, int]) -> None:
    for name, value in document.items():
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        assert count(document, pointer, "u") == value
