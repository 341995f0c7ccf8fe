"""The operator as a whole, as far as it needs no API server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from evenkeel.kube.client import Client
from evenkeel.kube.queue import Priority
from evenkeel.meta.objects import Key
from evenkeel.process import operator as module
from evenkeel.process.health import STALLED_AFTER
from evenkeel.process.operator import Operator, StartError
from evenkeel.process.settings import Settings
from kubernetes.aio.client import Configuration

from dev.cluster.ports import free_port

KEY = Key("ModelDeployment", "shop", "fraud")


@pytest.fixture
def settings() -> Settings:
    return Settings(
        webhook_port=free_port(), http_port=free_port(), metrics_port=free_port(), identity="test"
    )


@pytest.fixture
async def operator(settings: Settings) -> AsyncIterator[Operator]:
    client = Client(Configuration(host="http://127.0.0.1:1"), field_manager="test")
    made = Operator(client, settings, lambda: None)
    yield made
    await made.stop()


def wait_since(operator: Operator, seconds: float) -> None:
    queue = operator._controller.queue
    queue._ready[Priority.RESYNC][KEY] = queue._progress = time.monotonic() - seconds


async def test_what_waited_for_the_take_over_is_not_stalled(operator: Operator) -> None:
    wait_since(operator, 10 * STALLED_AFTER)
    assert operator.health().alive, "a follower's queue only fills"
    operator._leads, operator._leads_since = True, time.monotonic()
    assert operator.health().alive
    operator._leads_since -= STALLED_AFTER + 1
    assert not operator.health().alive


async def test_what_waits_long_under_this_leader_is_stalled(operator: Operator) -> None:
    operator._leads, operator._leads_since = True, time.monotonic() - 10 * STALLED_AFTER
    assert operator.health().alive
    wait_since(operator, STALLED_AFTER + 1)
    assert not operator.health().alive


async def test_a_leader_that_works_its_backlog_off_is_alive_however_old_it_is(
    operator: Operator,
) -> None:
    operator._leads, operator._leads_since = True, time.monotonic() - 10 * STALLED_AFTER
    wait_since(operator, 9 * STALLED_AFTER)
    queue = operator._controller.queue
    queue.add(KEY._replace(name="other"), Priority.FIRST)
    queue.done(await queue.get())
    assert operator.health().alive
    queue._progress -= STALLED_AFTER + 1
    assert not operator.health().alive


async def test_leadership_is_lost_once_and_not_while_it_ends(settings: Settings) -> None:
    lost: list[str] = []
    client = Client(Configuration(host="http://127.0.0.1:1"), field_manager="test")
    made = Operator(client, settings, lambda: lost.append("lost"))
    made._resign()
    made._resign()
    assert lost == ["lost"]
    await made.stop()
    again = Operator(
        Client(Configuration(host="http://127.0.0.1:1"), field_manager="test"),
        settings,
        lambda: lost.append("again"),
    )
    await again.stop()
    again._resign()
    assert again.lost
    assert lost == ["lost"], "the process ends already"


async def test_the_end_does_not_wait_for_what_hangs(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    async def refuses_to_end() -> None:
        for _ in range(3):
            try:
                await asyncio.sleep(0.2)
            except asyncio.CancelledError:
                continue

    monkeypatch.setattr(module, "FAREWELL", 0.01)
    monkeypatch.setattr(operator._elector, "release", hangs)
    monkeypatch.setattr(operator._controller.recorder, "flush", hangs)
    (task,) = operator._spawn(refuses_to_end())
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await operator.stop()
    assert not task.done()
    await task


async def test_a_busy_port_leaves_nothing_running(settings: Settings, operator: Operator) -> None:
    taken = await asyncio.start_server(lambda *_: None, port=settings.metrics_port)
    async with taken:
        with pytest.raises(StartError, match="EVENKEEL_METRICS_PORT"):
            await operator.start()
    assert not operator._tasks
    free = await asyncio.start_server(lambda *_: None, port=settings.http_port)
    free.close()
