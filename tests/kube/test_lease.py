"""The Lease: one write a renewal, never two leaders, and no work of the loop delays it."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable
from typing import Any

import pytest
from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.elector import Elector
from evenkeel.kube.lease import Lease

JSON = dict[str, Any]


class Api:
    """Holds one Lease, and does to requests what a test says."""

    def __init__(self) -> None:
        self.lease: JSON | None = None
        self.asked: list[str] = []
        self.hangs = 0

    async def get(self, *_: object) -> JSON:
        await self._ask("GET")
        if self.lease is None:
            raise ApiError(404, "NotFound", "no")
        return copy.deepcopy(self.lease)

    async def create(self, type_: object, namespace: str, body: JSON) -> JSON:
        await self._ask("POST")
        return self._put(body, 1)

    async def replace(self, type_: object, namespace: str, name: str, body: JSON) -> JSON:
        await self._ask("PUT")
        assert self.lease is not None
        version = self.lease["metadata"]["resourceVersion"]
        if body["metadata"]["resourceVersion"] != version:
            raise ApiError(409, "Conflict", "no")
        return self._put(body, int(version) + 1)

    async def close(self) -> None:
        self.asked.append("close")

    async def _ask(self, verb: str) -> None:
        self.asked.append(verb)
        if self.hangs:
            self.hangs -= 1
            await asyncio.Event().wait()

    def _put(self, body: JSON, version: int) -> JSON:
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(version)
        return copy.deepcopy(self.lease)

    def taken_by(self, who: str) -> None:
        assert self.lease is not None
        self.lease["spec"]["holderIdentity"] = who
        self._put(self.lease, int(self.lease["metadata"]["resourceVersion"]) + 1)

    @property
    def holder(self) -> str:
        return str((self.lease or {}).get("spec", {}).get("holderIdentity"))


def lease(api: Api, identity: str = "a") -> Lease:
    client: Client = api  # type: ignore[assignment]
    return Lease(client, "ns", "l", identity, duration=1.5, renew_deadline=1.0, retry=0.05)


async def until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not check():  # noqa: ASYNC110 - there is nothing to be told by
            await asyncio.sleep(0.01)


@pytest.fixture
def api() -> Api:
    return Api()


async def test_a_renewal_is_one_write(api: Api) -> None:
    own = lease(api)
    await own.acquire()
    assert api.asked == ["GET", "POST"]
    keeping = asyncio.create_task(own.keep())
    await until(lambda: len(api.asked) >= 5)
    keeping.cancel()
    assert set(api.asked[2:]) == {"PUT"}


async def test_a_renewal_whose_answer_was_lost_is_no_lost_lease(api: Api) -> None:
    own = lease(api)
    await own.acquire()
    api.taken_by("a")
    keeping = asyncio.create_task(own.keep())
    await until(lambda: len(api.asked) >= 6)
    assert api.asked[2:6] == ["PUT", "GET", "PUT", "PUT"]
    assert own.held
    keeping.cancel()


async def test_another_holder_ends_leadership_and_keeps_the_lease(api: Api) -> None:
    own = lease(api)
    await own.acquire()
    api.taken_by("b")
    async with asyncio.timeout(5):
        await own.keep()
    assert not own.held
    assert api.holder == "b"
    await own.release()
    assert api.holder == "b"


async def test_a_request_that_hangs_is_given_up_in_time_for_another(api: Api) -> None:
    own = lease(api)
    await own.acquire()
    api.hangs = 1
    keeping = asyncio.create_task(own.keep())
    await until(lambda: len(api.asked) >= 6)
    assert own.held
    keeping.cancel()


async def test_without_an_answer_leadership_ends_before_another_may_lead(api: Api) -> None:
    own, other = lease(api), lease(api, "b")
    await own.acquire()
    waiting = asyncio.create_task(other.acquire())
    await asyncio.sleep(0)

    async def away(*_: object) -> JSON:
        raise ApiError(0, "NoAnswer", "away")

    own._client = type("Away", (), {"get": away, "replace": away})()
    async with asyncio.timeout(5):
        await own.keep()
    assert not own.held
    assert not other.held
    async with asyncio.timeout(5):
        await waiting
    assert api.holder == "b"


async def test_a_loop_that_is_busy_for_long_loses_nothing(api: Api) -> None:
    client: Client = api  # type: ignore[assignment]
    elector = Elector(lambda: client, lambda _: lease(api))
    await elector.acquire()
    lost = asyncio.create_task(elector.lost())
    before = len(api.asked)
    time.sleep(2)  # noqa: ASYNC251 - the work of the loop
    await asyncio.sleep(0.05)
    assert len(api.asked) > before + 10
    assert not lost.done()
    lost.cancel()
    await elector.release()
    assert api.holder == ""
    assert api.asked[-1] == "close"


async def test_the_operators_loop_hears_of_the_loss(api: Api) -> None:
    client: Client = api  # type: ignore[assignment]
    elector = Elector(lambda: client, lambda _: lease(api))
    await elector.acquire()
    api.taken_by("b")
    async with asyncio.timeout(5):
        await elector.lost()
    await elector.release()
    assert api.holder == "b"


async def test_an_elector_that_never_ran_ends() -> None:
    def never() -> Client:
        raise AssertionError

    await Elector(never, lambda client: lease(Api())).release()
