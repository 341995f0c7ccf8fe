"""Takes the looks that are due, and tells whom they concern.

Prometheus may be slow, hang or be hostile. It is asked here and never in a reconcile, so that it
delays nothing but what is known of its own canaries.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple, Protocol

from evenkeel.adapters.access import Access
from evenkeel.adapters.answer import Answer, PrometheusError, QueryRefused, TooLarge
from evenkeel.api.prometheus import Prometheus
from evenkeel.controllers.looks.pacing import Batch, Inquiry, Server
from evenkeel.controllers.looks.trial import Asking, News, Trial
from evenkeel.controllers.looks.wanted import Wanted
from evenkeel.meta.objects import Key
from evenkeel.verdict.judgement import Observations
from evenkeel.verdict.queries import Moment, by_part, joined, seen
from evenkeel.verdict.samples import Look, Unobserved

log = logging.getLogger(__name__)

TICK = 0.25
"""Seconds between two times at which it is looked what is due. What is due together is asked
together."""
ACCESS_FRESH = 5.0
"""Seconds until it is looked anew how a Prometheus is reached: Secrets change."""
AT_A_TIME = 20
"""Questions of an answer that are seen to before others have their turn."""


class Ask(Protocol):
    """Asks a Prometheus. Raises PrometheusError."""

    def __call__(self, access: Access, query: str, *, tenant: str = "") -> Awaitable[Answer]:
        """The instant vector that the query gives now."""


class Queue(Protocol):
    """Queues what has to be reconciled."""

    def __call__(self, key: Key, urgent: bool) -> None:
        """Queues the key."""


@dataclass(frozen=True, slots=True)
class Looked:
    """How looks are taken, and whom they are told.

    access: how a namespace's analysis reaches its Prometheus. pods: by name of a ModelDeployment's
    pods when their processes started, empty if unknown. exists: whether an object with that UID is
    there. wall: Unix seconds. clock: seconds that only grow.
    """

    ask: Ask
    access: Callable[[str, Prometheus], Awaitable[Access | Unobserved]]
    pods: Callable[[Key, tuple[str, str]], Mapping[str, float | None]]
    exists: Callable[[Key, str], bool]
    queue: Queue
    wall: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic


class Looks:
    """All trials that are looked at, kept in memory: a new leader goes on from their status."""

    def __init__(self, looked: Looked) -> None:
        self._looked = looked
        self._trials: dict[Key, Trial] = {}
        self._servers: dict[str, Server] = {}
        self._ids = _ids()
        self._ended = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def want(self, key: Key, wanted: Wanted | None) -> Observations:
        """What is known of the trial so far; it is looked at from now on. None: of no trial."""
        if wanted is None:
            self._trials.pop(key, None)
            return {}
        trial = self._trials.get(key)
        if trial is None or trial.wanted.trial != wanted.trial:
            trial = self._trials[key] = Trial(wanted)
        trial.want(wanted, self._ids, self._looked.clock(), self._looked.wall())
        return trial.seen()

    def divided(self, key: Key, share: float) -> None:
        """The canary's share of the requests is such from now on, from 0 to 1."""
        if (trial := self._trials.get(key)) is not None:
            now = self._looked.wall()
            trial.divided(share, now, now)

    async def run(self) -> None:
        """Takes looks until cancelled."""
        try:
            while True:
                self._ended.clear()
                try:
                    self.tick()
                except Exception:
                    log.exception("looks at Prometheus")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), TICK)
        finally:
            for task in self._tasks:
                task.cancel()

    def tick(self) -> None:
        """Begins all looks that are due."""
        now = self._looked.clock()
        due: dict[str, dict[Inquiry, Due]] = defaultdict(dict)
        for key, trial in list(self._trials.items()):
            if not self._looked.exists(key, trial.wanted.uid):
                del self._trials[key]
                continue
            if now >= trial.access_until and not trial.access_in_hand:
                trial.access_in_hand = True
                self._spawn(self._reach(trial))
            access = trial.access
            if isinstance(access, Access):
                for asking in trial.asking.values():
                    inquiry = asking.inquiry
                    if not inquiry.in_hand and inquiry.due <= now + TICK / 2:
                        inquiry.group = (access, inquiry.tenant)
                        due[access.url][inquiry] = Due(trial, asking, access)
        for url, inquiries in due.items():
            server = self._servers.setdefault(url, Server())
            for batch in server.batches(inquiries, now):
                self._spawn(self._look(server, batch, [inquiries[i] for i in batch.inquiries]))
        for url in [url for url, server in self._servers.items() if server.idle(now)]:
            del self._servers[url]

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reach(self, trial: Trial) -> None:
        """Learns how the trial's Prometheus is reached."""
        wanted = trial.wanted
        access: Access | Unobserved = INTERNAL
        try:
            access = await self._looked.access(wanted.key.namespace, wanted.analysis.prometheus)
        except Exception:
            log.exception("%s %s/%s: access to Prometheus", *wanted.key)
        finally:
            trial.access_in_hand = False
        trial.access = access
        trial.access_until = self._looked.clock() + ACCESS_FRESH
        if isinstance(access, Unobserved):
            for name in trial.asking:
                trial.take(name, access)
            self._tell(trial)

    async def _look(self, server: Server, batch: Batch, due: Sequence[Due]) -> None:
        """Asks, and takes what was answered to the tallies."""
        clock, began = self._looked.clock, self._looked.clock()
        access = due[0].access
        try:
            says = await self._answer(server, batch, access)
        except (QueryRefused, TooLarge) as error:
            if not server.refused(batch, clock()):
                return
            says = _nothing(Unobserved(error.reason, str(error)))
        except Exception as error:
            server.unanswered(batch, began)
            if isinstance(error, PrometheusError):
                says = _nothing(Unobserved(error.reason, str(error), unanswered=True))
            else:
                log.exception("a look at %s", access.url)
                says = _nothing(INTERNAL)
        else:
            server.answered(batch, began)
        await self._take(due, says)

    async def _answer(self, server: Server, batch: Batch, access: Access) -> Says:
        wall = self._looked.wall
        tenant = batch.inquiries[0].tenant
        asked = wall()
        try:
            answer = await self._looked.ask(access, joined(batch.texts), tenant=tenant)
        finally:
            server.ended(batch)
            if server.blocked:
                self._ended.set()
        ahead = 0.0 if answer.time is None else server.correct(answer.time, asked, wall())
        parts, moment = by_part(answer.samples), Moment(asked, ahead)

        def says(due: Due) -> Look | Unobserved:
            wanted = due.trial.wanted
            pods = self._looked.pods(wanted.key, (wanted.canary.revision, wanted.stable))
            return seen(due.asking.question, parts, moment, pods)

        return says

    async def _take(self, due: Sequence[Due], says: Says) -> None:
        """Takes what is said to the tallies, without keeping others waiting for long."""
        for number, one in enumerate(due):
            if number % AT_A_TIME == AT_A_TIME - 1:
                await asyncio.sleep(0)
            try:
                # What is wanted may have changed meanwhile.
                if one.trial.asking.get(one.asking.name) is one.asking:
                    one.trial.take(one.asking.name, says(one))
                    self._tell(one.trial)
            except Exception:
                log.exception("a look for %s %s/%s", *one.trial.wanted.key)
                one.trial.take(one.asking.name, INTERNAL)

    def _tell(self, trial: Trial) -> None:
        key = trial.wanted.key
        if self._trials.get(key) is not trial:
            return
        news = trial.news(self._looked.clock())
        if news is not News.NONE:
            self._looked.queue(key, news is News.URGENT)


class Due(NamedTuple):
    """An indicator of a trial that is looked at now."""

    trial: Trial
    asking: Asking
    access: Access


Says = Callable[[Due], Look | Unobserved]
"""What is seen of each."""

INTERNAL = Unobserved(
    "PrometheusUnavailable",
    "an internal error; the operator's log tells more of it",
    unanswered=True,
)


def _nothing(why: Unobserved) -> Says:
    return lambda due: why


def _ids() -> Iterator[str]:
    """Short names of questions, each new."""
    return (f"{number:x}" for number in count(1))
