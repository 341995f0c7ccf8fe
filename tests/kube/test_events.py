"""Events are news: sent beside the work, after it, and never in its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import pytest
from evenkeel.kube import events
from evenkeel.kube.client import ApiError
from evenkeel.kube.events import BACKLOG, EventSource, Recorder
from evenkeel.kube.events_correlator import BURST
from evenkeel.meta.objects import Event, Key
from evenkeel.meta.resources import ResourceType

JSON = dict[str, Any]
KEY = Key("Widget", "shop", "fraud")
OWNER = {"metadata": {"uid": "u-1"}}
TYPES = {"Widget": ResourceType("example.com", "v1", "widgets", "Widget")}
SOURCE = EventSource("tests", "example.com/tests")


class Api:
    """Holds the Events that are created and patched, or refuses them."""

    def __init__(self, refuse: int = 0) -> None:
        self.created: list[JSON] = []
        self.held: dict[str, JSON] = {}
        self.refuse = refuse

    async def create(self, type_: object, namespace: str, body: JSON) -> JSON:
        if self.refuse:
            self.refuse -= 1
            raise ApiError(500, "InternalError", "no")
        name = body["metadata"]["name"]
        if name in self.held:
            raise ApiError(409, "AlreadyExists", name)
        self.created.append(body)
        self.held[name] = dict(body)
        return body

    async def merge(self, type_: object, namespace: str, name: str, body: JSON) -> JSON:
        if name not in self.held:
            raise ApiError(404, "NotFound", name)
        self.held[name] |= body
        return self.held[name]


def _recorder(api: Api, busy: Callable[[], bool] = lambda: False) -> Recorder:
    return Recorder(api, TYPES, SOURCE, busy)  # type: ignore[arg-type]


async def _sent(recorder: Recorder, api: Api, number: int) -> None:
    task = asyncio.create_task(recorder.run())
    try:
        async with asyncio.timeout(5):
            while len(api.created) < number:  # noqa: ASYNC110 - the recorder signals nothing
                await asyncio.sleep(0.01)
    finally:
        task.cancel()


async def test_an_event_names_its_object_and_fits_the_api() -> None:
    api = Api()
    recorder = _recorder(api)
    recorder.record(KEY, OWNER, (Event("Warning", "RolledBack", "x" * 3000),))
    await _sent(recorder, api, 1)
    (body,) = api.created
    assert body["involvedObject"]["uid"] == "u-1"
    assert body["involvedObject"]["kind"] == "Widget"
    assert body["involvedObject"]["apiVersion"] == "example.com/v1"
    assert body["metadata"]["namespace"] == "shop"
    assert len(body["message"]) <= 1024
    assert (body["type"], body["reason"]) == ("Warning", "RolledBack")
    assert body["source"] == {"component": "tests"}
    assert body["reportingComponent"] == "example.com/tests"


async def test_a_refused_event_holds_nothing_up() -> None:
    api = Api(refuse=1)
    recorder = _recorder(api)
    recorder.record(KEY, OWNER, (Event("Normal", "A", "a"), Event("Normal", "B", "b")))
    await _sent(recorder, api, 1)
    assert [b["reason"] for b in api.created] == ["B"]


async def test_events_wait_while_reconciles_are_queued_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "PAUSE", 0.01)
    monkeypatch.setattr(events, "PATIENCE", 0.05)
    looks = 0

    def busy() -> bool:
        nonlocal looks
        looks += 1
        return True

    api = Api()
    recorder = _recorder(api, busy)
    recorder.record(KEY, OWNER, (Event("Normal", "A", "a"),))
    await _sent(recorder, api, 1)
    assert looks > 1


async def test_a_repeated_event_is_one_object_that_counts() -> None:
    api = Api()
    recorder = _recorder(api)
    for _ in range(3):
        recorder.record(KEY, OWNER, (Event("Normal", "A", "a"),))
        await recorder.flush()
    (held,) = api.held.values()
    assert (held["count"], held["message"], held["reason"]) == (3, "a", "A")
    assert held["firstTimestamp"] <= held["lastTimestamp"]


async def test_an_event_that_is_gone_is_made_again_with_its_count() -> None:
    api = Api()
    recorder = _recorder(api)
    recorder.record(KEY, OWNER, (Event("Normal", "A", "a"),))
    await recorder.flush()
    api.held.clear()
    recorder.record(KEY, OWNER, (Event("Normal", "A", "a"),))
    await recorder.flush()
    (held,) = api.held.values()
    assert (held["count"], len(api.created)) == (2, 2)


async def test_a_refused_event_is_made_up_for_when_it_happens_again() -> None:
    api = Api(refuse=1)
    recorder = _recorder(api)
    for _ in range(2):
        recorder.record(KEY, OWNER, (Event("Normal", "A", "a"),))
    await recorder.flush()
    (held,) = api.held.values()
    assert held["count"] == 2


async def test_a_flood_is_dropped() -> None:
    api = Api()
    recorder = _recorder(api)
    for n in range(BURST + 5):
        recorder.record(KEY, OWNER, (Event("Normal", f"R{n}", "a"),))
    await recorder.flush()
    assert len(api.held) == BURST


async def test_of_a_long_backlog_the_oldest_is_dropped_and_warnings_last() -> None:
    recorder = _recorder(Api())
    for n in range(BACKLOG):
        type_: Literal["Normal", "Warning"] = "Warning" if n < 2 else "Normal"
        recorder.record(KEY, OWNER, (Event(type_, f"R{n}", "a"),))
    recorder.record(KEY, OWNER, (Event("Normal", "New", "a"),))
    waiting = [one.reason for one, _ in recorder._backlog]
    assert len(waiting) == BACKLOG
    assert waiting[:3] == ["R0", "R1", "R3"]
    assert waiting[-1] == "New"


async def test_a_cluster_scoped_objects_event_goes_to_the_default_namespace() -> None:
    api = Api()
    recorder = _recorder(api)
    recorder.record(KEY._replace(namespace=""), OWNER, (Event("Normal", "A", "a"),))
    await recorder.flush()
    (body,) = api.created
    assert body["metadata"]["namespace"] == "default"
    assert body["involvedObject"]["namespace"] == ""


async def test_a_message_that_is_no_text_does_not_end_the_recorder() -> None:
    api = Api()
    recorder = _recorder(api)
    recorder.record(KEY, OWNER, (Event("Warning", "RolledBack", "half a pair: \ud800"),))
    recorder.record(KEY, OWNER, (Event("Normal", "Promoted", "well"),))
    await _sent(recorder, api, 2)
    assert [body["reason"] for body in api.created] == ["RolledBack", "Promoted"]


async def test_what_cannot_be_sent_at_all_does_not_end_the_recorder() -> None:
    class Broken(Api):
        async def create(self, type_: object, namespace: str, body: JSON) -> JSON:
            if body["reason"] == "RolledBack":
                raise ValueError("not to be sent")
            return await super().create(type_, namespace, body)

    api = Broken()
    recorder = _recorder(api)
    recorder.record(KEY, OWNER, (Event("Warning", "RolledBack", "a"), Event("Normal", "B", "b")))
    await _sent(recorder, api, 1)
    assert [body["reason"] for body in api.created] == ["B"]
