"""The alert webhook and its inbox: 200 means durable, everything else is sent again."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from evenkeel.api import RetrainSchedule
from evenkeel.api.cause import Alert
from evenkeel.controllers import inbox as inbox_module
from evenkeel.controllers.inbox import Inbox
from evenkeel.kube.by_name import ByName
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Event, Key
from evenkeel.process import request_body
from evenkeel.process import webhook as module
from evenkeel.process.senders import Senders
from evenkeel.process.webhook import Webhook
from evenkeel.retraining.addressing import Sent
from evenkeel.retraining.tenancy import Grants
from evenkeel.retraining.triggers import Matched, standing

JSON = dict[str, Any]
PATH = "/alerts"
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
        "labels": {"alertname": "Drift", "namespace": "shop", "n": str(number), **labels},
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

    def __init__(self, grants: Grants = module.NO_GRANTS) -> None:
        self.secrets: dict[str, str] = {}
        self.told: list[tuple[Key, Event]] = []
        self.refused: set[Key] = set()
        self.store, self.inbox = Store(), Inbox()
        self.store.put("RetrainSchedule", schedule())
        self.leads, self.token, self.writes = True, "secret", True
        self.counted: dict[Key, int] = {}
        self.seen: dict[Key, set[str]] = {}
        self.plans = 0
        self.webhook = Webhook(
            self.store,
            self.inbox,
            self._notify,
            lambda: self.leads,
            Senders(lambda: self.token, self.secrets, ByName(self, lambda: 0.0)),  # type: ignore[arg-type]
            grants=grants,
            tell=lambda key, event: self.told.append((key, event)),
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
        if key in self.refused:
            self.inbox.refuse(key)
        elif self.writes:
            new = {a.identity for a in alerts} - self.seen.setdefault(key, set())
            self.seen[key] |= new
            self.counted[key] = self.counted.get(key, 0) + len(new)
            self.inbox.settle(key)

    async def get(self, type_: object, namespace: str, name: str) -> JSON:
        """A Secret of any namespace; its token is the namespace's name."""
        return {"data": {"token": base64.b64encode(namespace.encode()).decode()}}


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    async with TestClient(TestServer(desk.webhook.application())) as found:
        yield found


Http = TestClient[web.Request, web.Application]


async def post(
    client: Http, content: Any, token: str | None = "secret", path: str = PATH
) -> tuple[int, JSON]:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    data = {"json": content} if not isinstance(content, str) else {"data": content}
    async with client.post(path, headers=headers, **data) as response:
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
    desk.store.put("RetrainSchedule", schedule("churn"))
    status, answer = await post(client, body(alert()))
    assert (status, answer["matched"]) == (200, 2)
    assert set(desk.counted) == {KEY, Key("RetrainSchedule", "shop", "churn")}


async def test_503_when_nothing_could_be_written_and_the_retry_counts_once(
    desk: Desk, client: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    desk.writes = False
    assert (await post(client, body(alert(1))))[0] == 503
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


def sent(name: str) -> Sent:
    return Sent((Matched("drift", Alert(fingerprint=name, starts_at="")),), name)


async def test_failed_plan_keeps_its_alerts_for_the_next() -> None:
    inbox = Inbox()
    first = inbox.put(KEY, sent("a"))
    assert len(inbox.take(KEY)) == 1
    second = inbox.put(KEY, sent("b"))
    assert [m.record.fingerprint for m in inbox.take(KEY)] == ["a", "b"]
    third = inbox.put(KEY, sent("c"))
    inbox.settle(KEY)
    assert first.written.result()
    assert second.written.result()
    assert not third.written.done(), "it came after the plan"
    assert [m.record.fingerprint for m in inbox.take(KEY)] == ["c"]


async def test_what_is_sent_again_joins_what_waits_already() -> None:
    inbox = Inbox()
    first, again = inbox.put(KEY, sent("a")), inbox.put(KEY, sent("a"))
    assert len(inbox.take(KEY)) == 1
    inbox.settle(KEY)
    assert first.written.result()
    assert again.written.result()


async def test_a_refused_schedule_keeps_its_alerts_and_is_waited_for_by_nobody() -> None:
    inbox = Inbox()
    first = inbox.put(KEY, sent("a"))
    inbox.take(KEY)
    inbox.refuse(KEY)
    assert first.written.result() is False
    again, more = inbox.put(KEY, sent("a")), inbox.put(KEY, sent("b"))
    assert again.written.result() is False
    assert more.written.result() is False
    assert [m.record.fingerprint for m in inbox.take(KEY)] == ["a", "b"]
    inbox.settle(KEY)
    later = inbox.put(KEY, sent("c"))
    assert not later.written.done(), "it is written again"
    inbox.drop(KEY)
    assert later.written.result()
    assert inbox.take(KEY) == ()


async def test_what_matched_a_trigger_that_is_no_more_is_to_be_sent_again() -> None:
    inbox = Inbox()
    gone, stays = inbox.put(KEY, sent("a")), inbox.put(KEY, sent("b"))

    def stands(told: Matched) -> bool:
        return told.record != gone.sent.alerts[0].record

    assert [m.record.fingerprint for m in inbox.take(KEY, stands)] == ["b"]
    assert (gone.outdated, gone.written.result()) == (True, False)
    inbox.settle(KEY)
    assert (stays.outdated, stays.written.result()) == (False, True)
    again = inbox.put(KEY, sent("a"))
    assert [m.record.fingerprint for m in inbox.take(KEY)] == ["a"]
    assert not again.written.done()


async def test_an_event_is_matched_anew_once_its_trigger_has_another_name(
    desk: Desk, client: Http
) -> None:
    listens(desk)
    take, changed = desk.inbox.take, schedule()
    changed["spec"]["triggers"] = [
        {"name": "new", "cloudEvent": {"type": "com.example.uploaded"}},
        {"name": "uploaded", "cron": {"schedule": "0 3 * * *"}},
    ]
    changed["metadata"] |= {"generation": 3, "resourceVersion": "3"}

    def taken(key: Key, stands: object = None) -> tuple[Matched, ...]:
        desk.store.put("RetrainSchedule", changed)
        read = RetrainSchedule.model_validate(changed)
        return take(key, standing(read.spec.triggers))

    desk.inbox.take = taken  # type: ignore[assignment, method-assign]
    status, said = await tell(client, EVENT)
    assert (status, "a trigger that it matched was removed" in said) == (503, True)
    assert not any(desk.counted.values())
    assert await tell(client, EVENT) == (204, "")
    assert desk.counted == {KEY: 1}


async def test_a_schedule_that_is_refused_for_good_does_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inbox_module, "WAITING", 3)
    inbox = Inbox()
    for name in "abcde":
        inbox.put(KEY, sent(name))
    assert [m.record.fingerprint for m in inbox.take(KEY)] == ["a", "b", "c"]
    assert inbox.put(KEY, sent("f")).written.result() is False


OTHER = Key("RetrainSchedule", "bank", "churn")


async def test_a_refused_schedule_fails_and_delays_nobody_else(desk: Desk, client: Http) -> None:
    desk.store.put("RetrainSchedule", schedule("churn", "bank"))
    desk.refused = {OTHER}
    mixed = body(alert(1), alert(2), alert(3, namespace="bank"))
    for _ in range(6):
        status, answer = await post(client, mixed)
        assert (status, answer) == (200, {"received": 3, "matched": 3, "refused": 1})
    assert desk.counted == {KEY: 2}
    assert (await post(client, body(alert(3, namespace="bank"))))[0] == 503, "nobody else is there"
    desk.refused = set()
    desk._notify(OTHER)
    await asyncio.sleep(0.1)
    assert desk.counted == {KEY: 2, OTHER: 1}
    assert await post(client, mixed) == (200, {"received": 3, "matched": 3})
    assert desk.counted == {KEY: 2, OTHER: 1}


async def test_an_alert_reaches_its_own_namespace_only(desk: Desk, client: Http) -> None:
    desk.store.put("RetrainSchedule", schedule("churn", "bank"))
    status, answer = await post(client, body(alert(1), alert(2, namespace="elsewhere")))
    assert (status, answer) == (200, {"received": 2, "matched": 1})
    assert desk.counted == {KEY: 1}


async def test_an_alert_without_a_namespace_concerns_nobody_and_says_so(
    desk: Desk, client: Http
) -> None:
    status, answer = await post(client, body(alert(1, namespace="")))
    assert (status, answer["matched"], answer["withoutNamespace"]) == (200, 0, 1)
    assert "without the label namespace" in answer["message"]
    ((key, event),) = desk.told
    assert (key, event.reason) == (KEY, "AlertWithoutNamespace")
    assert desk.plans == 0


@pytest.mark.parametrize(
    ("grants", "reached"),
    [
        ((), False),
        (("elsewhere=shop",), True),
        (("elsewhere=shop/fraud",), True),
        (("elsewhere=shop/other",), False),
        (("elsewhere=bank",), False),
        (("-=shop",), False),
        (("*=shop",), True),
        (("elsewhere=*",), True),
    ],
)
async def test_another_namespaces_alerts_by_grant_only(
    grants: tuple[str, ...], reached: bool
) -> None:
    desk = Desk(Grants.parse(grants))
    async with TestClient(TestServer(desk.webhook.application())) as http:
        _, answer = await post(http, body(alert(1, namespace="elsewhere")))
    assert answer["matched"] == int(reached)


async def test_alerts_without_a_namespace_by_grant() -> None:
    desk = Desk(Grants.parse(["-=shop"]))
    async with TestClient(TestServer(desk.webhook.application())) as http:
        assert (await post(http, body(alert(1, namespace=""))))[1] == {"received": 1, "matched": 1}


@pytest.mark.parametrize("entry", ["a", "a=", "=a", "a=b/", "a=b/c/d", "A=b", "-=-", "a=-"])
def test_a_wrong_grant_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="is not SOURCE=TARGET"):
        Grants.parse([entry])


async def test_a_namespaces_own_path_and_token(desk: Desk, client: Http) -> None:
    desk.secrets |= {"bank": "evenkeel-alerts"}
    desk.store.put("RetrainSchedule", schedule("churn", "bank"))
    faked = body(alert(1, namespace="shop"))
    assert (await post(client, faked, "bank"))[0] == 401, "the shared path needs the shared token"
    assert (await post(client, faked, "bank", "/alerts/shop"))[0] == 401
    assert (await post(client, faked, "bank", "/alerts/unknown"))[0] == 401
    assert (await post(client, faked, "", "/alerts/bank"))[0] == 401
    assert desk.plans == 0
    assert await post(client, faked, "bank", "/alerts/bank") == (200, {"received": 1, "matched": 1})
    assert desk.counted == {OTHER: 1}, "whatever its label says"
    assert (await post(client, faked, "secret", "/alerts/bank"))[0] == 200, "the platform's own"


async def test_a_namespace_with_a_token_is_shut_also_where_the_shared_path_is_open(
    desk: Desk, client: Http
) -> None:
    desk.secrets, desk.token = desk.secrets, ""
    desk.secrets |= {"bank": "evenkeel-alerts"}
    assert (await post(client, body(), None, "/alerts/bank"))[0] == 401
    assert (await post(client, body(), "bank", "/alerts/bank"))[0] == 200


GRAFANA = {
    "receiver": "ml",
    "status": "firing",
    "orgId": 1,
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "Drift", "grafana_folder": "ML", "namespace": "shop"},
            "annotations": {"summary": "PSI is high"},
            "startsAt": "2026-01-31T09:51:03.157076+02:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "https://grafana.test/alerting/grafana/1afz29v7z/view?orgId=1",
            "fingerprint": "c6eadffa33fcdf37",
            "silenceURL": "https://grafana.test/alerting/silence/new",
            "dashboardURL": "",
            "panelURL": "",
            "values": None,
            "valueString": "[ var='A' labels={} value=0.31 ]",
        }
    ],
    "groupLabels": {"alertname": "Drift"},
    "commonLabels": {"alertname": "Drift"},
    "commonAnnotations": {},
    "externalURL": "https://grafana.test/",
    "version": "1",
    "groupKey": '{}:{alertname="Drift"}',
    "truncatedAlerts": 0,
    "title": "[FIRING:1] Drift",
    "state": "alerting",
    "message": "**Firing**",
}


async def test_grafanas_notification_is_taken_like_alertmanagers(desk: Desk, client: Http) -> None:
    for _ in range(2):
        assert await post(client, GRAFANA) == (200, {"received": 1, "matched": 1})
    assert desk.counted == {KEY: 1}


async def test_an_odd_alert_of_a_group_takes_no_other_with_it(desk: Desk, client: Http) -> None:
    odd = {**alert(1), "generatorURL": "x" * 9000}
    odd["labels"] |= {f"l{n}": "v" * 2000 for n in range(100)}
    nulls = {**alert(2), "annotations": None}
    wrong = {**alert(3), "labels": {"n": 3}}
    status, answer = await post(
        client, body(odd, nulls, wrong, alert(4), alert(5, "resolved"), status="resolved")
    )
    assert (status, answer) == (200, {"received": 5, "matched": 3})
    assert desk.counted == {KEY: 3}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (PATH, "more than 32 MiB; group alerts, or set max_alerts"),
        ("/events", "more than 4 MiB; send fewer events at once, or a reference instead"),
    ],
)
async def test_a_body_beyond_the_limit_is_refused_while_it_comes(
    client: Http, path: str, says: str
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 2**20

    headers = {"Authorization": "Bearer secret"}
    async with client.post(path, headers=headers, data=endless()) as response:
        assert response.status == 413
        assert says in (await response.json())["error"]


async def test_who_drips_holds_up_nobody_else(desk: Desk, client: Http) -> None:
    desk.secrets["slow"] = "own"
    begun = asyncio.Event()

    async def drips() -> AsyncIterator[bytes]:
        yield b"{"
        begun.set()
        await asyncio.Event().wait()

    headers = {"Authorization": "Bearer slow"}
    slow = asyncio.create_task(client.post(f"{PATH}/slow", data=drips(), headers=headers))
    await begun.wait()

    async def pieces() -> AsyncIterator[bytes]:
        yield json.dumps(body(alert())).encode()

    headers = {"Authorization": "Bearer secret"}
    answer = await client.post(PATH, data=pieces(), headers=headers)
    assert (answer.status, slow.done()) == (200, False)
    slow.cancel()


async def test_a_body_that_drips_is_given_up(client: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "READING", 0.05)
    release = asyncio.Event()

    async def dripping() -> AsyncIterator[bytes]:
        yield b"{"
        await release.wait()

    headers = {"Authorization": "Bearer secret"}
    async with client.post(PATH, headers=headers, data=dripping()) as response:
        assert response.status == 408
    release.set()


EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/buckets/ml",
    "type": "com.example.uploaded",
    "namespace": "shop",
}


async def tell(client: Http, event: JSON | list[JSON], path: str = "/events") -> tuple[int, str]:
    """Sends a CloudEvent in the structured mode, several as a batch."""
    batch = "-batch" if isinstance(event, list) else ""
    headers = {
        "Authorization": "Bearer secret",
        "Content-Type": f"application/cloudevents{batch}+json",
    }
    async with client.post(path, headers=headers, data=json.dumps(event)) as response:
        return response.status, await response.text()


def listens(desk: Desk) -> None:
    made = schedule()
    uploaded = {"name": "uploaded", "cloudEvent": {"type": "com.example.uploaded"}}
    made["spec"]["triggers"].append(uploaded)
    made["metadata"] |= {"generation": 2, "resourceVersion": "2"}
    desk.store.put("RetrainSchedule", made)


async def test_an_event_is_taken_in_each_mode_once(desk: Desk, client: Http) -> None:
    listens(desk)
    headers = {f"ce-{name}": value for name, value in EVENT.items()}
    headers |= {"Authorization": "Bearer secret", "Content-Type": "application/json"}
    async with client.post("/events", headers=headers, data=b'{"rows": 12}') as response:
        assert (response.status, await response.text()) == (204, ""), "Knative takes no other text"
    assert desk.counted == {KEY: 1}
    assert await tell(client, EVENT) == (204, "")
    assert await tell(client, [EVENT, {**EVENT, "id": "2"}]) == (204, "")
    assert await tell(client, []) == (204, "")
    assert desk.counted == {KEY: 2}


async def test_an_event_belongs_to_the_namespace_of_its_path_or_attribute(
    desk: Desk, client: Http
) -> None:
    listens(desk)
    nowhere = {name: value for name, value in EVENT.items() if name != "namespace"}
    assert await tell(client, nowhere, "/events/other") == (204, "")
    assert await tell(client, {**EVENT, "namespace": "other"}) == (204, "")
    assert (desk.counted, desk.told) == ({}, [])
    assert await tell(client, nowhere) == (204, "")
    ((key, told),) = desk.told
    assert (key, told.reason) == (KEY, "EventWithoutNamespace")
    assert "without the attribute namespace" in told.message
    assert "/events/NAMESPACE" in told.message
    assert await tell(client, nowhere, "/events/shop") == (204, "")
    assert desk.counted == {KEY: 1}


async def test_an_event_that_is_none_is_refused_with_what_is_missing(
    desk: Desk, client: Http
) -> None:
    listens(desk)
    status, said = await tell(client, {**EVENT, "id": ""})
    assert (status, "id is missing or empty" in said) == (400, True)
    status, said = await tell(client, {**EVENT, "specversion": "0.3"})
    assert (status, "specversion '0.3' is not known" in said) == (400, True)
    async with client.post("/events", json=EVENT) as response:
        assert response.status == 401
    assert desk.plans == 0


async def ask(client: Http, path: str, token: str = "secret", **more: str) -> tuple[int, JSON]:
    """Asks for permission to send; the status, and what the answer says of it."""
    headers = {"Authorization": f"Bearer {token}", **more}
    async with client.options(path, headers=headers) as response:
        found = {k: v for k, v in response.headers.items() if k.startswith(("WebHook", "Allow"))}
        return response.status, found


async def test_who_asks_whether_events_are_wanted_may_send_them(desk: Desk, client: Http) -> None:
    desk.leads = False
    sender = {"WebHook-Request-Origin": "events.example.com", "WebHook-Request-Rate": "120"}
    granted = {
        "Allow": "POST",
        "WebHook-Allowed-Origin": "events.example.com",
        "WebHook-Allowed-Rate": "*",
    }
    assert await ask(client, "/events", **sender) == (200, granted)
    assert await ask(client, "/events/shop", **sender) == (200, granted)
    assert await ask(client, "/alerts", **sender) == (405, {"Allow": "POST"})


@pytest.mark.parametrize("origin", ["", "a b", "https://events.example.com", "é"])
async def test_who_does_not_say_where_events_come_from_gets_no_permission(
    client: Http, origin: str
) -> None:
    sender = {"WebHook-Request-Origin": origin} if origin else {}
    assert await ask(client, "/events", **sender) == (400, {})


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_who_may_not_send_events_gets_no_permission(client: Http, token: str) -> None:
    sender = {"WebHook-Request-Origin": "events.example.com"}
    assert await ask(client, "/events", token, **sender) == (401, {})
    assert await ask(client, "/events/shop", token, **sender) == (401, {})


async def test_an_event_that_cannot_be_written_is_to_be_sent_again(
    desk: Desk, client: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    listens(desk)
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    desk.writes = False
    status, said = await tell(client, EVENT)
    assert (status, "send again" in said) == (503, True)
    desk.writes = True
    assert await tell(client, EVENT) == (204, "")
    assert desk.counted == {KEY: 1}


async def test_an_event_is_not_taken_until_each_schedule_has_written_it(
    desk: Desk, client: Http
) -> None:
    listens(desk)
    other = schedule("other")
    uploaded = {"name": "uploaded", "cloudEvent": {"type": "com.example.uploaded"}}
    other["spec"]["triggers"] = [uploaded]
    desk.store.put("RetrainSchedule", other)
    theirs = Key("RetrainSchedule", "shop", "other")
    desk.refused.add(theirs)
    status, said = await tell(client, EVENT)
    assert (status, "of a matching schedule; send again" in said) == (503, True)
    desk.refused.clear()
    desk._notify(theirs)
    await asyncio.sleep(0.1)
    assert await tell(client, EVENT) == (204, "")
    assert desk.counted == {KEY: 1, theirs: 1}
