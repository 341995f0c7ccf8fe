"""The operator as a whole: caches, leadership, workers and servers, started and stopped."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import time
from collections.abc import Callable, Coroutine
from functools import partial

from aiohttp import web

from evenkeel.adapters import Adapters
from evenkeel.adapters.address import Allowed
from evenkeel.adapters.prometheus import Prometheus
from evenkeel.adapters.web import Web
from evenkeel.controllers.access import Accesses
from evenkeel.controllers.identity import EVENT_SOURCE, MARKS
from evenkeel.controllers.inbox import Inbox
from evenkeel.controllers.kind import Context
from evenkeel.controllers.kinds import (
    KINDS,
    by_name,
    concerned,
    indexed,
    indices,
    kept,
    slims,
    types,
    watches,
)
from evenkeel.controllers.looks.looks import Looked, Looks
from evenkeel.controllers.looks.processes import processes
from evenkeel.controllers.polls.access import SourceAccesses
from evenkeel.controllers.polls.polls import Polled, Polls
from evenkeel.controllers.polls.window_access import WindowAccesses
from evenkeel.kube.by_name import ByName
from evenkeel.kube.client import Client
from evenkeel.kube.controller import Controller, Reconcile
from evenkeel.kube.elector import Elector
from evenkeel.kube.lease import Lease
from evenkeel.kube.ownership import Ownership
from evenkeel.kube.queue import Priority
from evenkeel.kube.store import Store
from evenkeel.kube.watcher import Fellows, Watcher
from evenkeel.meta.objects import Event, Key
from evenkeel.meta.plan import Plan
from evenkeel.process import metrics
from evenkeel.process.approval_policy import ApprovalPolicy
from evenkeel.process.health import Health, exposition, health, judged
from evenkeel.process.hints import Hints
from evenkeel.process.own_access import own_access
from evenkeel.process.senders import Senders
from evenkeel.process.settings import Settings, variable
from evenkeel.process.webhook import Webhook
from evenkeel.retraining.tenancy import Grants, owners
from evenkeel.serving.pod_template import PodSettings

log = logging.getLogger(__name__)

LEASE_NAME = "evenkeel"
GRACE = 10.0
"""Seconds that reconciles in hand have to end after SIGTERM; killing them would lose nothing."""
SERVERS_GRACE = 5.0
"""Seconds that requests in hand have to be answered, before that."""
FAREWELL = 3.0
"""Seconds for the last Events, and again for giving up the Lease, which expires otherwise."""


class StartError(Exception):
    """The operator cannot start; the message, one line, says what to do."""


class Operator:
    """Runs until `stop`, or until leadership is lost (`on_lost` is called then)."""

    def __init__(self, client: Client, settings: Settings, on_lost: Callable[[], None]) -> None:
        self.client = client
        self._settings = settings
        self._on_lost = on_lost
        self._store = Store(
            indexed=indexed(),
            indices=indices(),
            kept=kept(),
            slims=slims(),
            manager=client.field_manager,
            annotations=(MARKS.applied, MARKS.adopt),
        )
        ownership = Ownership(client, self._store, types(), MARKS)
        self._inbox = Inbox()
        self._by_name = ByName(client, time.monotonic)
        loopback = settings.in_pod()
        self._adapters = Adapters(Prometheus(loopback=loopback), Web(loopback=loopback))
        self._looks = Looks(self._looked_at(client, settings))
        self._polls = Polls(self._polled(settings))
        context = Context(
            client,
            self._store,
            self._inbox,
            self._adapters,
            PodSettings(
                storage_initializer_image=settings.storage_initializer_image,
                warm_up_image=settings.warm_up_image,
                meter_image=settings.meter_image,
            ),
            self._looks,
            ownership,
            self._polls,
            frozenset(settings.integrations),
            data_image=settings.data_image,
        )
        reconciles: dict[str, Reconcile] = {
            k.name: partial(k.reconcile, context) for k in KINDS if k.reconcile
        }
        concerns = partial(concerned, by_name(), self._store)
        self._controller = Controller(
            client,
            self._store,
            reconciles,
            concerns,
            self._durable,
            types=types(),
            ownership=ownership,
            source=EVENT_SOURCE,
            metrics=metrics.LOOP,
            undurable=self._undurable,
            leads=self._may_write,
        )
        self._watchers = self._make_watchers()
        self._policy = ApprovalPolicy(client, settings.approval_policy)
        self._elector = Elector(
            lambda: Client(client.configuration, field_manager=client.field_manager),
            lambda own: Lease(own, settings.namespace, LEASE_NAME, settings.identity),
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._runners: list[web.AppRunner] = []
        self._leads = False
        self._leads_since = 0.0
        self._workers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.lost = False

    def _looked_at(self, client: Client, settings: Settings) -> Looked:
        """How looks at Prometheus are taken, and whom they are told."""
        return Looked(
            self._adapters.prometheus.ask,
            self._prometheus_access(settings).of,
            partial(processes, self._store),
            lambda key, uid: (
                (o := self._store.get(key)) is not None and o["metadata"]["uid"] == uid
            ),
            lambda key, urgent: self._controller.queue.add(
                key, Priority.CHANGE if urgent else Priority.RESYNC
            ),
        )

    def _prometheus_access(self, settings: Settings) -> Accesses:
        return Accesses(
            self._by_name,
            partial(own_access, settings),
            Allowed.parse(settings.prometheus_allowed),
            time.monotonic,
        )

    def _polled(self, settings: Settings) -> Polled:
        """How outside systems are asked, and whom their answers are told."""
        sources = SourceAccesses(self._by_name, Allowed.parse(settings.sources_allowed))
        return Polled(
            self._adapters.asks(),
            WindowAccesses(self._prometheus_access(settings).of, sources.of).of,
            lambda key: self._store.get(key) is not None,
            lambda key: self._controller.queue.add(key),
        )

    def _make_watchers(self) -> list[Watcher]:
        namespaces = self._settings.watch_namespaces or ("",)
        wanted = [watch for watch in watches() if watch.wanted(self._settings.integrations)]
        fellows = {watch.type: Fellows() for watch in wanted}
        return [
            Watcher(
                self.client,
                self._store,
                watch.type,
                self._controller.changed,
                selector=watch.selector,
                namespace=namespace,
                optional=watch.optional or bool(watch.integrations),
                asked_for=bool(watch.integrations),
                fellows=fellows[watch.type],
            )
            for watch in wanted
            for namespace in (namespaces if watch.type.namespaced else ("",))
        ]

    async def start(self) -> None:
        """Starts servers and watches; workers follow once this process leads.

        Does not wait for the API server. Raises StartError, and nothing runs then.
        """
        settings = self._settings
        webhook = Webhook(
            self._store,
            self._inbox,
            lambda key: self._controller.queue.add(key),
            lambda: self._leads,
            Senders(
                lambda: settings.read_token(settings.webhook_token_file),
                owners(settings.webhook_secrets),
                self._by_name,
            ),
            label=settings.webhook_namespace_label,
            grants=Grants.parse(settings.webhook_grants),
            tell=self._tell,
        )
        try:
            app = webhook.application()
            Hints(self._store, self._by_name, self._polls.hint, lambda: self._leads).add_to(app)
            await self._serve(app, "webhook_port")
            await self._serve(health(self.health), "http_port")
            await self._serve(exposition(self._refresh), "metrics_port")
        except BaseException:
            await self.stop()
            raise
        self._spawn(*(w.run() for w in self._watchers))
        self._spawn(self._controller.recorder.run(), self._policy.run(), self._lead())

    async def stop(self) -> None:
        """Stops taking work, lets what is in hand end, and gives leadership up.

        Takes no longer than the sum of the times above, whatever hangs.
        """
        self._leads = False
        self._stopping = True
        # Whatever one of them meets, what follows matters more.
        await asyncio.gather(*(r.cleanup() for r in self._runners), return_exceptions=True)
        if await self._controller.queue.drained(GRACE) and not self.lost:
            await _within(FAREWELL, self._controller.recorder.flush(), "the last Events")
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FAREWELL)
        await _within(FAREWELL, self._elector.release(), "giving up the Lease, which will expire,")
        await self._adapters.close()
        await self.client.close()

    async def _lead(self) -> None:
        await asyncio.gather(*(w.synced.wait() for w in self._watchers))
        log.info("caches are filled")
        # What they hold has no cycles, and a look at all of it would stop the loop for a second.
        gc.freeze()
        if self._settings.leader_election:
            await self._elector.acquire()
        self._leads = True
        self._leads_since = time.monotonic()
        self._controller.started = True
        self._workers = self._spawn(
            self._looks.run(),
            self._polls.run(),
            *(self._controller.work() for _ in range(self._settings.workers)),
        )
        if self._settings.leader_election:
            await self._elector.lost()
            self._resign()

    def _resign(self) -> None:
        # Half-done work must not go on beside the new leader's: the process ends.
        self._leads = False
        for worker in self._workers:
            worker.cancel()
        ends = self.lost or self._stopping
        self.lost = True
        if not ends:
            self._on_lost()

    def _spawn(self, *coroutines: object) -> list[asyncio.Task[None]]:
        started = len(self._tasks)
        for coroutine in coroutines:
            task: asyncio.Task[None] = asyncio.create_task(coroutine)  # type: ignore[arg-type]
            task.add_done_callback(self._watch_over)
            self._tasks.append(task)
        return self._tasks[started:]

    def _watch_over(self, task: asyncio.Task[None]) -> None:
        # Above all the lease's: a leader that has stopped renewing must not go on.
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("the process ends after an unforeseen error", exc_info=error)
            self._resign()

    async def _serve(self, app: web.Application, setting: str) -> None:
        port = getattr(self._settings, setting)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SERVERS_GRACE)
        self._runners.append(runner)
        await runner.setup()
        try:
            await web.TCPSite(runner, port=port).start()
        except OSError as error:
            why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error}"
            raise StartError(
                f"port {port} {why}; end what holds it, or set {variable(setting)} to another port"
            ) from error

    def _may_write(self) -> bool:
        return self._elector.holds() if self._settings.leader_election else True

    def health(self) -> Health:
        """How the process is now."""
        stalled = self._since_it_leads(self._controller.queue.stalled_seconds())
        return judged(stalled, self._watchers, self._elector.diagnosis, (self._policy.missing,))

    def _since_it_leads(self, seconds: float) -> float:
        # A follower's queue only fills; it is alive as long as it answers. What has waited for
        # the take-over has not waited for this process.
        return min(time.monotonic() - self._leads_since, seconds) if self._leads else 0.0

    def _refresh(self) -> None:
        metrics.LOOP.queue_depth.set(self._controller.queue.depth())
        oldest = self._controller.queue.oldest_seconds()
        metrics.LOOP.queue_oldest.set(self._since_it_leads(oldest))
        metrics.LEADER.set(int(self._leads))
        metrics.refresh(self._store)

    def _durable(self, key: Key, plan: Plan) -> None:
        self._inbox.settle(key)
        metrics.count(plan)

    def _undurable(self, key: Key) -> None:
        (self._inbox.refuse if self._store.get(key) else self._inbox.drop)(key)

    def _tell(self, key: Key, event: Event) -> None:
        if (obj := self._store.get(key)) is not None:
            self._controller.recorder.record(key, obj, (event,))


async def _within(seconds: float, work: Coroutine[None, None, None], what: str) -> None:
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        log.warning("%s took too long", what)
