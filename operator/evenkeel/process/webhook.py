"""The webhooks of triggers with a receiver: one path for all namespaces, and one for each.

Answers 200 once every matching schedule that can be written has written its run or its count. One
whose writes the API server refuses keeps its alerts and goes on trying; only if there is no other,
or if something could not be written in time, the answer is 503 and the sender sends again. What is
sent again counts once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aiohttp import web

from evenkeel.api import RetrainSchedule
from evenkeel.controllers.inbox import Delivery, Inbox
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Event, Key
from evenkeel.process import metrics, request_body
from evenkeel.process.senders import Senders
from evenkeel.retraining import triggers
from evenkeel.retraining.addressing import Addressed, Recipient, Request, Specs, address
from evenkeel.retraining.tenancy import Grants
from evenkeel.retraining.triggers.kind import Batch, MalformedBody, Message, Receiver, TriggerKind

log = logging.getLogger(__name__)

LARGE = 2**20
"""Bytes; a tenant's bodies above, or of unknown size, are read and sorted one after the other."""
PATIENCE = 8.0
"""Seconds within which the cause must be durable; Alertmanager itself waits 10 s by default."""
TOLD = 20
"""Schedules that are told of alerts without a namespace, of one request."""
NO_NAMESPACE = (
    ", use the path {path}/NAMESPACE, or have the platform team grant them (webhook.grants)"
)

JSON = dict[str, Any]
Kind = TriggerKind[Any, Any]
NO_GRANTS = Grants()


class Webhook:
    """The HTTP application.

    leads: whether this process may write. label: which names the namespace of an alert. tell: of an
    Event about a schedule. schedules: the model as which schedules are read.
    """

    def __init__(
        self,
        store: Store,
        inbox: Inbox,
        notify: Callable[[Key], None],
        leads: Callable[[], bool],
        senders: Senders,
        *,
        label: str = "namespace",
        grants: Grants = NO_GRANTS,
        tell: Callable[[Key, Event], None] = lambda key, event: None,
        schedules: type[RetrainSchedule] = RetrainSchedule,
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._notify = notify
        self._leads = leads
        self._senders = senders
        self._label = label
        self._grants = grants
        self._tell = tell
        self._specs = _SpecsOfSchedules(schedules)
        self._turns: dict[str, _Turns] = defaultdict(_Turns)
        self._complained = float("-inf")

    def application(self) -> web.Application:
        """The aiohttp application with the routes of each kind of trigger that receives."""
        app = web.Application()
        for kind in triggers.TRIGGERS:
            if kind.receiver is not None:
                receive = partial(self._receive, kind, kind.receiver)
                permit = partial(self._permit, kind.receiver)
                for base in kind.receiver.paths:
                    for path in (base, f"{base}/{{namespace}}"):
                        app.router.add_post(path, receive)
                        if kind.receiver.permission is not None:
                            app.router.add_options(path, permit)
        return app

    async def _permit(self, receiver: Receiver[Any, Any], request: web.Request) -> web.Response:
        """Whether who asks may send; any replica answers."""
        if (refused := await self._refused(request)) is not None:
            return refused
        assert receiver.permission is not None
        try:
            return web.Response(headers=receiver.permission(_headers(request)))
        except MalformedBody as fault:
            return _answer(400, str(fault))

    async def _refused(self, request: web.Request) -> web.Response | None:
        """The answer to a request without the token of its path."""
        namespace = request.match_info.get("namespace", "")
        if await self._senders.admits(request.headers.get("Authorization", ""), namespace):
            return None
        metrics.WEBHOOK_ALERTS.labels("unauthorized").inc()
        return _answer(401, "the bearer token is missing or wrong")

    async def _receive(
        self, kind: Kind, receiver: Receiver[Any, Any], request: web.Request
    ) -> web.Response:
        if (unauthorized := await self._refused(request)) is not None:
            return unauthorized
        if not self._leads():
            return _busy("this replica does not lead; send again")
        namespace = request.match_info.get("namespace", "")
        about = Request(namespace, self._label, self._grants, datetime.now(UTC))
        turn = self._turns[self._senders.tenant(namespace)].of(request)
        try:
            async with turn:
                batch, addressed = await self._sorted(kind, receiver, about, request)
        except MalformedBody as fault:
            metrics.WEBHOOK_ALERTS.labels("malformed").inc()
            return _answer(400, str(fault))
        except TimeoutError:
            return _answer(408, request_body.LATE)
        except web.HTTPRequestEntityTooLarge:
            metrics.WEBHOOK_ALERTS.labels("malformed").inc()
            size = f"more than {receiver.most >> 20} MiB"
            log.warning("%s of %ss were refused", size, receiver.noun)
            return _answer(413, f"{size}; {receiver.smaller}")
        if batch.warning:
            log.warning("%s", batch.warning)
        self._complain(receiver, addressed)
        return await self._deliver(receiver, batch, addressed)

    async def _sorted(
        self, kind: Kind, receiver: Receiver[Any, Any], about: Request, request: web.Request
    ) -> tuple[Batch[Any], Addressed]:
        """The batch by schedules; read and sorted in a thread, so that the loop goes on."""
        body = await request_body.read(request, receiver.most)
        headers = _headers(request)
        recipients = [
            Recipient(
                o["metadata"]["namespace"], o["metadata"]["name"], partial(self._specs, kind, o)
            )
            for o in self._store.all(RetrainSchedule.kind)
        ]

        def work() -> tuple[Batch[Any], Addressed]:
            nonlocal body
            batch = receiver.read(Message(body, headers))
            body = b""
            addressed = address(kind, batch, recipients, about)
            events, batch = list(batch.events), batch._replace(events=())
            while events:
                # Freed as a whole, a storm would keep the loop waiting.
                del events[-256:]
            return batch, addressed

        return await asyncio.to_thread(work)

    async def _deliver(
        self, receiver: Receiver[Any, Any], batch: Batch[Any], addressed: Addressed
    ) -> web.Response:
        deliveries = []
        for (namespace, name), sent in addressed.sent.items():
            key = Key(RetrainSchedule.kind, namespace, name)
            deliveries.append(self._inbox.put(key, sent))
            self._notify(key)
        futures = [d.written for d in deliveries]
        if futures:
            await asyncio.wait(futures, timeout=PATIENCE)
        written = _alerts(d for d in deliveries if d.written.done() and d.written.result())
        refused = _alerts(d for d in deliveries if d.written.done() and not d.written.result())
        late = _alerts(d for d in deliveries if not d.written.done())
        metrics.WEBHOOK_ALERTS.labels("accepted").inc(written)
        metrics.WEBHOOK_ALERTS.labels("refused").inc(refused + late)
        if late:
            return _busy("the cause could not be written in time; send again")
        if any(d.outdated for d in deliveries):
            return _busy("a trigger that it matched was removed or changed meanwhile; send again")
        if refused and not written:
            return _busy("the API server refuses the writes of every matching schedule; send again")
        if any(_once(d) for d in deliveries if not d.written.result()):
            return _busy("the API server refuses the writes of a matching schedule; send again")
        unmatched = batch.received - addressed.matched - addressed.nobodys
        metrics.WEBHOOK_ALERTS.labels("unmatched").inc(unmatched)
        metrics.WEBHOOK_ALERTS.labels("without_namespace").inc(addressed.nobodys)
        answer: JSON = {"received": batch.received, "matched": written + refused}
        if refused:
            waiting = f"{refused} {receiver.noun}s wait for schedules whose writes are refused"
            log.warning("%s", waiting)
            answer["refused"] = refused
        if addressed.nobodys:
            answer["withoutNamespace"] = addressed.nobodys
            answer["message"] = self._no_namespace(receiver)
        return web.Response(status=204) if receiver.silent else web.json_response(answer)

    def _no_namespace(self, receiver: Receiver[Any, Any]) -> str:
        told = receiver.owner.format(label=self._label)
        return told + NO_NAMESPACE.format(path=receiver.paths[0])

    def _complain(self, receiver: Receiver[Any, Any], addressed: Addressed) -> None:
        """Of alerts that belong to nobody: in the log, and to the schedules that look for them."""
        if not addressed.nobodys:
            return
        said = self._no_namespace(receiver)
        now = time.monotonic()
        if now >= self._complained:
            self._complained = now + 60.0
            log.warning("%d %ss concern nobody: %s", addressed.nobodys, receiver.noun, said)
        for (namespace, name), trigger in list(addressed.withheld.items())[:TOLD]:
            self._tell(
                Key(RetrainSchedule.kind, namespace, name),
                Event(
                    "Warning",
                    f"{receiver.noun.capitalize()}WithoutNamespace",
                    f"one {receiver.noun} that trigger {trigger} matches was not taken: {said}",
                ),
            )


class _Turns:
    """How many bodies of a tenant are in hand at once: who sends slowly holds up no other."""

    def __init__(self) -> None:
        self._large = asyncio.Semaphore(1)
        self._small = asyncio.Semaphore(16)

    def of(self, request: web.Request) -> asyncio.Semaphore:
        """The queue of the request."""
        length = request.content_length
        return self._small if length is not None and length <= LARGE else self._large


class _SpecsOfSchedules:
    """The triggers of schedules, parsed once for each change of a spec."""

    def __init__(self, model: type[RetrainSchedule]) -> None:
        self._model = model
        self._known: dict[str, tuple[object, RetrainSchedule]] = {}

    def __call__(self, kind: Kind, obj: JSON) -> Specs:
        """Called from threads; the worst of a race is to parse twice."""
        meta = obj["metadata"]
        of = meta.get("generation") or meta["resourceVersion"]
        known = self._known.get(meta["uid"])
        if known is None or known[0] != of:
            if len(self._known) > 2**16:
                self._known.clear()
            known = self._known[meta["uid"]] = (of, self._model.model_validate(obj))
        return kind.specs(known[1].spec.triggers)


def _headers(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _once(delivery: Delivery) -> bool:
    """Whether it has what its senders tell once, unless they are told to send it again."""
    return any(not told.record.repeats for told in delivery.sent.alerts)


def _alerts(deliveries: Iterable[Delivery]) -> int:
    return sum(len(d.sent.alerts) for d in deliveries)


def _answer(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)


def _busy(message: str) -> web.Response:
    # Closing lets the next attempt reach another replica.
    response = web.json_response(
        {"error": message}, status=503, headers={"Retry-After": "1", "Connection": "close"}
    )
    response.force_close()
    return response
