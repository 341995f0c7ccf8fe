"""Kubernetes Events (core/v1), sent after the writes they tell of."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.events_correlator import EventsCorrelator, Occurrence, Report
from evenkeel.meta.objects import Event, Key
from evenkeel.meta.resources import EVENT, ResourceType
from evenkeel.meta.times import timestamp

log = logging.getLogger(__name__)

JSON = dict[str, Any]

BACKLOG = 256
"""Events that wait; in a burst of thousands the status of each object tells what happened to it."""
PAUSE = 0.05
PATIENCE = 5.0
"""Seconds that Events wait while reconciles are queued: what counts is written first."""


class EventSource(NamedTuple):
    """Who tells: `source.component` and the qualified `reportingComponent` of an Event."""

    component: str
    controller: str


class Recorder:
    """Sends Events one after the other, beside the reconciles and never in their way.

    An Event is news, never a record: a failure is logged only, and of a long backlog the oldest
    is dropped, warnings last. Repeated ones count on in one object (EventsCorrelator).
    """

    def __init__(
        self,
        client: Client,
        types: Mapping[str, ResourceType],
        source: EventSource,
        busy: Callable[[], bool],
    ) -> None:
        self._client = client
        self._types = types
        self._source = source
        self._busy = busy
        self._correlator = EventsCorrelator()
        self._backlog: deque[tuple[Occurrence, datetime]] = deque()
        self._wake = asyncio.Event()

    def record(self, key: Key, owner: JSON, events: tuple[Event, ...]) -> None:
        """Queues the events of one object."""
        now = datetime.now(UTC)
        uid = owner["metadata"]["uid"]
        for event in events:
            self._backlog.append((Occurrence(self._source.component, key, uid, *event), now))
        while len(self._backlog) > BACKLOG:
            self._drop()
        self._wake.set()

    def _drop(self) -> None:
        plain = (n for n, (one, _) in enumerate(self._backlog) if one.type == "Normal")
        place = next(plain, 0)
        dropped = self._backlog[place][0]
        del self._backlog[place]
        log.debug("event %s on %s: too many wait", dropped.reason, dropped.regarding)

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
            happened, moment = self._backlog.popleft()
            try:
                await self._report(happened, moment)
            except ApiError as error:
                if error.reason == "AlreadyExists":
                    continue  # It was made, and the answer got lost.
                log.warning("event %s on %s: %s", happened.reason, happened.regarding, error)
            except Exception:
                # News must not end the process, whatever it says.
                log.exception("event %s on %s", happened.reason, happened.regarding)

    async def _report(self, happened: Occurrence, moment: datetime) -> None:
        report = self._correlator.report(happened, moment)
        if report is None:
            log.debug("event %s on %s: too many", happened.reason, happened.regarding)
        else:
            await self._send(happened, report)

    async def _send(self, happened: Occurrence, report: Report) -> None:
        namespace = happened.regarding.namespace or "default"
        if report.known:
            change = {
                "count": report.count,
                "lastTimestamp": timestamp(report.last),
                "message": report.message,
            }
            try:
                await self._client.merge(EVENT, namespace, report.name, change)
                return
            except ApiError as error:
                # The API server drops Events after an hour; and the first may have been refused.
                if error.status != 404:
                    raise
        await self._client.create(EVENT, namespace, self._body(happened, report, namespace))

    def _body(self, happened: Occurrence, report: Report, namespace: str) -> JSON:
        key = happened.regarding
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"name": report.name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": self._types[key.kind].api_version,
                "kind": key.kind,
                "namespace": key.namespace,
                "name": key.name,
                "uid": happened.uid,
            },
            "type": happened.type,
            "reason": happened.reason,
            "message": report.message,
            "firstTimestamp": timestamp(report.first),
            "lastTimestamp": timestamp(report.last),
            "count": report.count,
            "source": {"component": self._source.component},
            "reportingComponent": self._source.controller,
        }
