"""Alerts that wait for their schedule's next reconcile: one write answers all that came in.

The webhook's answer waits until the cause is durable (a group commit), so that Alertmanager
sends again whatever was not written.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Container
from dataclasses import dataclass

from evenkeel.meta.objects import Key
from evenkeel.retraining.triggers import MatchedAlert


@dataclass(eq=False, slots=True)
class Delivery:
    """The alerts of one request for one schedule; `done` is set once they are written.

    run: the run whose creation was planned with them.
    """

    alerts: tuple[MatchedAlert, ...]
    done: asyncio.Future[None]
    run: str = ""


class Inbox:
    """Deliveries by schedule."""

    def __init__(self) -> None:
        self._waiting: dict[Key, list[Delivery]] = defaultdict(list)
        self._taken: dict[Key, list[Delivery]] = {}

    def put(self, key: Key, alerts: tuple[MatchedAlert, ...]) -> Delivery:
        """Adds a delivery; the caller queues the key and awaits `done`."""
        delivery = Delivery(alerts, asyncio.get_running_loop().create_future())
        self._waiting[key].append(delivery)
        return delivery

    def withdraw(self, key: Key, delivery: Delivery) -> None:
        """Takes back a delivery whose sender no longer waits and will send again."""
        if delivery in self._waiting.get(key, ()):
            self._waiting[key].remove(delivery)

    def take(self, key: Key) -> tuple[MatchedAlert, ...]:
        """All that waits, for one plan. It stays here until `settle`, should the plan fail."""
        self._taken[key] = list(self._waiting.get(key, ()))
        return tuple(a._replace(run=d.run) for d in self._taken[key] for a in d.alerts)

    def entered(self, key: Key, run: str, known: Container[str]) -> None:
        """What was last taken is counted by a run about to be created, if none of `known` does.

        Should the status after it not be written, the next plan does not count it again.
        """
        for delivery in self._taken.get(key, ()):
            if delivery.run not in known:
                delivery.run = run

    def settle(self, key: Key) -> None:
        """The plan with the alerts last taken was written."""
        for delivery in self._taken.pop(key, ()):
            if delivery in self._waiting.get(key, ()):
                self._waiting[key].remove(delivery)
            if not delivery.done.done():
                delivery.done.set_result(None)
        if not self._waiting.get(key):
            self._waiting.pop(key, None)
