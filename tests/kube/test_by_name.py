"""Secrets and ConfigMaps read by name: how often, and what is said when there is nothing."""

from __future__ import annotations

import asyncio
import base64
from typing import Any, cast

import pytest
from evenkeel.kube.by_name import ANEW, FRESH, ByName, Named, Unreadable
from evenkeel.kube.client import ApiError, Client
from evenkeel.meta.resources import CONFIG_MAP, SECRET, ResourceType

JSON = dict[str, Any]


class Server:
    """An API server with the answer that a test prescribes; also the clock."""

    def __init__(self) -> None:
        self.answer: JSON | ApiError = {}
        self.asked: list[str] = []
        self.now = 0.0

    async def get(self, type_: ResourceType, namespace: str, name: str) -> JSON:
        self.asked.append(type_.path(namespace, name))
        await asyncio.sleep(0)
        if isinstance(self.answer, ApiError):
            raise self.answer
        return self.answer


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def by_name(server: Server) -> ByName:
    return ByName(cast(Client, server), lambda: server.now)


def secret(**data: str | bytes) -> JSON:
    coded = {
        k: base64.b64encode(v.encode() if isinstance(v, str) else v).decode()
        for k, v in data.items()
    }
    return {"data": coded}


TOKEN = Named(SECRET, "team-a", "mimir", "token")


async def test_values_without_the_line_end_that_editors_add(
    server: Server, by_name: ByName
) -> None:
    server.answer = secret(token="geheim\n")
    assert await by_name.value(TOKEN) == "geheim"
    server.answer = {"data": {"ca.crt": "PEM\n"}}
    assert await by_name.value(Named(CONFIG_MAP, "team-a", "ca", "ca.crt")) == "PEM"
    assert server.asked == [
        "/api/v1/namespaces/team-a/secrets/mimir",
        "/api/v1/namespaces/team-a/configmaps/ca",
    ]


async def test_asked_once_a_minute_by_all_together(server: Server, by_name: ByName) -> None:
    server.answer = secret(token="one")
    assert set(await asyncio.gather(*(by_name.value(TOKEN) for _ in range(5)))) == {"one"}
    server.answer = secret(token="two")
    server.now = FRESH - 1
    assert await by_name.value(TOKEN) == "one"
    assert len(server.asked) == 1
    server.now = FRESH
    assert await by_name.value(TOKEN) == "two"


async def test_who_gives_up_waiting_does_not_spoil_it_for_others(
    server: Server, by_name: ByName
) -> None:
    server.answer = secret(token="one")
    first = asyncio.create_task(by_name.value(TOKEN))
    second = asyncio.create_task(by_name.value(TOKEN))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "one"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            ApiError(403, "Forbidden", "secrets is forbidden"),
            "may not read Secret 'mimir' of names",
        ),
        (ApiError(403, "Forbidden", ""), "rbac.readByName"),
        (
            ApiError(404, "NotFound", ""),
            "there is no Secret 'mimir' of namespace team-a; create it",
        ),
        (ApiError(500, "InternalError", ""), "cannot be read: 500 InternalError"),
        (ApiError(0, "NoAnswer", ""), "cannot be read: NoAnswer"),
        (secret(other="qzsecret"), "has no key 'token'; add it"),
        (secret(token=b"\xff\xfeqzsecret"), "holds no text under 'token'"),
        (secret(token=" \n"), "holds nothing"),
        (secret(token="qzsecret" * 40_000), "more than 256 KiB"),
        ({}, "has no key 'token'"),
    ],
)
async def test_what_is_missing_is_said_without_what_is_there(
    server: Server, by_name: ByName, answer: JSON | ApiError, says: str
) -> None:
    server.answer = answer
    with pytest.raises(Unreadable, match=says) as raised:
        await by_name.value(TOKEN)
    assert "qzsecret" not in str(raised.value)
    assert "team-a" in str(raised.value)


async def test_a_missing_one_is_asked_for_again_soon(server: Server, by_name: ByName) -> None:
    server.answer = ApiError(404, "NotFound", "")
    for _ in range(3):
        with pytest.raises(Unreadable):
            await by_name.value(TOKEN)
    assert len(server.asked) == 1
    server.answer = secret(token="one")
    server.now = ANEW
    assert await by_name.value(TOKEN) == "one"


async def test_a_known_value_outlives_an_api_server_that_is_away(
    server: Server, by_name: ByName
) -> None:
    server.answer = secret(token="one")
    await by_name.value(TOKEN)
    server.now, server.answer = FRESH, ApiError(0, "NoAnswer", "")
    assert await by_name.value(TOKEN) == "one"
    server.now, server.answer = 2 * FRESH, ApiError(404, "NotFound", "")
    with pytest.raises(Unreadable):
        await by_name.value(TOKEN)


async def test_keys_that_may_be_missing_are_read_together(server: Server, by_name: ByName) -> None:
    keys = ("token", "username", "password")
    server.answer = secret(username="me", password="one")
    for server.now in (0.0, ANEW, FRESH - 1):
        assert await by_name.values(TOKEN, keys) == {"username": "me", "password": "one"}
    assert len(server.asked) == 1
    server.answer = secret(username="you", password="two")
    # One key was read by itself meanwhile; half of both would be neither.
    with pytest.raises(Unreadable, match="no key 'token'"):
        await by_name.value(TOKEN)
    assert await by_name.values(TOKEN, keys) == {"username": "you", "password": "two"}
    server.now, server.answer = 3 * FRESH, ApiError(0, "NoAnswer", "")
    assert await by_name.values(TOKEN, keys) == {"username": "you", "password": "two"}
    server.answer = ApiError(404, "NotFound", "")
    with pytest.raises(Unreadable, match="there is no Secret"):
        await by_name.values(TOKEN._replace(name="gone"), keys)
    server.answer = secret(token=b"\xff")
    with pytest.raises(Unreadable, match="holds no text"):
        await by_name.values(TOKEN._replace(name="binary"), keys)
