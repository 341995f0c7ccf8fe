"""Events are news: sent beside the work, after it, and never in its way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from evenkeel.kube import events
from evenkeel.kube.client import ApiError
from evenkeel.kube.events import Recorder
from evenkeel.kube.store import Key
from evenkeel.meta.objects import Event

KEY = Key("ModelDeployment", "shop", "fraud")
OWNER = {"metadata": {"uid": "u-1"}}


class Api:
    """Takes what is created, or refuses it."""

    def __init__(self, refuse: int = 0) -> None:
        self.created: list[dict[str, Any]] = []
        self.refuse = refuse

    async def create(self, type_: object, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.refuse:
            self.refuse -= 1
            raise ApiError(500, "InternalError", "no")
        self.created.append(body)
        return body


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
    recorder = Recorder(api, lambda: False)  # type: ignore[arg-type]
    recorder.record(KEY, OWNER, (Event("Warning", "RolledBack", "x" * 3000),))
    await _sent(recorder, api, 1)
    (body,) = api.created
    assert body["involvedObject"]["uid"] == "u-1"
    assert body["involvedObject"]["kind"] == "ModelDeployment"
    assert body["metadata"]["namespace"] == "shop"
    assert len(body["message"]) <= 1024
    assert (body["type"], body["reason"]) == ("Warning", "RolledBack")


async def test_a_refused_event_holds_nothing_up() -> None:
    api = Api(refuse=1)
    recorder = Recorder(api, lambda: False)  # type: ignore[arg-type]
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
    recorder = Recorder(api, busy)  # type: ignore[arg-type]
    recorder.record(KEY, OWNER, (Event("Normal", "A", "a"),))
    await _sent(recorder, api, 1)
    assert looks > 1
