"""Alerts that wait for their schedule's next reconcile: one write answers all that came in.

The webhook's answer waits until the cause is durable (a group commit), so that the sender sends
again whatever was not written.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from evenkeel.meta.objects import Key
from evenkeel.retraining.addressing import Sent
from evenkeel.retraining.triggers import Matched

WAITING = 50_000
"""Alerts that may wait for one schedule; more are for their sender to send again."""


@dataclass(eq=False, slots=True)
class Delivery:
    """The alerts of one request for one schedule.

    written: True once they are durable; False if the API server refuses the schedule's writes.
    Until they are durable they stay, and the same alerts sent again join them. outdated: a trigger
    that they matched is none any more; sent again, they are matched with those that there are.
    """

    sent: Sent
    written: asyncio.Future[bool]
    outdated: bool = False


class Inbox:
    """Deliveries by schedule."""

    def __init__(self) -> None:
        self._waiting: dict[Key, dict[str, Delivery]] = defaultdict(dict)
        self._taken: dict[Key, tuple[str, ...]] = {}
        self._refused: set[Key] = set()

    def put(self, key: Key, sent: Sent) -> Delivery:
        """Adds a delivery; the caller queues the key and awaits `written`."""
        new = Delivery(sent, asyncio.get_running_loop().create_future())
        waiting = self._waiting[key]
        held = sum(len(d.sent.alerts) for d in waiting.values())
        if waiting and held + len(sent.alerts) > WAITING:
            new.written.set_result(False)
            return waiting.get(sent.digest, new)
        known = waiting.setdefault(sent.digest, new)
        if known is not new and known.written.done():
            known.written = new.written
        if key in self._refused and not known.written.done():
            # Its own retries go on; nobody has to wait for them.
            known.written.set_result(False)
        return known

    def take(
        self, key: Key, stands: Callable[[Matched], bool] = lambda told: True
    ) -> tuple[Matched, ...]:
        """All that waits, for one plan. It stays here until `settle`, should the plan fail.

        stands: whether the trigger that was matched is still there; what matched another is not
        taken, and its sender is told to send it again.
        """
        waiting = self._waiting.get(key, {})
        for digest, delivery in [*waiting.items()]:
            if not all(map(stands, delivery.sent.alerts)):
                delivery.outdated = True
                _answer(waiting.pop(digest), False)
        self._taken[key] = tuple(waiting)
        return tuple(a for d in waiting.values() for a in d.sent.alerts)

    def settle(self, key: Key) -> None:
        """The plan with the alerts last taken was written."""
        self._refused.discard(key)
        for digest in self._taken.pop(key, ()):
            _answer(self._waiting[key].pop(digest, None), True)
        if not self._waiting.get(key):
            self._waiting.pop(key, None)

    def refuse(self, key: Key) -> None:
        """The schedule's writes are refused: its alerts wait for its next attempt, unanswered."""
        for digest in self._taken.get(key, ()):
            self._refused.add(key)
            _answer(self._waiting[key].get(digest), False)

    def drop(self, key: Key) -> None:
        """The schedule is gone, and nobody has to hear of its alerts any more."""
        self._taken.pop(key, None)
        self._refused.discard(key)
        for delivery in self._waiting.pop(key, {}).values():
            _answer(delivery, True)


def _answer(delivery: Delivery | None, written: bool) -> None:
    if delivery is not None and not delivery.written.done():
        delivery.written.set_result(written)
