"""A version is registered once, whatever is lost on the way and whoever else registers it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from evenkeel.adapters.access import Access
from evenkeel.adapters.mlflow.enrolment import RegistrationRefused
from evenkeel.adapters.mlflow.mlflow import Mlflow
from evenkeel.adapters.source import AccessDenied, SourceError, Unavailable
from evenkeel.adapters.web import Web
from evenkeel.outside.mlflow import Enrolled, Enrolment

from tests.support.mlflow_registry import Registry, Version, registry

KEY = "evenkeel.dev/model-version"
WANTED = Enrolment(
    "fraud",
    mark=(KEY, "shop/fraud-1a"),
    sources=("models:/m-1", "mlflow-artifacts:/1/models/m-1/artifacts"),
    tags=(("evenkeel.dev/training-run", "fraud-run"),),
    run_id="48693ee5",
    description="why",
    workspace="team-a",
)


DENIED = partial(web.Response, status=403, text="Permission denied", content_type="text/html")


@pytest.fixture
async def server() -> AsyncIterator[Registry]:
    async with registry() as found:
        yield found


async def ask(server: Registry, question: Any = WANTED) -> Any:
    web_ = Web()
    try:
        return await Mlflow(web_)(question, Access(server.url), None)
    finally:
        await web_.close()


def marked(server: Registry) -> dict[str, str]:
    """The source of each version that has the mark."""
    own = WANTED.mark[1]
    versions = server.versions.get("fraud", {})
    return {n: v.source for n, v in versions.items() if v.tags.get(KEY) == own}


async def test_with_its_model_where_there_is_none(server: Registry) -> None:
    assert await ask(server) == Enrolled("1")
    made = server.versions["fraud"]["1"]
    assert (made.source, made.run_id) == (WANTED.sources[0], "48693ee5")
    assert made.tags == {KEY: "shop/fraud-1a", "evenkeel.dev/training-run": "fraud-run"}
    assert {r.headers["X-MLFLOW-WORKSPACE"] for r in server.requests} == {"team-a"}


async def test_asking_again_finds_it(server: Registry) -> None:
    assert await ask(server) == await ask(server) == Enrolled("1")
    assert server.created == 1


@pytest.mark.parametrize("write", range(3))
@pytest.mark.parametrize("done", [False, True], ids=["refused", "lost"])
async def test_a_crash_at_each_write(server: Registry, write: int, done: bool) -> None:
    """The version's, which finds no model, the model's, and the version's again."""
    seen = 0

    def once(request: web.Request) -> web.StreamResponse | None:
        nonlocal seen
        seen += request.method == "POST"
        due = request.method == "POST" and seen == write + 1
        return web.Response(status=503, text="gone") if due else None

    setattr(server, "lost" if done else "fault", once)
    with pytest.raises(Unavailable, match="503: gone"):
        await ask(server)
    assert await ask(server) == Enrolled("1")
    assert marked(server) == {"1": WANTED.sources[0]}
    assert server.created == 1


async def test_two_leaders_leave_one(server: Registry) -> None:
    server.versions["fraud"] = {}
    answers = await asyncio.gather(*(ask(server) for _ in range(8)))
    (number,) = {answer.version for answer in answers}
    assert marked(server) == {number: WANTED.sources[0]}


async def test_one_that_was_made_too_late_goes(server: Registry) -> None:
    """Another leader's request arrives between question and creation."""
    other = Version(WANTED.sources[0], source=WANTED.sources[0], tags=dict([WANTED.mark]))
    server.versions["fraud"] = {}

    def overtaken(request: web.Request) -> None:
        if request.path.endswith("model-versions/create"):
            server.versions["fraud"].setdefault("1", other)

    server.fault = overtaken
    assert await ask(server) == Enrolled("1")
    assert marked(server) == {"1": WANTED.sources[0]}


@pytest.mark.parametrize("source", WANTED.sources)
async def test_what_the_trainer_registered_is_taken(server: Registry, source: str) -> None:
    server.versions["fraud"] = {
        "1": Version("s3://m", source="models:/m-0"),
        "2": Version("s3://m", source=source, tags={"mine": "stays"}),
        "3": Version("s3://m", source=source),
    }
    assert await ask(server) == await ask(server) == Enrolled("2")
    assert server.versions["fraud"]["2"].tags == {"mine": "stays", KEY: "shop/fraud-1a"}
    assert server.created == 0


async def test_what_others_have_registered_is_theirs(server: Registry) -> None:
    """Another ModelVersion of the same artefacts, and one of this name in another cluster."""
    source, own = WANTED.sources[0], WANTED.mark[1]
    server.versions["fraud"] = {
        "1": Version("s3://m", source=source, tags={KEY: "shop/fraud-2b"}),
        "2": Version("s3://m", source="s3://elsewhere", tags={KEY: own}),
    }
    assert await ask(server) == await ask(server) == Enrolled("3")


async def test_quotes_in_an_address(server: Registry) -> None:
    asked = replace(WANTED, sources=("s3://models/it's/1",))
    assert await ask(server, asked) == await ask(server, asked) == Enrolled("1")


async def test_what_the_registry_never_takes(server: Registry) -> None:
    refused = "the registry refuses the version: Invalid model version source: 'file:///m'."
    with pytest.raises(RegistrationRefused, match=refused):
        await ask(server, replace(WANTED, sources=("file:///m",)))


@pytest.mark.parametrize(
    ("status", "text", "error", "says"),
    [
        (403, "Permission denied", AccessDenied, "create answered 403: Permission denied"),
        (503, "<html>down", Unavailable, "answered 503: Service Unavailable"),
        (200, "<html>log in", SourceError, "without JSON"),
        (200, '{"model_version": {"version": "x"}}', SourceError, "no number"),
        (200, "{}", SourceError, "none of MLflow's"),
    ],
)
async def test_answers_that_are_none(
    server: Registry, status: int, text: str, error: type[SourceError], says: str
) -> None:
    server.versions["fraud"] = {}
    server.fault = lambda request: (
        web.Response(status=status, text=text, content_type="text/html")
        if request.path.endswith("/model-versions/create")
        else None
    )
    with pytest.raises(error, match=says):
        await ask(server)
    assert not server.versions["fraud"]


async def test_a_server_with_users_tells_of_no_model(server: Registry) -> None:
    """MLflow's basic-auth answers 403 for a model that there is not, but who may make one may."""

    def guarded(request: web.Request) -> web.Response | None:
        made = request.path.endswith("/registered-models/create")
        return None if made or "fraud" in server.versions or request.method == "GET" else DENIED()

    server.fault = guarded
    assert await ask(server) == await ask(server) == Enrolled("1")
    assert server.created == 1


async def test_who_may_only_read_makes_none(server: Registry) -> None:
    """The refusal of the version is told, whether or not there is such a model."""
    server.fault = lambda request: None if request.method == "GET" else DENIED()
    with pytest.raises(AccessDenied, match="model-versions/create answered 403: Permission denied"):
        await ask(server)
    server.versions["fraud"] = {}
    server.fault = lambda request: (
        DENIED() if request.path.endswith("/model-versions/create") else None
    )
    with pytest.raises(AccessDenied, match="model-versions/create answered 403: Permission denied"):
        await ask(server)


@pytest.mark.parametrize("found", [1, {"a": 1}, ["a"], [{"version": "x"}], [{}]])
async def test_searches_that_find_nonsense(server: Registry, found: object) -> None:
    server.fault = lambda request: web.json_response({"model_versions": found})
    with pytest.raises(SourceError):
        await ask(server)
    assert [r.method for r in server.requests] == ["GET"]
