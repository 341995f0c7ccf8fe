"""Versions and aliases in MLflow 3 itself, and that the stand-in answers the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.adapters.access import Access, basic
from evenkeel.adapters.mlflow.enrolment import RegistrationRefused
from evenkeel.adapters.mlflow.mlflow import Mlflow
from evenkeel.adapters.source import AccessDenied, Unavailable
from evenkeel.adapters.web import Web
from evenkeel.outside.mlflow import AliasMeans, Enrolled, Enrolment, KeptAlias, Missing

from dev.mlflow import PASSWORD, USER
from tests.integrations.conftest import Trained
from tests.support.mlflow_registry import Version, registry

KEY = "evenkeel.dev/model-version"


@pytest.fixture
async def client() -> AsyncIterator[Mlflow]:
    reached = Web()
    yield Mlflow(reached)
    await reached.close()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A registered model of the test's own."""
    return f"model of {abs(hash(request.node.name))}"


def access(url: str, user: str = USER, password: str = PASSWORD) -> Access:
    return Access(url, authorization=basic(user, password))


def wanted(name: str, *sources: str) -> Enrolment:
    return Enrolment(
        name,
        mark=(KEY, "shop/fraud-1a"),
        sources=sources or ("s3://models/it's/1",),
        tags=(("evenkeel.dev/training-run", "fraud-run"),),
        description="why",
    )


def versions(mlflow: Trained, name: str) -> list[dict[str, Any]]:
    found = mlflow.server.call("GET", "model-versions/search", filter=f"name='{name}'")
    return list(found.get("model_versions", ()))


def alias(mlflow: Trained, name: str, alias: str = "champion") -> str:
    found = mlflow.server.call("GET", "registered-models/alias", name=name, alias=alias)
    return str(found["model_version"]["version"])


class Wire:
    """A reverse proxy before the server. loses: whether an answer is lost, once it was given."""

    def __init__(self, url: str) -> None:
        self._to = url
        self.loses: Callable[[web.Request], bool] = lambda request: False
        self.writes = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.writes += request.method != "GET"
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                f"{self._to}{request.path_qs}",
                data=await request.read(),
                headers={
                    k: v
                    for k, v in request.headers.items()
                    if k in ("Authorization", "Content-Type")
                },
            ) as answer,
        ):
            text = await answer.read()
            kind = answer.headers["Content-Type"].partition(";")[0]
        if self.loses(request):
            return web.Response(status=504, text="<html>time-out", content_type="text/html")
        return web.Response(status=answer.status, body=text, content_type=kind)


async def test_a_version_with_its_model(mlflow: Trained, client: Mlflow, name: str) -> None:
    shown, asked = access(mlflow.server.url), wanted(name)
    assert await client(asked, shown, None) == Enrolled("1")
    assert await client(asked, shown, None) == Enrolled("1")
    (made,) = versions(mlflow, name)
    assert (made["source"], made["description"]) == ("s3://models/it's/1", "why")
    assert mlflow.server.tags(name, "1") == {
        KEY: "shop/fraud-1a",
        "evenkeel.dev/training-run": "fraud-run",
    }


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_an_answer_that_is_lost_at_each_write(
    mlflow: Trained, client: Mlflow, name: str, lost: int
) -> None:
    """The version's, which finds no model, the model's, and the version's again."""
    wire = Wire(mlflow.server.url)
    wire.loses = lambda request: request.method != "GET" and wire.writes == lost
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", wire.handle)
    async with TestServer(app, host="127.0.0.1") as served:
        shown = access(f"http://127.0.0.1:{served.port}")
        with pytest.raises(Unavailable, match="answered 504: Gateway Timeout"):
            await client(wanted(name), shown, None)
        assert await client(wanted(name), shown, None) == Enrolled("1")
    assert [v["version"] for v in versions(mlflow, name)] == ["1"]


async def test_two_leaders_leave_one(mlflow: Trained, client: Mlflow, name: str) -> None:
    shown = access(mlflow.server.url)
    await client(wanted(name, "s3://models/other"), shown, None)
    asked = replace(wanted(name), mark=(KEY, "shop/fraud-2b"))
    answers: list[Any] = await asyncio.gather(*(client(asked, shown, None) for _ in range(4)))
    (number,) = {answer.version for answer in answers}
    assert sorted(v["version"] for v in versions(mlflow, name)) == sorted(["1", number])


async def test_what_the_trainer_registered_is_taken(mlflow: Trained, client: Mlflow) -> None:
    """By its client, as models:/m-ID; the ModelVersion has the address of its artefacts."""
    shown, model = access(mlflow.server.url), mlflow.versions[0]["model"]
    before = len(versions(mlflow, "iris"))
    asked = wanted("iris", f"s3://x/models/{model}/artifacts", f"models:/{model}")
    assert await client(asked, shown, None) == Enrolled("1")
    assert mlflow.server.tags("iris", "1")[KEY] == "shop/fraud-1a"
    assert len(versions(mlflow, "iris")) == before


async def test_a_model_that_was_logged(mlflow: Trained, client: Mlflow, name: str) -> None:
    logged = mlflow.versions[0]
    asked = wanted(name, f"models:/{logged['model']}")
    assert await client(asked, access(mlflow.server.url), None) == Enrolled("1")
    (made,) = versions(mlflow, name)
    assert made["run_id"] == logged["run"], "which the server adds by itself"
    uri = mlflow.server.call("GET", "model-versions/get-download-uri", name=name, version="1")
    assert uri["artifact_uri"].endswith(f"models/{logged['model']}/artifacts")


@pytest.mark.parametrize("source", ["file:///m", "https://example.com/m"])
async def test_what_the_server_refuses(
    mlflow: Trained, client: Mlflow, name: str, source: str
) -> None:
    with pytest.raises(RegistrationRefused, match="the registry refuses the version: "):
        await client(wanted(name, source), access(mlflow.server.url), None)


async def test_an_alias_goes_forth_and_back(mlflow: Trained, client: Mlflow, name: str) -> None:
    shown = access(mlflow.server.url)
    for number in "12":
        asked = replace(wanted(name, f"s3://m/{number}"), mark=(KEY, f"shop/{number}"))
        await client(asked, shown, None)
    kept = KeptAlias(name, "champion", "1")
    for number in "121":
        moved = replace(kept, version=number)
        assert await client(moved, shown, None) == AliasMeans(number)
        assert alias(mlflow, name) == number
    # Somebody else moves it.
    mlflow.server.call("POST", "registered-models/alias", name=name, alias="champion", version="2")
    settled = replace(kept, settled=True)
    assert await client(settled, shown, None) == AliasMeans("2")
    mlflow.server.call("DELETE", "registered-models/alias", name=name, alias="champion")
    assert await client(settled, shown, None) == AliasMeans("1")
    # Its version goes, and the alias with it.
    mlflow.server.call("DELETE", "model-versions/delete", name=name, version="1")
    gone = Missing("RegisteredVersionNotFound", f"Model Version (name={name}, version=1) not found")
    assert await client(settled, shown, None) == gone


@pytest.mark.parametrize(
    "asked",
    [
        KeptAlias("iris", "kept", "99"),
        KeptAlias("no such", "kept", "1"),
        KeptAlias("iris", "kept", "1"),
    ],
    ids=str,
)
async def test_the_stand_in_answers_the_same(
    mlflow: Trained, client: Mlflow, asked: object
) -> None:
    async with registry() as stand_in:
        stand_in.versions["iris"] = {"1": Version("mlflow-artifacts:/0/models/m/artifacts")}
        expected = await client(asked, Access(stand_in.url), None)
    assert await client(asked, access(mlflow.server.url), None) == expected


async def test_who_may_only_read(mlflow: Trained, client: Mlflow, name: str) -> None:
    if not mlflow.server.auth:
        return
    onlooker = {"username": "onlooker", "password": "an-onlookers-password"}
    mlflow.server.call("POST", "users/create", **onlooker)
    shown = access(mlflow.server.url, *onlooker.values())
    with pytest.raises(AccessDenied, match="create answered 403: Permission denied"):
        await client(wanted("iris", "s3://models/onlooker"), shown, None)
    with pytest.raises(AccessDenied, match="alias answered 403: Permission denied"):
        await client(KeptAlias("iris", "champion", "2"), shown, None)
    # Of a model that there is not the server tells no more than of one of others.
    assert await client(wanted(name, "s3://models/onlooker"), shown, None) == Enrolled("1")
    moved = KeptAlias(name, "champion", "1")
    assert await client(moved, shown, None) == AliasMeans("1")
