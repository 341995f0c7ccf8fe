"""The webhooks of triggers with a receiver, behind one bearer token.

Answers 200 only when every matching schedule has written its run or its count; otherwise 503,
so that the sender, such as Alertmanager, sends again.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from aiohttp import web

from evenkeel.api import RetrainSchedule
from evenkeel.controllers.inbox import Inbox
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.process import metrics
from evenkeel.retraining import triggers
from evenkeel.retraining.triggers import MatchedAlert
from evenkeel.retraining.triggers.kind import Batch, MalformedBody, Receiver, TriggerKind

log = logging.getLogger(__name__)

MAX_BODY = 64 * 2**20
PATIENCE = 8.0
"""Seconds within which the cause must be durable; Alertmanager itself waits 10 s by default."""

Kind = TriggerKind[Any, Any]


class _Match(NamedTuple):
    """What a batch means to schedules, and how many of its events concern one at least."""

    alerts: dict[Key, list[MatchedAlert]]
    events: int


class Webhook:
    """The HTTP application.

    leads: whether this process may write. schedules: the model as which schedules are read.
    """

    def __init__(
        self,
        store: Store,
        inbox: Inbox,
        notify: Callable[[Key], None],
        leads: Callable[[], bool],
        token: Callable[[], str],
        schedules: type[RetrainSchedule] = RetrainSchedule,
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._notify = notify
        self._leads = leads
        self._token = token
        self._schedules = schedules

    def application(self) -> web.Application:
        """The aiohttp application with a route for each kind of trigger that receives."""
        app = web.Application(client_max_size=MAX_BODY)
        for kind in triggers.TRIGGERS:
            if kind.receiver is not None:
                receive = partial(self._receive, kind, kind.receiver)
                app.router.add_post(kind.receiver.path, receive)
        return app

    async def _receive(
        self, kind: Kind, receiver: Receiver[Any, Any], request: web.Request
    ) -> web.Response:
        token = self._token()
        given = request.headers.get("Authorization", "")
        if token and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            metrics.WEBHOOK_ALERTS.labels("unauthorized").inc()
            return _answer(401, "the bearer token is missing or wrong")
        if not self._leads():
            return _busy("this replica does not lead; send again")
        try:
            batch = receiver.read(await request.read())
        except MalformedBody as fault:
            metrics.WEBHOOK_ALERTS.labels("malformed").inc()
            return _answer(400, str(fault))
        if batch.warning:
            log.warning("%s", batch.warning)
        return await self._deliver(batch, self._match(kind, receiver, batch))

    async def _deliver(self, batch: Batch[Any], match: _Match) -> web.Response:
        deliveries = []
        for key, alerts in match.alerts.items():
            deliveries.append((key, self._inbox.put(key, tuple(alerts))))
            self._notify(key)
        count = sum(len(a) for a in match.alerts.values())
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(d.done for _, d in deliveries))
        except TimeoutError:
            for key, delivery in deliveries:
                self._inbox.withdraw(key, delivery)
            metrics.WEBHOOK_ALERTS.labels("refused").inc(count)
            return _busy("the cause could not be written in time; send again")
        metrics.WEBHOOK_ALERTS.labels("accepted").inc(count)
        metrics.WEBHOOK_ALERTS.labels("unmatched").inc(batch.received - match.events)
        return web.json_response({"received": batch.received, "matched": count})

    def _match(self, kind: Kind, receiver: Receiver[Any, Any], batch: Batch[Any]) -> _Match:
        concerned = []
        for obj in self._store.all("RetrainSchedule"):
            schedule = self._store.parse(self._schedules, obj)
            meta = schedule.metadata
            if specs := kind.specs(schedule.spec.triggers):
                concerned.append((Key("RetrainSchedule", meta.namespace, meta.name), specs))
        found: dict[Key, list[MatchedAlert]] = {}
        events = 0
        for event in batch.events:
            fired = False
            for key, specs in concerned:
                trigger = triggers.first_match(receiver, specs, event)
                if trigger is not None:
                    fired = True
                    found.setdefault(key, []).append(MatchedAlert(trigger, receiver.record(event)))
            events += fired
        return _Match(found, events)


def _answer(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)


def _busy(message: str) -> web.Response:
    # Closing lets the next attempt reach another replica.
    response = web.json_response(
        {"error": message}, status=503, headers={"Retry-After": "1", "Connection": "close"}
    )
    response.force_close()
    return response
