"""A registry that is down for an hour, by a clock of the test's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from evenkeel.adapters.access import Access
from evenkeel.adapters.source import Unavailable
from evenkeel.api.modelregistry import ModelRegistry
from evenkeel.api.modelversion import ModelVersion
from evenkeel.controllers.polls.pacing import LONGEST_PAUSE
from evenkeel.controllers.polls.polls import Polled, Polls
from evenkeel.meta.conditions import find
from evenkeel.meta.objects import Key
from evenkeel.outside.mlflow import Enrolled
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.registries.registration import found, question
from evenkeel.versions.plan import VersionSnapshot, plan_version

START = datetime(2026, 1, 31, 9, tzinfo=UTC)
HOUR = 3600.0
KEY = Key("ModelVersion", "shop", "fraud-1")
REGISTRY = ModelRegistry.model_validate(
    {"metadata": {"name": "mlflow"}, "spec": {"mlflow": {"url": "http://mlflow:5000"}}}
)


class World:
    """One version whose reconcile runs when it is queued. asked: when the registry was."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[float] = []
        self.writes = 0
        self.version = ModelVersion.model_validate(
            {
                "metadata": {"name": "fraud-1", "namespace": "shop", "generation": 1},
                "spec": {
                    "model": "fraud",
                    "uri": "s3://models/fraud/1",
                    "format": {"name": "sklearn"},
                    "registration": {"registry": "mlflow", "name": "fraud"},
                },
            }
        )
        self.polls = Polls(
            Polled(
                {"mlflow": self.ask},
                self.reach,
                lambda key: True,
                lambda key: self.reconcile(),
                clock=lambda: self.now,
                wall=lambda: START + timedelta(seconds=self.now),
                chance=lambda: 0.5,
            )
        )

    async def reach(self, namespace: str, poll: Poll) -> Access:
        return Access(poll.url)

    async def ask(self, question: Any, access: Access, last: Any) -> Enrolled:
        self.asked.append(self.now)
        if self.now < HOUR:
            raise Unavailable("http://mlflow:5000 answered 503: Service Unavailable")
        return Enrolled("1")

    def reconcile(self) -> None:
        version, time = self.version, START + timedelta(seconds=self.now)
        done = version.status.registered is not None
        asked = {} if done else {"it": question(version, REGISTRY)}
        seen = self.polls.want(KEY, asked).get("it", Sighting())
        known = found(version, REGISTRY, seen, time)
        planned = plan_version(
            VersionSnapshot(
                *(version, (), time),
                registered=known.registered,
                registration=known.observation,
            )
        )
        if planned.status != version.status:
            self.writes += 1
            self.version = version.model_copy(update={"status": planned.status})
            # As the controller does once it is registered.
            self.reconcile()

    async def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.polls.tick()
            for _ in range(10):
                await asyncio.sleep(0)
            self.now += 1.0

    def condition(self, type_: str) -> str:
        told = find(self.version.status.conditions, type_)
        return told.reason if told is not None else ""


async def test_it_is_registered_once_the_registry_is_back() -> None:
    world = World()
    world.reconcile()
    assert (world.condition("Approved"), world.condition("Registered")) == (
        "AutomaticallyApproved",
        "AwaitingRegistry",
    )
    await world.pass_time(HOUR)
    assert world.condition("Registered") == "SourceUnavailable"
    assert world.version.status.registered is None
    assert len(world.asked) < 12, "it is asked ever more seldom"
    assert world.writes == 2, "an outage is told once"
    await world.pass_time(LONGEST_PAUSE + 1)
    assert world.condition("Registered") == "Registered"
    asked = len(world.asked)
    await world.pass_time(HOUR)
    assert len(world.asked) == asked, "and then no more"
