"""The alert webhook and its inbox: 200 means durable, everything else is sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from evenkeel.api.cause import Alert
from evenkeel.controllers.inbox import Inbox
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.process import webhook as module
from evenkeel.process.webhook import Webhook
from evenkeel.retraining.triggers import MatchedAlert
from evenkeel.retraining.triggers.alert import PATH

JSON = dict[str, Any]
KEY = Key("RetrainSchedule", "shop", "fraud")


def schedule(name: str = "fraud", namespace: str = "shop") -> JSON:
    matcher = {"name": "alertname", "operator": "=", "value": "Drift"}
    template = {"spec": {"containers": [{"name": "trainer", "image": "trainer"}]}}
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "1"},
        "spec": {
            "model": name,
            "triggers": [{"name": "drift", "alert": {"matchers": [matcher]}}],
            "training": {"podTemplate": template},
        },
    }


def alert(number: int = 0, status: str = "firing", **labels: str) -> JSON:
    return {
        "status": status,
        "labels": {"alertname": "Drift", "n": str(number), **labels},
        "annotations": {"summary": "drifted"},
        "startsAt": "2026-01-31T09:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.test/graph",
        "fingerprint": f"{number:016x}",
    }


def body(*alerts: JSON, **more: Any) -> JSON:
    return {"version": "4", "receiver": "evenkeel", "alerts": list(alerts), **more}


class Desk:
    """A webhook over a store with one schedule; `writes` lets the schedule's plan succeed."""

    def __init__(self) -> None:
        self.store, self.inbox = Store(), Inbox()
        self.store.put("RetrainSchedule", schedule())
        self.leads, self.token, self.writes = True, "secret", True
        self.counted: dict[Key, int] = {}
        self.plans = 0
        self.webhook = Webhook(
            self.store, self.inbox, self._notify, lambda: self.leads, lambda: self.token
        )
        self._queued: set[Key] = set()
        self._running: set[asyncio.Task[None]] = set()

    def _notify(self, key: Key) -> None:
        if key not in self._queued:
            self._queued.add(key)
            task = asyncio.create_task(self._plan(key))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _plan(self, key: Key) -> None:
        await asyncio.sleep(0.01)
        self._queued.discard(key)
        alerts = self.inbox.take(key)
        self.plans += 1
        await asyncio.sleep(0.01)
        if self.writes:
            self.counted[key] = self.counted.get(key, 0) + len(alerts)
            self.inbox.settle(key)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    async with TestClient(TestServer(desk.webhook.application())) as found:
        yield found


Http = TestClient[web.Request, web.Application]


async def post(client: Http, content: Any, token: str | None = "secret") -> tuple[int, JSON]:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    data = {"json": content} if not isinstance(content, str) else {"data": content}
    async with client.post(PATH, headers=headers, **data) as response:
        return response.status, await response.json()


@pytest.mark.parametrize("token", [None, "", "wrong", "secret2", "sécret"])
async def test_wrong_token_is_refused(desk: Desk, client: Http, token: str | None) -> None:
    status, _ = await post(client, body(alert()), token)
    assert status == 401
    assert desk.plans == 0


async def test_without_a_token_set_none_is_asked_for(desk: Desk, client: Http) -> None:
    desk.token = ""
    status, _ = await post(client, body(alert()), None)
    assert status == 200


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "notification: Invalid JSON"),
        ("{", "JSON"),
        ("[]", "object"),
        ({"version": "3", "alerts": []}, "version"),
        ({"version": "4"}, "alerts"),
        (body({"status": "firing"}), "alerts.0.labels"),
        (body(alert(status="burning")), "alerts.0.status"),
    ],
)
async def test_anything_else_than_a_notification_is_a_bad_request(
    client: Http, content: Any, says: str
) -> None:
    status, answer = await post(client, content)
    assert status == 400
    assert says in answer["error"]


async def test_another_replica_is_asked_when_this_one_does_not_lead(
    desk: Desk, client: Http
) -> None:
    desk.leads = False
    async with client.post(
        PATH, json=body(alert()), headers={"Authorization": "Bearer secret"}
    ) as response:
        assert response.status == 503
        assert response.headers["Connection"] == "close"
    assert desk.plans == 0


async def test_200_comes_after_the_write(desk: Desk, client: Http) -> None:
    status, answer = await post(client, body(alert(1), alert(2), alert(3, alertname="Other")))
    assert (status, answer) == (200, {"received": 3, "matched": 2})
    assert desk.counted == {KEY: 2}


async def test_resolved_and_unmatched_alerts_are_taken_and_do_nothing(
    desk: Desk, client: Http
) -> None:
    status, answer = await post(client, body(alert(status="resolved"), alert(alertname="Other")))
    assert (status, answer["matched"]) == (200, 0)
    assert desk.plans == 0


async def test_each_matching_schedule_must_have_written(desk: Desk, client: Http) -> None:
    desk.store.put("RetrainSchedule", schedule("churn", "bank"))
    status, answer = await post(client, body(alert()))
    assert (status, answer["matched"]) == (200, 2)
    assert set(desk.counted) == {KEY, Key("RetrainSchedule", "bank", "churn")}


async def test_503_when_nothing_could_be_written_and_nothing_stays_behind(
    desk: Desk, client: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    desk.writes = False
    assert (await post(client, body(alert(1))))[0] == 503
    assert desk.inbox.take(KEY) == (), "its sender sends it again"
    desk.writes = True
    assert (await post(client, body(alert(1))))[0] == 200
    assert desk.counted == {KEY: 1}


async def test_storm_in_one_body_is_one_plan(desk: Desk, client: Http) -> None:
    status, answer = await post(client, body(*(alert(n) for n in range(10_000))))
    assert (status, answer["matched"]) == (200, 10_000)
    assert (desk.counted, desk.plans) == ({KEY: 10_000}, 1)


async def test_storm_of_bodies_is_committed_in_groups(desk: Desk, client: Http) -> None:
    bodies = [body(*(alert(50 * n + m) for m in range(50))) for n in range(100)]
    answers = await asyncio.gather(*(post(client, b) for b in bodies))
    assert {status for status, _ in answers} == {200}
    assert desk.counted == {KEY: 5000}
    assert desk.plans < 50


async def test_labels_beyond_the_apis_limits_are_cut_and_not_refused(
    desk: Desk, client: Http
) -> None:
    many = {f"l{n}": "x" for n in range(100)}
    status, _ = await post(client, body(alert(1, long="x" * 5000), alert(2, **many)))
    assert status == 200
    assert desk.counted == {KEY: 2}


async def test_failed_plan_keeps_its_alerts_for_the_next() -> None:
    inbox = Inbox()

    def one(name: str) -> tuple[MatchedAlert, ...]:
        return (MatchedAlert("drift", Alert(fingerprint=name, starts_at="")),)

    first = inbox.put(KEY, one("a"))
    assert len(inbox.take(KEY)) == 1
    second = inbox.put(KEY, one("b"))
    assert [m.alert.fingerprint for m in inbox.take(KEY)] == ["a", "b"]
    third = inbox.put(KEY, one("c"))
    inbox.settle(KEY)
    assert first.done.done()
    assert second.done.done()
    assert not third.done.done(), "it came after the plan"
    assert [m.alert.fingerprint for m in inbox.take(KEY)] == ["c"]
    inbox.withdraw(KEY, third)
    assert inbox.take(KEY) == ()


async def test_what_a_planned_run_counts_is_told_to_the_next_plan() -> None:
    inbox = Inbox()
    delivery = inbox.put(KEY, (MatchedAlert("drift", Alert(fingerprint="a", starts_at="")),))
    assert [m.run for m in inbox.take(KEY)] == [""]
    inbox.entered(KEY, "never-made", known=())
    assert [m.run for m in inbox.take(KEY)] == ["never-made"]
    inbox.entered(KEY, "made", known=())
    inbox.put(KEY, delivery.alerts)
    inbox.take(KEY)
    inbox.entered(KEY, "second", known=("made",))
    assert [m.run for m in inbox.take(KEY)] == ["made", "second"]
