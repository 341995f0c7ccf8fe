"""The client of MLflow's registry against a server with its answers, and with others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from evenkeel.adapters.access import Access, basic
from evenkeel.adapters.mlflow.mlflow import Mlflow
from evenkeel.adapters.mlflow.server import API
from evenkeel.adapters.source import (
    AccessDenied,
    NotUnderstood,
    SourceError,
    Unavailable,
)
from evenkeel.adapters.web import ANSWER, Web
from evenkeel.outside.mlflow import Missing, Reach, Reached, Registered, Tag, Tagged, Which

from tests.support.mlflow_registry import Registry, Version, registry

PROXIED = "mlflow-artifacts:/1/models/m-1/artifacts"
CHAMPION = Which("fraud", alias="champion")


@pytest.fixture
async def server() -> AsyncIterator[Registry]:
    async with registry() as found:
        found.versions["fraud"] = {
            "1": Version("s3://models/fraud/1", source="s3://models/fraud/1", run_id=""),
            "2": Version(PROXIED),
        }
        found.aliases["fraud"] = {"champion": "2"}
        yield found


async def ask(server: Registry, question: Any, last: Any = None, **access: Any) -> Any:
    web_ = Web()
    try:
        return await Mlflow(web_)(question, Access(server.url, **access), last)
    finally:
        await web_.close()


async def test_the_version_of_an_alias(server: Registry) -> None:
    found = await ask(server, CHAMPION)
    flavors = ("python_function", "sklearn")
    assert found == Registered("2", "models:/m-1", PROXIED, "48693ee5", flavors, signed=True)


async def test_the_commit_of_its_run(server: Registry) -> None:
    server.commits["48693ee5"] = "c0ffee"
    assert (await ask(server, CHAMPION)).commit == "c0ffee"


@pytest.mark.parametrize(
    "run", ["x", "[]", '{"run": {"data": {}}}', '{"run": {"data": {"tags": [1]}}}', "x" * 2**20]
)
async def test_a_run_that_tells_nothing_keeps_no_model_from_being_served(
    server: Registry, run: str
) -> None:
    for status in (200, 403, 500):
        server.fault = answering(status, run, path="runs/get")
        found = await ask(server, CHAMPION)
        assert (found.version, found.commit) == ("2", "")


async def test_a_version_by_number_that_no_run_made(server: Registry) -> None:
    found = await ask(server, Which("fraud", version="1"))
    assert (found.uri, found.source, found.run_id) == (
        "s3://models/fraud/1",
        "s3://models/fraud/1",
        "",
    )


async def test_without_need_for_flavors_no_artefact_is_asked_for(server: Registry) -> None:
    found = await ask(server, Which("fraud", alias="champion", flavors=False))
    assert (found.version, found.flavors) == ("2", ())
    assert "/model-versions/get-artifact" not in server.paths


TAG = Tag("fraud", "2", "evenkeel.dev/rollout.shop.fraud", 'Promoted: "ü"\n', "team-a")


async def test_a_tag_is_written_once(server: Registry) -> None:
    server.versions["fraud"]["2"].tags["other"] = "stays"
    assert await ask(server, TAG) == Tagged()
    assert server.versions["fraud"]["2"].tags == {"other": "stays", TAG.key: TAG.value}
    assert await ask(server, TAG, Tagged()) == Tagged()
    assert [r.method for r in server.requests] == ["GET", "POST", "GET"]
    assert {r.headers["X-MLFLOW-WORKSPACE"] for r in server.requests} == {"team-a"}
    assert await ask(server, replace(TAG, value="RolledBack")) == Tagged()
    assert server.versions["fraud"]["2"].tags[TAG.key] == "RolledBack"


async def test_a_tag_for_a_version_that_is_gone(server: Registry) -> None:
    words = "Model Version (name=fraud, version=9) not found"
    gone = Missing("RegisteredVersionNotFound", words)
    assert await ask(server, replace(TAG, version="9")) == gone


async def test_who_may_only_read_may_not_tag(server: Registry) -> None:
    server.fault = lambda request: (
        web.Response(status=403, text="Permission denied") if request.method == "POST" else None
    )
    with pytest.raises(AccessDenied, match="set-tag answered 403: Permission denied"):
        await ask(server, TAG)


@pytest.mark.parametrize("tags", [None, 1, ["a"], [{"key": "a"}], {"key": "a", "value": "b"}])
async def test_tags_that_are_none_are_written_over(server: Registry, tags: object) -> None:
    told = {"model_version": {"version": "2", "tags": tags}}
    server.fault = lambda request: web.json_response(told) if request.method == "GET" else None
    assert await ask(server, TAG) == Tagged()


async def test_what_was_told_before_costs_one_request(server: Registry) -> None:
    last = await ask(server, CHAMPION)
    server.requests.clear()
    assert await ask(server, CHAMPION, last) is last
    assert server.paths == [f"{API}/registered-models/alias"]


async def test_a_number_that_was_given_again_is_another_version(server: Registry) -> None:
    last = await ask(server, CHAMPION)
    server.versions["fraud"]["2"] = Version("s3://models/fraud/2", source="models:/m-2")
    assert (await ask(server, CHAMPION, last)).uri == "s3://models/fraud/2"


@pytest.mark.parametrize(
    ("question", "reason", "words"),
    [
        (
            Which("fraud", alias="shadow"),
            "AliasNotFound",
            "Registered model alias shadow not found.",
        ),
        (
            Which("spam", alias="champion"),
            "RegisteredModelNotFound",
            "Registered Model with name=spam not found",
        ),
        (
            Which("fraud", version="9"),
            "RegisteredVersionNotFound",
            "Model Version (name=fraud, version=9) not found",
        ),
    ],
)
async def test_what_is_missing_is_an_answer(
    server: Registry, question: Which, reason: str, words: str
) -> None:
    assert await ask(server, question) == Missing(reason, words)


@pytest.mark.parametrize("mlmodel", [None, "", "a: [", "flavors: {}", "flavors: sklearn", "- a"])
async def test_an_mlmodel_that_says_nothing(server: Registry, mlmodel: str | None) -> None:
    server.versions["fraud"]["2"].mlmodel = mlmodel
    assert (await ask(server, CHAMPION)).reason == "FlavorsUnknown"


async def test_a_server_that_hands_out_no_mlmodels(server: Registry) -> None:
    server.fault = answering(404, "<html>", "text/html", path="get-artifact")
    assert await ask(server, CHAMPION) == Missing("FlavorsUnknown", "Not Found")


async def test_a_version_that_is_not_ready_yet(server: Registry) -> None:
    version = server.versions["fraud"]["2"]
    version.status, version.message = "FAILED_REGISTRATION", "no space\nleft"
    said = "version 2: no space left"
    assert await ask(server, CHAMPION) == Missing("RegisteredVersionNotReady", said)


async def test_a_workspace_is_told_in_each_request(server: Registry) -> None:
    await ask(server, Which("fraud", alias="champion", workspace="team-a"))
    assert {r.headers["X-MLFLOW-WORKSPACE"] for r in server.requests} == {"team-a"}
    server.requests.clear()
    await ask(server, CHAMPION)
    assert not any("X-MLFLOW-WORKSPACE" in r.headers for r in server.requests)


async def test_credentials_are_shown_and_never_told(server: Registry) -> None:
    server.authorization = basic("ada", "geheim")
    assert await ask(server, Reach(), authorization=basic("ada", "geheim")) == Reached()
    with pytest.raises(AccessDenied, match=r"401: You are not authenticated\. .*; name a Secret"):
        await ask(server, Reach())
    server.fault = lambda request: web.Response(status=403, text="no geheim here")
    with pytest.raises(AccessDenied, match=r"403: no \*\*\* here; correct the Secret"):
        await ask(server, CHAMPION, authorization=basic("ada", "geheim"))


def answering(
    status: int, text: str, content_type: str = "application/json", path: str = ""
) -> Callable[[web.Request], web.StreamResponse | None]:
    def fault(request: web.Request) -> web.StreamResponse | None:
        if not request.path.endswith(path):
            return None
        return web.Response(status=status, text=text, content_type=content_type)

    return fault


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (answering(200, "<html>log in", "text/html"), NotUnderstood, "answered 200 without JSON"),
        (answering(200, "[]"), NotUnderstood, "none of MLflow's"),
        (answering(200, "{}"), NotUnderstood, "none of MLflow's"),
        (answering(200, "[" * 100_000), NotUnderstood, "without JSON"),
        (answering(200, '{"model_version": {"version": "2; x"}}'), NotUnderstood, "no number"),
        (answering(200, '{"model_version": {"version": 2}}'), NotUnderstood, "no version"),
        (
            answering(200, '{"model_version": {"version": "2", "source": ["a"]}}'),
            NotUnderstood,
            "no source",
        ),
        (answering(200, "{}", path="get-download-uri"), NotUnderstood, "no artifact_uri"),
        (answering(200, "x" * (ANSWER + 1)), NotUnderstood, "larger than"),
        (answering(404, "<html>", "text/html"), NotUnderstood, "write the server's base URL"),
        (answering(500, "<html>", "text/html"), Unavailable, "answered 500: Internal Server"),
        (
            answering(500, '{"error_code": "INTERNAL_ERROR", "message": "database is locked"}'),
            Unavailable,
            "answered 500: database is locked",
        ),
        (answering(503, "upstream\nis down", "text/plain"), Unavailable, "upstream is down"),
        (answering(400, '{"message": "no"}'), Unavailable, "answered 400: no"),
        (answering(500, "", path="get-artifact"), Unavailable, "with spec.model.format the"),
        (answering(403, "", path="get-artifact"), AccessDenied, "with spec.model.format the"),
    ],
)
async def test_answers_that_are_none(
    server: Registry, fault: Any, error: type[SourceError], says: str
) -> None:
    server.fault = fault
    with pytest.raises(SourceError, match=says) as raised:
        await ask(server, CHAMPION)
    assert isinstance(raised.value, error)
    assert "\n" not in str(raised.value)


async def test_a_redirect_is_not_followed(server: Registry) -> None:
    server.fault = lambda request: web.Response(
        status=302, headers={"Location": "http://169.254.169.254/login?token=geheim"}
    )
    with pytest.raises(Unavailable, match=r"302 to http://169.254.169.254/login: redirects"):
        await ask(server, Reach())
    assert len(server.requests) == 1


async def test_a_server_that_does_not_know_its_name(server: Registry) -> None:
    """No Secret would change that."""
    strange = "Invalid Host header - possible DNS rebinding attack detected"
    server.fault = lambda request: web.Response(status=403, text=strange)
    with pytest.raises(AccessDenied) as caught:
        await ask(server, Reach())
    host = server.url.removeprefix("http://")
    assert str(caught.value).endswith(f"start the server with {host} in its --allowed-hosts")
    assert "Secret" not in str(caught.value)


async def test_reaching_looks_at_the_answer(server: Registry) -> None:
    assert await ask(server, Reach()) == Reached()
    server.fault = answering(200, "<html>", "text/html")
    with pytest.raises(NotUnderstood):
        await ask(server, Reach())
