"""CloudEvents to the operator's webhook: each is trained for once, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from evenkeel.process import webhook

from tests.support.manifests import manifest
from tests.support.operating import World, until

JSON = dict[str, Any]
TRIGGERS = "{triggers: [{name: uploaded, cloudEvent: {type: com.example.uploaded, source: /ml}}]}"
OURS = ("retrainschedules", "trainingruns")


def event(number: int, **more: Any) -> JSON:
    attributes = {"specversion": "1.0", "source": "/ml", "type": "com.example.uploaded"}
    return {**attributes, "id": f"e{number}", **more}


async def send(port: int, namespace: str, told: JSON) -> int:
    """One attempt; 0 if there is no answer."""
    headers = {"Content-Type": "application/cloudevents+json"}
    url = f"http://127.0.0.1:{port}/events/{namespace}"
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=json.dumps(told), headers=headers) as answer,
        ):
            return answer.status
    except aiohttp.ClientError:
        return 0


async def taken(port: int, namespace: str, told: JSON) -> None:
    """Sends as a broker does: again until it is taken."""
    while (status := await send(port, namespace, told)) != 204:
        assert status in (0, 503)
        await asyncio.sleep(0.1)


def dies_at(write: int, *, after: bool, dead: asyncio.Event) -> Callable[[str, str], Any]:
    """A fault: nothing arrives from that write on, itself included unless it dies after it."""
    seen = -1

    def fault(method: str, path: str) -> int | str | None:
        nonlocal seen
        if method not in ("POST", "PATCH", "PUT") or not any(name in path for name in OURS):
            return 500 if dead.is_set() else None
        seen += 1
        if seen < write:
            return None
        dead.set()
        return "lose" if after and seen == write else 500

    return fault


async def test_an_event_with_its_data_makes_a_run(w: World) -> None:
    w.ns.create(manifest("RetrainSchedule", TRIGGERS, "retrain"))
    async with w.operator() as operator:
        port = operator._settings.webhook_port
        told = event(1, subject="a/b.csv", time="2026-01-31T09:00:00Z", data={"rows": 12})
        await taken(port, w.ns.name, told)
        (run,) = w.ns.all("TrainingRun")
        cause = run["spec"]["cause"]
        assert (cause["type"], cause["trigger"], cause["alertCount"]) == (
            "CloudEvent",
            "uploaded",
            1,
        )
        assert cause["events"] == [
            {
                "source": "/ml",
                "id": "e1",
                "type": "com.example.uploaded",
                "subject": "a/b.csv",
                "time": "2026-01-31T09:00:00Z",
                "data": '{"rows":12}',
            }
        ]
        await taken(port, w.ns.name, event(2, source="/other"))
        await taken(port, w.ns.name, told)
    async with w.operator() as operator:
        await taken(operator._settings.webhook_port, w.ns.name, told)
        status = w.ns.status("retrain", "RetrainSchedule")
    assert len(w.ns.all("TrainingRun")) == 1
    assert (status["triggers"][0]["received"], status["lastRun"]["alertCount"]) == (1, 1)
    assert "pending" not in status


async def test_whichever_write_the_operator_dies_at_each_event_has_one_run(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run, the status and the record, each before it is written and after it."""
    monkeypatch.setattr(webhook, "PATIENCE", 2.0)
    made = manifest("RetrainSchedule", TRIGGERS, "retrain")
    made["spec"] |= {"concurrencyPolicy": "Replace", "cooldownSeconds": 0}
    made["spec"]["history"] = {"succeeded": 100, "failed": 100}
    w.ns.create(made)
    async with w.operator(wired=True):
        await until(lambda: w.ns.ready("retrain", "RetrainSchedule"))
    deaths = [(write, after) for write in range(3) for after in (False, True)]
    for number, (write, after) in enumerate(deaths, 1):
        dead = asyncio.Event()
        async with w.operator(wired=True) as operator:
            await until(lambda: operator._leads)
            w.wire.fault = dies_at(write, after=after, dead=dead)
            port = operator._settings.webhook_port
            sending = asyncio.create_task(send(port, w.ns.name, event(number)))
            await asyncio.wait_for(dead.wait(), 20)
            first = await sending
            assert first in (0, 204, 503)
        w.wire.fault = lambda method, path: None
        async with w.operator(wired=True) as operator:
            await taken(operator._settings.webhook_port, w.ns.name, event(number))
        runs = w.ns.all("TrainingRun")
        assert len(runs) == number
        assert [r["spec"]["cause"]["alertCount"] for r in runs] == [1] * number
        status = w.ns.status("retrain", "RetrainSchedule")
        assert status["triggers"][0]["received"] == number
        assert "pending" not in status
