"""An alias is moved where it is to mean something else, and left where others have moved it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from evenkeel.adapters.access import Access
from evenkeel.adapters.mlflow.mlflow import Mlflow
from evenkeel.adapters.source import AccessDenied, SourceError, Unavailable
from evenkeel.adapters.web import Web
from evenkeel.outside.mlflow import AliasMeans, KeptAlias, Missing

from tests.support.mlflow_registry import Registry, Version, registry

WANTED = KeptAlias("fraud", "champion", "2", workspace="team-a")
SETTLED = replace(WANTED, settled=True)


@pytest.fixture
async def server() -> AsyncIterator[Registry]:
    async with registry() as found:
        found.versions["fraud"] = {n: Version(f"s3://m/{n}") for n in "123"}
        found.aliases["fraud"] = {"champion": "1"}
        yield found


async def ask(server: Registry, question: Any = WANTED) -> Any:
    web_ = Web()
    try:
        return await Mlflow(web_)(question, Access(server.url), None)
    finally:
        await web_.close()


@pytest.mark.parametrize("before", ["1", None])
async def test_it_is_moved_once(server: Registry, before: str | None) -> None:
    server.aliases["fraud"] = {"champion": before} if before else {}
    assert await ask(server) == await ask(server) == AliasMeans("2")
    assert server.moves == ["champion 2"]
    assert {r.headers["X-MLFLOW-WORKSPACE"] for r in server.requests} == {"team-a"}


async def test_what_others_moved_is_let_be(server: Registry) -> None:
    server.aliases["fraud"]["champion"] = "3"
    assert await ask(server, SETTLED) == AliasMeans("3")
    assert server.moves == []


async def test_what_others_deleted_is_set_again(server: Registry) -> None:
    del server.aliases["fraud"]["champion"]
    assert await ask(server, SETTLED) == AliasMeans("2")
    assert server.moves == ["champion 2"]


async def test_a_move_whose_answer_is_lost(server: Registry) -> None:
    server.lost = lambda request: web.Response(status=504, text="time-out")
    with pytest.raises(Unavailable, match="504: time-out"):
        await ask(server)
    assert await ask(server) == AliasMeans("2")
    assert server.moves == ["champion 2"]


async def test_what_is_missing(server: Registry) -> None:
    gone = Missing("RegisteredVersionNotFound", "Model Version (name=fraud, version=9) not found")
    assert await ask(server, replace(WANTED, version="9")) == gone
    absent: Any = await ask(server, replace(WANTED, name="spam"))
    assert absent.reason == "RegisteredModelNotFound"
    assert server.aliases == {"fraud": {"champion": "1"}}


async def test_who_may_only_read_may_not_move_it(server: Registry) -> None:
    server.fault = lambda request: (
        web.Response(status=403, text="Permission denied") if request.method == "POST" else None
    )
    with pytest.raises(AccessDenied, match="alias answered 403: Permission denied"):
        await ask(server)


@pytest.mark.parametrize("answer", ["<html>log in", "{}", '{"model_version": {"version": "x"}}'])
async def test_answers_that_are_none(server: Registry, answer: str) -> None:
    """Nothing is moved where it is not known what the alias means."""
    server.fault = lambda request: web.Response(text=answer, content_type="text/html")
    with pytest.raises(SourceError):
        await ask(server)
    assert [r.method for r in server.requests] == ["GET"]
