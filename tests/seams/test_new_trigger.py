"""A new trigger is one file and its field in the API: a clock, a webhook and a poll, made here."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from evenkeel.api import RetrainSchedule
from evenkeel.api.cause import Alert, CauseType
from evenkeel.api.crd import structural
from evenkeel.api.trigger import Trigger, cause_types
from evenkeel.controllers.inbox import Inbox
from evenkeel.kube.store import Store
from evenkeel.meta.model import Model
from evenkeel.meta.objects import Key
from evenkeel.meta.times import timestamp
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.process.senders import Senders
from evenkeel.process.webhook import Webhook
from evenkeel.retraining import triggers
from evenkeel.retraining.sources import polls
from evenkeel.retraining.triggers.kind import (
    Batch,
    Clock,
    InvalidTrigger,
    MalformedBody,
    Message,
    Poller,
    Receiver,
    Revision,
    TriggerKind,
)
from pydantic import Field, TypeAdapter

from tests.support.extended import extended
from tests.support.retraining import DRIFT, NOW, Cluster, Crash, alerts, schedule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Every(Model):
    """Fires every so many seconds since 1970."""

    seconds: Annotated[int, Field(description="The interval.")]
    starting_deadline_seconds: Annotated[int, Field(description="As for cron.")] = 300


def check_every(spec: Every) -> None:
    if spec.seconds <= 0:
        raise InvalidTrigger(f"seconds is {spec.seconds}; write a number above 0")


def last_time(spec: Every, now: datetime) -> datetime:
    check_every(spec)
    return now - (now - EPOCH) % timedelta(seconds=spec.seconds)


def due(spec: Every, handled: datetime, now: datetime) -> datetime | None:
    time = last_time(spec, now)
    return time if time > handled else None


EVERY: TriggerKind[Every, None] = TriggerKind(
    "every",
    check=check_every,
    clock=Clock(
        due,
        lambda spec, time: time + timedelta(seconds=spec.starting_deadline_seconds),
        lambda spec, now: last_time(spec, now) + timedelta(seconds=spec.seconds),
    ),
)


class Push(Model):
    """Fires on pushes to a branch."""

    branch: Annotated[str, Field(description="The branch.")]


def check_push(spec: Push) -> None:
    if not spec.branch:
        raise InvalidTrigger("branch is empty; name one")


def read_pushes(message: Message) -> Batch[dict[str, str]]:
    try:
        pushes = json.loads(message.body)["pushes"]
    except (ValueError, KeyError):
        raise MalformedBody("not a list of pushes") from None
    return Batch(tuple(pushes), len(pushes))


PUSH = TriggerKind(
    "push",
    check=check_push,
    receiver=Receiver(
        ("/push",),
        read_pushes,
        lambda push: {"namespace": "ml", "branch": push["branch"]},
        lambda spec, pushes, among: among & pushes.equal("branch", spec.branch),
        lambda push: Alert(
            fingerprint=push["commit"], starts_at=timestamp(NOW), summary=push["commit"]
        ),
        lambda push: (push["commit"],),
    ),
)


class Shelf(Model):
    """Fires when a shelf has another book."""

    shelf: Annotated[str, Field(description="The shelf.")]


SHELF: TriggerKind[Shelf, None] = TriggerKind(
    "shelf",
    check=lambda spec: None,
    poller=Poller(
        lambda spec: Poll("library", "https://library.example", spec.shelf, 60.0),
        lambda book: Revision(book, book.lower()),
        lambda spec, book: {"message": book},
        lambda cause: Revision(title, title.lower()) if (title := cause.message[-6:]) else None,
    ),
)


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> type[RetrainSchedule]:
    """The RetrainSchedule with the triggers' fields, while the table has their entries."""
    monkeypatch.setattr(triggers, "TRIGGERS", (*triggers.TRIGGERS, EVERY, PUSH, SHELF))
    with_every = extended(RetrainSchedule, "spec.triggers.[].every", Every)
    with_push = extended(with_every, "spec.triggers.[].push", Push)
    return extended(with_push, "spec.triggers.[].shelf", Shelf)


def often(**more: Any) -> dict[str, Any]:
    return {"name": "often", "every": {"seconds": 600, **more}}


BOOKS = {"name": "books", "shelf": {"shelf": "new"}}
MAIN = {"name": "code", "push": {"branch": "main"}}


def cluster(kind: type[RetrainSchedule], *triggers: dict[str, Any], **spec: Any) -> Cluster:
    plain = schedule(**spec)
    meta = {**plain.metadata.wire(), "creationTimestamp": timestamp(NOW + timedelta(seconds=1))}
    extended_spec = {**plain.spec.wire(), "triggers": triggers}
    return Cluster(
        kind.model_validate({"metadata": meta, "spec": extended_spec}), NOW + timedelta(seconds=1)
    )


def test_the_table_has_an_entry_for_each_field_of_the_api() -> None:
    assert tuple(k.field for k in triggers.TRIGGERS) == Trigger.kinds()
    assert all(k.clock or k.receiver or k.poller or k.overseer for k in triggers.TRIGGERS)
    paths = [p for k in triggers.TRIGGERS if k.receiver for p in k.receiver.paths]
    assert len(set(paths)) == len(paths)
    assert TypeAdapter(CauseType).json_schema()["enum"] == [
        "Alert",
        "Cron",
        "Data",
        "CloudEvent",
        "VersionAge",
        "MetricDecay",
        "Drift",
        "Manual",
    ]


def test_the_schema_has_the_fields_and_one_rule_over_all_of_them(
    kind: type[RetrainSchedule],
) -> None:
    item = structural(kind)["properties"]["spec"]["properties"]["triggers"]["items"]
    assert list(item["properties"]) == [
        "name",
        "alert",
        "cron",
        "gitData",
        "objects",
        "cloudEvent",
        "versionAge",
        "metricDecay",
        "drift",
        "every",
        "push",
        "shelf",
    ]
    assert item["properties"]["every"]["required"] == ["seconds"]
    assert item["x-kubernetes-validations"] == [
        {
            "rule": "[has(self.alert), has(self.cron), has(self.gitData), has(self.objects), "
            "has(self.cloudEvent), has(self.versionAge), has(self.metricDecay), "
            "has(self.drift), has(self.every), has(self.push), has(self.shelf)].exists_one(g, g)",
            "message": "a trigger needs exactly one of alert, cron, gitData, objects, cloudEvent, "
            "versionAge, metricDecay, drift, every, push or shelf",
        }
    ]
    (trigger,) = cluster(kind, MAIN).schedule.spec.triggers
    assert cause_types(type(trigger)) == (
        "Alert",
        "Cron",
        "Data",
        "CloudEvent",
        "VersionAge",
        "MetricDecay",
        "Drift",
        "Every",
        "Push",
        "Shelf",
        "Manual",
    )
    assert kind.kind == "RetrainSchedule"


def test_a_time_of_the_new_clock_makes_one_run(kind: type[RetrainSchedule]) -> None:
    first = cluster(kind, often())
    plan = first.settle()
    assert plan.requeue_after == 599
    assert "next every time 2026-01-31T09:10:00Z" in first.status.conditions[0].message
    first.pass_time(seconds=599)
    first.reconcile()
    first.settle()
    (run,) = first.runs.values()
    cause = run.spec.cause
    assert (cause.type, cause.trigger, cause.time) == ("Every", "often", "2026-01-31T09:10:00Z")
    assert cause.message == "every often (2026-01-31T09:10:00Z)"
    other = cluster(kind, often())
    other.pass_time(seconds=700)
    other.reconcile()
    assert other.started == first.started, "the time names the run"


def test_runs_of_two_clocks_at_one_time_differ(kind: type[RetrainSchedule]) -> None:
    cron = {"name": "often", "cron": {"schedule": "*/10 * * * *"}}
    by_cron, by_every = cluster(kind, cron), cluster(kind, often())
    for each in (by_cron, by_every):
        each.pass_time(seconds=599)
        each.reconcile()
    assert by_cron.started != by_every.started


def test_a_run_of_the_new_clock_is_entered_after_a_crash(kind: type[RetrainSchedule]) -> None:
    world = cluster(kind, often(), DRIFT)
    world.settle()
    world.pass_time(seconds=599)
    with pytest.raises(Crash):
        world.reconcile(alerts(3, world.now), writes=1)
    world.pass_time(seconds=590)
    plan = world.reconcile()
    assert (plan.creates, plan.events) == ((), ()), "past the deadline, but it has its run"
    assert world.status.last_run is not None
    assert [world.status.last_run.name] == world.started
    assert world.status.triggers[0].last_schedule_time == "2026-01-31T09:10:00Z"
    assert world.received == world.accounted == 3


def test_a_missed_time_of_the_new_clock_is_reported(kind: type[RetrainSchedule]) -> None:
    world = cluster(kind, often(startingDeadlineSeconds=60))
    world.settle()
    world.pass_time(seconds=900)
    (event,) = world.reconcile().events
    assert event.reason == "MissedSchedule"
    assert "2026-01-31T09:10:00Z within startingDeadlineSeconds 60" in event.message


@pytest.mark.parametrize(
    ("faulty", "problem"),
    [
        (often(seconds=0), "trigger often: seconds is 0; write a number above 0"),
        ({"name": "code", "push": {"branch": ""}}, "trigger code: branch is empty; name one"),
    ],
)
def test_a_new_trigger_that_cannot_work_stalls_visibly(
    kind: type[RetrainSchedule], faulty: dict[str, Any], problem: str
) -> None:
    world = cluster(kind, faulty, DRIFT)
    assert world.reconcile(alerts(1)).creates
    ready = world.status.conditions[0]
    assert (ready.status, ready.reason) == ("False", "InvalidTrigger")
    assert problem in ready.message


def test_another_state_of_the_new_source_makes_one_run(kind: type[RetrainSchedule]) -> None:
    world = cluster(kind, BOOKS, DRIFT)
    assert polls(world.schedule) == {
        "books": Poll("library", "https://library.example", "new", 60.0)
    }
    for book in ("Middle", "MIDDLE", "Daniel"):
        world.sightings["books"] = Sighting(book, world.now, world.now)
        world.settle()
        world.pass_time(seconds=60)
    (run,) = world.runs.values()
    assert (run.spec.cause.type, run.spec.cause.change) == ("Shelf", 1)
    assert world.status.triggers[0].last_revision is not None
    assert world.status.triggers[0].last_revision.revision == "Daniel"


async def test_the_webhook_serves_the_new_path_and_answers_once_the_run_is_written(
    kind: type[RetrainSchedule],
) -> None:
    world = cluster(kind, MAIN, DRIFT)
    store, inbox, queue = Store(), Inbox(), asyncio.Queue[Key]()
    store.put("RetrainSchedule", world.schedule.wire())
    senders = Senders(lambda: "secret", {}, None)
    webhook = Webhook(store, inbox, queue.put_nowait, lambda: True, senders, schedules=kind)
    bearer = {"Authorization": "Bearer secret"}
    pushes = [{"branch": "main", "commit": "c1"}, {"branch": "topic", "commit": "c2"}]
    async with TestClient(TestServer(webhook.application())) as http:
        assert (await http.post("/push", json={"pushes": pushes})).status == 401
        malformed = await http.post("/push", json={}, headers=bearer)
        assert (malformed.status, await malformed.json()) == (
            400,
            {"error": "not a list of pushes"},
        )
        sent = asyncio.create_task(http.post("/push", json={"pushes": pushes}, headers=bearer))
        key = await queue.get()
        world.reconcile(inbox.take(key))
        early, _ = await asyncio.wait({sent}, timeout=0.1)
        assert not early
        inbox.settle(key)
        answer = await sent
        assert (answer.status, await answer.json()) == (200, {"received": 2, "matched": 1})
        assert (await http.post("/alertmanager/v4", json={}, headers=bearer)).status == 400
    (run,) = world.runs.values()
    cause = run.spec.cause
    assert (cause.type, cause.trigger, cause.alert_count) == ("Push", "code", 1)
    assert cause.message == "push code (2026-01-31T09:00:00Z, 1 alert): c1"
    assert world.received == world.accounted == 1
