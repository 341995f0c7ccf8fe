"""The loop: what is told when, and what a refused write leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from evenkeel.kube.client import ApiError
from evenkeel.kube.controller import Controller
from evenkeel.kube.events import EventSource
from evenkeel.kube.metrics import LoopMetrics
from evenkeel.kube.ownership import Marks, Ownership
from evenkeel.kube.store import Store
from evenkeel.meta.conditions import Conditions
from evenkeel.meta.model import Model
from evenkeel.meta.objects import Event, Key, Ref
from evenkeel.meta.plan import Plan
from evenkeel.meta.resources import ResourceType
from prometheus_client import CollectorRegistry

JSON = dict[str, Any]
WIDGET = ResourceType("example.com", "v1", "widgets", "Widget")
KEY = Key("Widget", "shop", "fraud")
OLD = Ref("example.com/v1", "Widget", "shop", "old", "u-old")


class Status(Model):
    count: int = 0
    conditions: Conditions = ()


class Api:
    """Answers status writes, and refuses deletions with this status.

    refuses_status: with what writes of a status are refused, if they are.
    """

    field_manager = "tests"

    def __init__(self, store: Store, refuses: int = 0) -> None:
        self.store = store
        self.refuses = refuses
        self.refuses_status: Callable[[JSON], int] = lambda status: 0
        self.applied = 0
        self.version = 10

    def fenced(self, leads: Callable[[], bool]) -> Api:
        return self

    async def apply(self, type_: object, namespace: str, name: str, body: JSON, **_: str) -> JSON:
        self.applied += 1
        if refusal := self.refuses_status(body["status"]):
            raise ApiError(refusal, "Invalid", "status.count is odd")
        self.version += 1
        known = self.store.get(KEY)
        assert known is not None
        meta = {**known["metadata"], "resourceVersion": str(self.version)}
        return {**known, "metadata": meta, "status": body["status"]}

    async def delete(self, *_: object) -> None:
        if self.refuses:
            raise ApiError(self.refuses, "Refused", "an admission webhook is down")


class Loop:
    """A controller whose plan counts one up and deletes an object, and what it told."""

    def __init__(self, refuses: int = 0) -> None:
        self.store = Store()
        self.store.put("Widget", self.widget())
        self.told: list[str] = []
        self.plans = 0
        self.registry = CollectorRegistry()
        self.api = Api(self.store, refuses)
        client: Any = self.api
        types = {"Widget": WIDGET}
        self.controller = Controller(
            client,
            self.store,
            {"Widget": self.reconcile},
            lambda kind, obj: [],
            lambda key, plan: self.told.append(key.name),
            types=types,
            ownership=Ownership(client, self.store, types, Marks("applied", "adopt", "owner")),
            source=EventSource("tests", "example.com/tests"),
            metrics=LoopMetrics("tests", self.registry),
        )

    @staticmethod
    def widget() -> JSON:
        meta = {"name": "fraud", "namespace": "shop", "uid": "u-1", "resourceVersion": "1"}
        return {"metadata": meta, "spec": {}, "status": {}}

    async def reconcile(self, key: Key, obj: JSON, invalid: str | None) -> Plan:
        self.plans += 1
        count = obj.get("status", {}).get("count", 0)
        told = Event("Normal", "Counted", f"{count + 1}")
        return Plan(status=Status(count=count + 1), deletes=(OLD,), events=(told,))

    @staticmethod
    async def settled(key: Key, obj: JSON, invalid: str | None) -> Plan:
        return Plan(status=Status())

    @property
    def events(self) -> list[str]:
        return [f"{e.reason}: {e.message}" for e, _ in self.controller.recorder._backlog]

    def results(self, result: str) -> float:
        labels = {"kind": "Widget", "result": result}
        return self.registry.get_sample_value("tests_reconcile_total", labels) or 0

    async def one(self) -> None:
        self.controller.queue.add(KEY)
        task = asyncio.create_task(self.controller.work())
        async with asyncio.timeout(5):
            while not self.plans or self.controller.queue.depth() or self.controller.queue._working:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        task.cancel()


async def test_a_plan_that_was_written_is_told() -> None:
    loop = Loop()
    await loop.one()
    assert loop.told == ["fraud"]


async def test_a_backlog_that_needs_no_writes_leaves_others_their_turns() -> None:
    loop = Loop()
    keys = [KEY._replace(name=f"w{n}") for n in range(100)]
    for key in keys:
        widget = {**loop.widget(), "status": {"count": 0, "conditions": []}}
        widget["metadata"] = {**widget["metadata"], "name": key.name, "uid": key.name}
        loop.store.put("Widget", widget)
        loop.controller.queue.add(key)
    loop.controller._reconciles = {"Widget": loop.settled}
    tasks = [asyncio.create_task(loop.controller.work()) for _ in range(4)]
    waiting = []
    while loop.controller.queue.depth():
        waiting.append(loop.controller.queue.depth())
        await asyncio.sleep(0)
    assert len(waiting) >= len(keys) / 5
    for task in tasks:
        task.cancel()


async def test_what_was_never_reconciled_goes_first() -> None:
    loop = Loop()
    settled = {**loop.widget(), "status": {"count": 1}}
    for name, obj in (("settled", settled), ("new", loop.widget()), ("calm", settled)):
        obj["metadata"] = {**obj["metadata"], "name": name, "uid": name}
        loop.store.put("Widget", obj)
    queue = loop.controller.queue
    loop.controller._dependents = lambda kind, obj: [KEY._replace(name=obj["metadata"]["name"])]
    loop.controller.changed("Widget", {"metadata": {"name": "calm"}})
    loop.controller.started = True
    for name in ("settled", "new"):
        loop.controller.changed("Widget", {"metadata": {"name": name}})
    assert [(await queue.get()).name for _ in range(3)] == ["new", "settled", "calm"]


@pytest.mark.parametrize("status", [403, 409, 500])
async def test_what_the_status_holds_is_durable_whatever_is_refused_after_it(status: int) -> None:
    loop = Loop(refuses=status)
    await loop.one()
    assert loop.told == ["fraud"]
    assert [happened.message for happened, _ in loop.controller.recorder._backlog] == ["1"]
    known = loop.store.get(KEY)
    assert known is not None
    assert known["status"]["count"] == 1


async def test_a_status_that_is_refused_is_told_in_the_one_that_stands() -> None:
    loop = Loop()
    loop.api.refuses_status = lambda status: 422 * (status.get("count", 0) > 0)
    await loop.one()
    known = loop.store.get(KEY)
    assert known is not None
    assert known["status"]["conditions"][0]["reason"] == "ApplyFailed"
    assert (loop.events, loop.results("refused"), loop.results("untold")) == ([], 1, 0)


@pytest.mark.parametrize("status", [403, 422])
async def test_where_no_status_can_be_written_an_event_and_the_metric_tell(status: int) -> None:
    loop = Loop()
    loop.api.refuses_status = lambda _: status
    await loop.one()
    assert loop.events == ["ApplyFailed: the API server refuses the status: status.count is odd"]
    assert (loop.results("refused"), loop.results("untold"), loop.told) == (0, 1, [])


async def test_what_wakes_an_object_without_a_status_changes_nothing_before_its_retry() -> None:
    loop = Loop()
    loop.api.refuses_status = lambda _: 422
    loop.controller._failures[KEY] = 10  # Its retry is a minute away.
    await loop.one()
    written = loop.api.applied
    for _ in range(5):
        await loop.one()
    assert (loop.plans, loop.api.applied, len(loop.events)) == (1, written, 1)
    edited = loop.widget()
    edited["metadata"]["resourceVersion"] = "2"
    loop.store.put("Widget", edited)
    loop.api.refuses_status = lambda _: 0
    await loop.one()
    # An edit is looked at at once, and once more without the refusal.
    assert (loop.plans, loop.told) == (3, ["fraud", "fraud"])


async def test_an_absent_api_server_is_no_refusal() -> None:
    loop = Loop()
    loop.api.refuses_status = lambda _: 503
    await loop.one()
    assert (loop.events, loop.results("untold")) == ([], 0)
