"""The watcher against a scripted server: gaps, faults and races of list and watch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.kube.client import Client
from evenkeel.kube.store import Store
from evenkeel.kube.watcher import BEGIN_AT_ONCE, Fellows, Watcher
from evenkeel.meta.resources import DEPLOYMENT
from kubernetes.aio.client import Configuration

JSON = dict[str, Any]


def deployment(name: str, version: int, namespace: str = "shop", **meta: Any) -> JSON:
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            **meta,
        },
        "spec": {},
    }


HOLD = b""
"""The watch is granted, and nothing happens."""


class Script:
    """A collection whose lists and watch streams a test prescribes."""

    def __init__(self) -> None:
        self.lists: list[Callable[[], tuple[list[JSON], int]]] = []
        self.watches: list[list[bytes | int]] = []
        self.asked: list[str] = []
        self.over = asyncio.Event()
        self.watcher: Watcher
        self.while_listing: Callable[[], object] = lambda: None
        self.pages: list[list[JSON]] = []
        self.lacking = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch"):
            return await self._watch(request)
        self.asked.append("list")
        if self.lacking:
            return web.Response(status=404, text="404 page not found")
        items, version = (self.lists.pop(0) if len(self.lists) > 1 else self.lists[0])()
        self.while_listing()
        meta = {"resourceVersion": str(version)}
        if self.pages:
            items = self.pages.pop(0)
            meta |= {"continue": "next"} if self.pages else {}
        return web.json_response({"items": items, "metadata": meta})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"watch {request.query['resourceVersion']}")
        if not self.watches:
            await self.over.wait()
        lines = self.watches.pop(0) if self.watches else []
        if lines and isinstance(lines[0], int):
            return web.json_response({"reason": "Expired", "message": "gone"}, status=lines[0])
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            assert isinstance(line, bytes)
            if line == HOLD:
                await self.over.wait()
            await response.write(line)
        return response


def event(type_: str, obj: JSON) -> bytes:
    return json.dumps({"type": type_, "object": obj}).encode() + b"\n"


@asynccontextmanager
async def watching(
    script: Script, store: Store, namespace: str = "", **options: bool
) -> AsyncIterator[list[tuple[str, str]]]:
    app = web.Application()
    app.router.add_get("/{path:.*}", script.handle)
    changes: list[tuple[str, str]] = []
    async with TestServer(app) as server:
        configuration = Configuration(host=f"http://127.0.0.1:{server.port}")
        client = Client(configuration, field_manager="tests")
        watcher = Watcher(
            client,
            store,
            DEPLOYMENT,
            lambda kind, obj: changes.append((kind, obj["metadata"]["name"])),
            namespace=namespace,
            **options,
        )
        script.watcher = watcher
        task = asyncio.create_task(watcher.run())
        try:
            yield changes
        finally:
            script.over.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await client.close()


async def eventually(check: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not check():  # noqa: ASYNC110 - there is nothing to be told by
            await asyncio.sleep(0.01)


def known(store: Store) -> set[str]:
    return {key.name for key in store.keys("Deployment")}


async def test_list_then_watch_from_its_version() -> None:
    script, store = Script(), Store()
    script.lists = [lambda: ([deployment("a", 3)], 5)]
    gone = deployment("a", 7)
    script.watches = [[event("ADDED", deployment("b", 6)), event("DELETED", gone)]]
    async with watching(script, store) as changes:
        await eventually(lambda: known(store) == {"b"} and len(script.asked) == 3)
    assert script.asked == ["list", "watch 5", "watch 7"]
    assert [name for _, name in changes] == ["a", "b", "a"]


async def test_deletion_within_a_gap_is_noticed() -> None:
    script, store = Script(), Store()
    script.lists = [lambda: ([deployment("a", 3), deployment("b", 4)], 5), lambda: ([], 20)]
    script.watches = [[410]]
    async with watching(script, store) as changes:
        await eventually(lambda: not known(store) and len(changes) == 4)
    assert [name for _, name in changes[2:]] == ["a", "b"]


async def test_what_was_written_while_listing_stays() -> None:
    """The list is older than the answer to an own write that arrives before it."""
    script, store = Script(), Store()
    script.lists = [lambda: ([], 5)]
    script.while_listing = lambda: store.put("Deployment", deployment("own", 6))
    async with watching(script, store):
        await eventually(lambda: len(script.asked) == 2)
    assert known(store) == {"own"}


async def test_namespaces_do_not_remove_each_others_objects() -> None:
    script, store = Script(), Store()
    store.put("Deployment", deployment("other", 2, "bank"))
    script.lists = [lambda: ([deployment("a", 3)], 5)]
    async with watching(script, store, namespace="shop"):
        await eventually(lambda: len(script.asked) == 2)
    assert known(store) == {"a", "other"}


async def test_long_objects_are_read() -> None:
    """A ModelDeployment with evidence on many processes makes a line of some hundred kB."""
    script, store = Script(), Store()
    script.lists = [lambda: ([], 5)]
    long = deployment("long", 6, labels={"l": "x" * 1_000_000})
    script.watches = [[event("ADDED", long), event("ADDED", deployment("next", 7))]]
    async with watching(script, store):
        await eventually(lambda: known(store) == {"long", "next"})


async def test_watch_outlives_an_answer_that_is_cut_short() -> None:
    script, store = Script(), Store()
    script.lists = [lambda: ([], 5), lambda: ([deployment("a", 6)], 9)]
    script.watches = [[event("ADDED", deployment("a", 6))[:20]]]
    async with watching(script, store):
        await eventually(lambda: known(store) == {"a"})


async def test_error_event_in_the_stream_lists_again() -> None:
    script, store = Script(), Store()
    script.lists = [lambda: ([], 5), lambda: ([deployment("a", 6)], 9)]
    status = {"code": 410, "reason": "Expired", "message": "too old resource version"}
    script.watches = [[event("ERROR", status)]]
    async with watching(script, store):
        await eventually(lambda: known(store) == {"a"})
    assert script.asked[:3] == ["list", "watch 5", "list"]


async def test_server_that_ends_every_watch_at_once_is_not_hammered() -> None:
    script, store = Script(), Store()
    script.lists = [lambda: ([], 5)]
    script.watches = [[] for _ in range(10_000)]
    async with watching(script, store):
        await asyncio.sleep(1)
    assert 2 < len(script.asked) < 10


async def test_a_watch_that_is_granted_again_is_well_before_its_first_event() -> None:
    script, store = Script(), Store()
    script.lists = [lambda: ([], 5)]
    script.watches = [[403], [HOLD]]
    async with watching(script, store):
        await eventually(lambda: script.asked == ["list", "watch 5", "watch 5"])
        await eventually(lambda: script.watcher.diagnosis is None)


async def test_a_list_is_taken_page_by_page_and_what_no_page_has_is_gone() -> None:
    """All pages at once would be a multiple of what the store keeps of them."""
    script, store = Script(), Store()
    store.put("Deployment", deployment("gone", 1))
    script.lists = [lambda: ([], 5)]
    script.pages = [[deployment("a", 3)], [deployment("b", 4)]]
    before: list[set[str]] = []
    script.while_listing = lambda: before.append(known(store))
    async with watching(script, store):
        await eventually(lambda: known(store) == {"a", "b"})
    assert before == [{"gone"}, {"gone", "a"}]


async def test_the_report_of_an_own_write_is_neither_parsed_nor_told() -> None:
    script, store = Script(), Store()
    script.lists = [lambda: ([], 5)]
    store.put("Deployment", deployment("own", 6))
    echo = event("ADDED", deployment("own", 6)).replace(b": ", b":")
    script.watches = [
        [echo.replace(b'"spec":{}', b'"spec":{}no JSON'), event("ADDED", deployment("other", 7))]
    ]
    async with watching(script, store) as changes:
        await eventually(lambda: "other" in known(store))
    assert [name for _, name in changes] == ["other"]


async def test_watches_of_many_namespaces_begin_a_few_at_a_time_and_then_all_watch() -> None:
    listing = most = watched = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal listing, most, watched
        if request.query.get("watch"):
            watched += 1
            response = web.StreamResponse()
            await response.prepare(request)
            await over.wait()
            return response
        listing += 1
        most = max(most, listing)
        await asyncio.sleep(0.01)
        listing -= 1
        return web.json_response({"items": [], "metadata": {"resourceVersion": "5"}})

    over, store, fellows = asyncio.Event(), Store(), Fellows()
    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    async with TestServer(app) as server:
        configuration = Configuration(host=f"http://127.0.0.1:{server.port}")
        async with Client(configuration, field_manager="tests") as client:
            watchers = [
                Watcher(
                    client,
                    store,
                    DEPLOYMENT,
                    lambda kind, obj: None,
                    namespace=f"team-{n}",
                    fellows=fellows,
                )
                for n in range(60)
            ]
            tasks = [asyncio.create_task(w.run()) for w in watchers]
            await eventually(lambda: watched == 60)
            over.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    assert all(w.synced.is_set() for w in watchers)
    assert most == BEGIN_AT_ONCE


@pytest.mark.parametrize("asked_for", [True, False])
async def test_a_kind_that_may_be_lacking_holds_nothing_up_and_is_told_if_it_is_asked_for(
    asked_for: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("evenkeel.kube.watcher.LOOK_AGAIN", 0.01)
    script, store = Script(), Store()
    script.lists = [lambda: ([deployment("a", 1)], 5)]
    script.lacking = True
    async with watching(script, store, optional=True, asked_for=asked_for):
        await eventually(script.watcher.synced.is_set)
        told = script.watcher.diagnosis
        assert (told is not None) == asked_for
        if told is not None:
            assert "deployments of apps/v1 are not served" in told.message
            assert not told.lasts
            assert told.message in caplog.text
        script.lacking = False
        await eventually(lambda: known(store) == {"a"})
        await eventually(lambda: script.watcher.diagnosis is None)
