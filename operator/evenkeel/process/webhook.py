"""Alertmanager's webhook (payload version 4) with a bearer token.

Answers 200 only when every matching schedule has written its run or its count; otherwise 503,
so that Alertmanager sends again.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from itertools import islice
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from evenkeel.api import RetrainSchedule
from evenkeel.api.cause import Alert
from evenkeel.controllers.inbox import Inbox
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.process import metrics
from evenkeel.retraining.triggers import MatchedAlert, first_match

log = logging.getLogger(__name__)

PATH = "/alertmanager/v4"
MAX_BODY = 64 * 2**20
PATIENCE = 8.0
"""Seconds within which the cause must be durable; Alertmanager itself waits 10 s by default."""


class _Payload(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Alert(_Payload):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: str
    fingerprint: str
    generator_url: str = Field(default="", alias="generatorURL")


class Notification(_Payload):
    """The part of Alertmanager's payload that is read."""

    version: Literal["4"]
    alerts: list[_Alert]
    truncated_alerts: int = 0


class Webhook:
    """The HTTP application. `leads` says whether this process may write."""

    def __init__(
        self,
        store: Store,
        inbox: Inbox,
        notify: Callable[[Key], None],
        leads: Callable[[], bool],
        token: Callable[[], str],
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._notify = notify
        self._leads = leads
        self._token = token

    def application(self) -> web.Application:
        """The aiohttp application with the webhook's route."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post(PATH, self._receive)
        return app

    async def _receive(self, request: web.Request) -> web.Response:
        token = self._token()
        given = request.headers.get("Authorization", "")
        if token and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            metrics.WEBHOOK_ALERTS.labels("unauthorized").inc()
            return _answer(401, "the bearer token is missing or wrong")
        if not self._leads():
            return _busy("this replica does not lead; send again")
        try:
            notification = Notification.model_validate_json(await request.read())
        except ValidationError as error:
            metrics.WEBHOOK_ALERTS.labels("malformed").inc()
            fault = error.errors(include_url=False)[0]
            found = ": ".join(filter(None, (".".join(map(str, fault["loc"])), fault["msg"])))
            return _answer(400, f"not an Alertmanager v4 notification: {found}")
        if notification.truncated_alerts:
            log.warning(
                "Alertmanager left out %d alerts; set max_alerts to 0 to have them counted",
                notification.truncated_alerts,
            )
        return await self._deliver(notification)

    async def _deliver(self, notification: Notification) -> web.Response:
        matched, unmatched = self._match(notification)
        deliveries = []
        for key, alerts in matched.items():
            deliveries.append((key, self._inbox.put(key, tuple(alerts))))
            self._notify(key)
        count = sum(len(a) for a in matched.values())
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(d.done for _, d in deliveries))
        except TimeoutError:
            for key, delivery in deliveries:
                self._inbox.withdraw(key, delivery)
            metrics.WEBHOOK_ALERTS.labels("refused").inc(count)
            return _busy("the cause could not be written in time; send again")
        metrics.WEBHOOK_ALERTS.labels("accepted").inc(count)
        metrics.WEBHOOK_ALERTS.labels("unmatched").inc(unmatched)
        return web.json_response({"received": len(notification.alerts), "matched": count})

    def _match(self, notification: Notification) -> tuple[dict[Key, list[MatchedAlert]], int]:
        """Firing alerts by schedule, and how many alerts concern none."""
        schedules = [
            self._store.parse(RetrainSchedule, o) for o in self._store.all("RetrainSchedule")
        ]
        matched: dict[Key, list[MatchedAlert]] = {}
        unmatched = 0
        for alert in notification.alerts:
            concerned = False
            for schedule in schedules if alert.status == "firing" else ():
                trigger = first_match(schedule.spec.triggers, alert.labels)
                if trigger is None:
                    continue
                concerned = True
                meta = schedule.metadata
                key = Key("RetrainSchedule", meta.namespace, meta.name)
                matched.setdefault(key, []).append(MatchedAlert(trigger, _short(alert)))
            unmatched += not concerned
        return matched, unmatched


def _short(alert: _Alert) -> Alert:
    # Cut to what the API keeps: Prometheus' labels have no limits.
    return Alert(
        fingerprint=alert.fingerprint[:64],
        starts_at=alert.starts_at[:64],
        labels={k: v[:1024] for k, v in islice(alert.labels.items(), 64)},
        summary=alert.annotations.get("summary", "")[:1024],
        generator_url=alert.generator_url[:2048],
    )


def _answer(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)


def _busy(message: str) -> web.Response:
    # Closing lets the next attempt reach another replica.
    response = web.json_response(
        {"error": message}, status=503, headers={"Retry-After": "1", "Connection": "close"}
    )
    response.force_close()
    return response
