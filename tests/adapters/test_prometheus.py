"""The Prometheus client against a local server that answers what a test prescribes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.adapters import prometheus as module
from evenkeel.adapters.access import Access, basic
from evenkeel.adapters.answer import (
    AccessDenied,
    AddressRefused,
    Answer,
    NotUnderstood,
    PrometheusError,
    QueryRefused,
    Sample,
    Unavailable,
)
from evenkeel.adapters.prometheus import Prometheus
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def success(kind: str, result: list[Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}}


def vector(*samples: tuple[dict[str, str], str], time: float = 1.5) -> dict[str, Any]:
    return success("vector", [{"metric": m, "value": [time, value]} for m, value in samples])


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Stub:
    """A Prometheus with one prescribed answer, or a handler of a test's own."""

    def __init__(self) -> None:
        self.answer: Any = vector()
        self.status = 200
        self.handler: Handler | None = None
        self.requests: list[web.Request] = []
        self.queries: list[str] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        found = request.query if request.method == "GET" else await request.post()
        self.queries.append(str(found.get("query")))
        if self.handler is not None:
            return await self.handler(request)
        if isinstance(self.answer, str):
            return web.Response(text=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    found = Stub()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    async with TestServer(app) as server:
        found.url = f"http://127.0.0.1:{server.port}/prom"
        yield found


@pytest.fixture
async def client() -> AsyncIterator[Prometheus]:
    made = Prometheus()
    yield made
    await made.close()


async def ask(stub: Stub, url: str = "", **access: Any) -> Answer:
    client = Prometheus()
    try:
        return await client.ask(Access(url or stub.url, **access), "up")
    finally:
        await client.close()


async def test_samples_with_labels_values_and_time(stub: Stub) -> None:
    stub.answer = vector(({"pod": "a", "code": "200"}, "3"), ({}, "1e3"), time=1785.25)
    found = await ask(stub)
    assert found.samples == (Sample({"pod": "a", "code": "200"}, 3.0), Sample({}, 1000.0))
    assert found.time == 1785.25
    assert stub.queries == ["up"]


async def test_an_empty_vector_has_no_time(stub: Stub) -> None:
    assert await ask(stub) == Answer((), None)


async def test_what_is_no_number_is_told_as_it_is(stub: Stub) -> None:
    stub.answer = vector(*(({"pod": v}, v) for v in ("NaN", "+Inf", "-Inf", "-1")))
    values = {one.labels["pod"]: one.value for one in (await ask(stub)).samples}
    assert math.isnan(values.pop("NaN"))
    assert values == {"+Inf": math.inf, "-Inf": -math.inf, "-1": -1.0}


async def test_warnings_are_handed_on(stub: Stub) -> None:
    stub.answer = vector() | {"warnings": ["store\n10.0.0.1 did not answer"]}
    assert (await ask(stub)).warnings == ("store 10.0.0.1 did not answer",)


@pytest.mark.parametrize(
    ("answer", "status", "error", "says"),
    [
        (
            {"status": "error", "errorType": "bad_data", "error": "parse"},
            400,
            QueryRefused,
            "parse",
        ),
        ({"status": "error", "errorType": "execution", "error": "many"}, 422, QueryRefused, "many"),
        ({"status": "error", "error": "broken"}, 200, QueryRefused, "broken"),
        ({"status": "error", "errorType": "timeout", "error": "slow"}, 503, Unavailable, "slow"),
        ("no org id\n", 401, AccessDenied, "answered 401: no org id$"),
        ("go away", 403, AccessDenied, "answered 403: go away$"),
        ("", 404, Unavailable, "answered 404$"),
        ("plain HTTP sent to HTTPS port", 400, Unavailable, "answered 400: plain HTTP"),
        ("<html>bad\r\n\x1b[31mgateway</html>", 502, Unavailable, "502: <html>bad .31mgateway"),
        ("moved", 302, Unavailable, "redirects are not followed"),
        ("<html>sign in</html>", 200, NotUnderstood, "200 without JSON: <html>sign in"),
        (success("matrix", []), 200, QueryRefused, "matrix"),
        (success("scalar", [1, "2"]), 200, QueryRefused, "scalar"),
        ([], 200, NotUnderstood, "understood"),
        ({"status": "success"}, 200, NotUnderstood, "understood"),
        (success("vector", [{}]), 200, NotUnderstood, "understood"),
        (success("vector", [{"metric": {}, "value": [1, "x"]}]), 200, NotUnderstood, "understood"),
        (success("vector", [{"metric": {}, "value": [1, 5]}]), 200, NotUnderstood, "understood"),
        (
            success("vector", [{"metric": {"a": []}, "value": [1, "5"]}]),
            200,
            NotUnderstood,
            "understood",
        ),
        ("[" * 50_000, 200, NotUnderstood, "without JSON"),
        ("1" * 10_000, 200, NotUnderstood, "without JSON"),
        (
            '{"data": {"result": [{"metric": {}, "value": [NaN, "1"]}]}}',
            200,
            NotUnderstood,
            "understood",
        ),
    ],
)
async def test_anything_else_is_an_error_that_says_why(
    stub: Stub, answer: Any, status: int, error: type[PrometheusError], says: str
) -> None:
    stub.answer, stub.status = answer, status
    with pytest.raises(PrometheusError, match=says) as raised:
        await ask(stub)
    assert type(raised.value) is error
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1:1", Unavailable),
        ("http://no.such.host.invalid", Unavailable),
        ("http://host:notaport", AddressRefused),
        ("http://[", AddressRefused),
        ("http://user:pw@127.0.0.1:1", AddressRefused),
    ],
)
async def test_unreachable_or_malformed_addresses_are_errors(
    stub: Stub, url: str, error: type[PrometheusError]
) -> None:
    with pytest.raises(error) as raised:
        await ask(stub, url)
    assert "pw" not in str(raised.value)


async def test_silence_is_an_error(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.1)

    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    stub.handler = silent
    with pytest.raises(Unavailable, match=r"no whole answer in 0\.1 s"):
        await ask(stub)


async def test_headers_and_credentials_are_sent(stub: Stub) -> None:
    await ask(stub, headers=(("X-Scope-OrgID", "team-a"),), authorization=basic("u", "p:w"))
    (request,) = stub.requests
    assert request.headers["X-Scope-OrgID"] == "team-a"
    assert request.headers["Authorization"] == "Basic dTpwOnc="
    assert request.method == "POST"


async def test_nothing_is_sent_that_was_not_given(stub: Stub) -> None:
    await ask(stub)
    (request,) = stub.requests
    assert {"Authorization", "Cookie"}.isdisjoint(request.headers)


async def test_cookies_are_not_kept(stub: Stub, client: Prometheus) -> None:
    async def with_cookie(request: web.Request) -> web.StreamResponse:
        return web.json_response(vector(), headers={"Set-Cookie": "tenant=b; Path=/"})

    stub.handler = with_cookie
    for _ in range(2):
        await client.ask(Access(stub.url), "up")
    assert "Cookie" not in stub.requests[1].headers


async def test_a_redirect_is_not_followed(stub: Stub) -> None:
    """It could lead past the path of the query API, and to hosts that nobody allowed."""

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "/-/quit"})

    stub.handler = elsewhere
    with pytest.raises(Unavailable, match="redirects are not followed"):
        await ask(stub)
    assert [request.path for request in stub.requests] == ["/prom/api/v1/query"]


async def test_who_lets_no_post_through_is_asked_by_get(stub: Stub, client: Prometheus) -> None:
    async def get_only(request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            return web.Response(status=405)
        return web.json_response(vector(({}, "1")))

    stub.handler = get_only
    for _ in range(2):
        assert len((await client.ask(Access(stub.url), 'a{b="c&d"}')).samples) == 1
    assert [r.method for r in stub.requests] == ["POST", "GET", "GET"]
    assert set(stub.queries) == {'a{b="c&d"}'}
    assert {r.path for r in stub.requests} == {"/prom/api/v1/query"}


async def test_a_connection_that_was_closed_meanwhile_is_no_failure(stub: Stub) -> None:
    async def closing(request: web.Request) -> web.StreamResponse:
        if len(stub.requests) == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(vector(({}, "1")))

    stub.handler = closing
    assert len((await ask(stub)).samples) == 1


@pytest.mark.parametrize("tail", ["/../../-/quit?", "/%2e%2e/x", "?a=", "#", "/;/..", "//"])
async def test_no_path_but_that_of_the_query_api_is_asked(stub: Stub, tail: str) -> None:
    with pytest.raises((AddressRefused, Unavailable)):
        await ask(stub, stub.url + tail)
    assert stub.requests == []


SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30).map(
    lambda text: f"qz{text}zq"
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tenant=SECRETS, token=SECRETS, status=st.sampled_from([200, 400, 401, 500]))
async def test_no_message_holds_a_credential(
    stub: Stub, tenant: str, token: str, status: int
) -> None:
    """Even of a server that repeats what it was sent."""

    async def echo(request: web.Request) -> web.StreamResponse:
        sent = request.headers
        said = f"{sent['X-Scope-OrgID']} has {sent['Authorization']}: no access"
        if status == 400:
            return web.json_response({"errorType": "bad_data", "error": said}, status=status)
        return web.Response(text=said, status=status)

    stub.handler = echo
    for authorization in (f"Bearer {token}", basic("user", token)):
        with pytest.raises(PrometheusError, match="no access") as raised:
            await ask(stub, headers=(("X-Scope-OrgID", tenant),), authorization=authorization)
        for secret in (tenant, token, authorization.partition(" ")[2]):
            assert secret not in str(raised.value)


async def test_an_access_shows_no_credentials_in_logs() -> None:
    shown = repr(Access("http://p", (("A", "tenant-1"),), basic("u", "hunter2")))
    assert "tenant-1" not in shown
    assert "Basic" not in shown


async def test_a_native_histogram_is_no_number_and_spoils_nothing_else(
    stub: Stub, client: Prometheus
) -> None:
    stub.answer = vector(({"pod": "a"}, "3"))
    stub.answer["data"]["result"].append({"metric": {"pod": "b"}, "histogram": [1.5, {}]})
    one, other = (await client.ask(Access(stub.url), "up")).samples
    assert one == ({"pod": "a"}, 3.0)
    assert other.labels == {"pod": "b"}
    assert math.isnan(other.value)


@pytest.mark.parametrize("status", [413, 414, 431])
async def test_a_query_that_is_too_long_is_refused_as_one(
    stub: Stub, client: Prometheus, status: int
) -> None:
    stub.answer, stub.status = "too long", status
    with pytest.raises(QueryRefused, match="too long"):
        await client.ask(Access(stub.url), "up")
