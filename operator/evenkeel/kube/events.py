"""Kubernetes Events (core/v1), sent after the writes they tell of."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from evenkeel.api.base import API_VERSION
from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.store import Key
from evenkeel.meta.names import digest
from evenkeel.meta.objects import Event
from evenkeel.meta.resources import EVENT
from evenkeel.meta.times import timestamp

log = logging.getLogger(__name__)


BACKLOG = 2000
PAUSE = 0.05
PATIENCE = 5.0
"""Seconds that Events wait while reconciles are queued: what counts is written first."""


class Recorder:
    """Sends Events one after the other, beside the reconciles and never in their way.

    An Event is news, never a record: a failure is logged only, and of a long backlog the oldest
    is dropped.
    """

    def __init__(self, client: Client, busy: Callable[[], bool]) -> None:
        self._client = client
        self._busy = busy
        self._backlog: deque[tuple[EventTarget, dict[str, Any]]] = deque(maxlen=BACKLOG)
        self._wake = asyncio.Event()

    def record(self, key: Key, owner: dict[str, Any], events: tuple[Event, ...]) -> None:
        """Queues the events of one object."""
        now = datetime.now(UTC)
        namespace = key.namespace or "default"
        for event in events:
            body = _body(key, owner["metadata"]["uid"], namespace, event, now)
            self._backlog.append((EventTarget(namespace, key), body))
        self._wake.set()

    async def run(self) -> None:
        """Sends until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            patience = PATIENCE
            while self._busy() and patience > 0:
                patience -= PAUSE
                await asyncio.sleep(PAUSE)
            await self.flush()

    async def flush(self) -> None:
        """Sends what is queued."""
        while self._backlog:
            target, body = self._backlog.popleft()
            try:
                await self._client.create(EVENT, target.namespace, body)
            except ApiError as error:
                log.warning("event %s on %s: %s", body["reason"], target.key, error)


class EventTarget(NamedTuple):
    """Where an Event goes and what it is about."""

    namespace: str
    key: Key


def _body(key: Key, uid: str, namespace: str, event: Event, now: datetime) -> dict[str, Any]:
    name = f"{key.name}.{digest(uid, event.reason, event.message, str(now))}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name[:253], "namespace": namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": key.kind,
            "namespace": key.namespace,
            "name": key.name,
            "uid": uid,
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:1000],
        "firstTimestamp": timestamp(now),
        "lastTimestamp": timestamp(now),
        "count": 1,
        "source": {"component": "evenkeel"},
        "reportingComponent": "evenkeel.dev/operator",
    }
