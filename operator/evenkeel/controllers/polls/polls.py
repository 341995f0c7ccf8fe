"""Asks what is due, and tells whom the answers concern.

Systems outside the cluster may be slow, hang or be hostile. They are asked here and never in a
reconcile, so that each delays nothing but what is known of itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from evenkeel.adapters.access import Access
from evenkeel.adapters.source import Ask, SourceError, Unavailable
from evenkeel.adapters.words import one_line, without
from evenkeel.controllers.polls.pacing import UNSEEN, Inquiry, turns
from evenkeel.meta.objects import Key
from evenkeel.outside.poll import Failure, Poll, Sighting

log = logging.getLogger(__name__)

TICK = 0.5
"""Seconds between two times at which it is looked what is due."""
DEADLINE = 30.0
"""Seconds for a question, with the Secret that it takes and all that the answer takes."""
MESSAGE = 512
"""Characters of a failure's message."""
PARTING = 3600.0
"""Seconds for which an object's last question is asked, unless it is answered before."""


@dataclass(frozen=True, slots=True)
class Polled:
    """How questions are asked, and whom their answers are told.

    asks: by kind. access: what the address of a namespace's poll is shown; raises SourceError.
    exists: whether there is such an object. clock: seconds that only grow. wall: UTC. chance: a
    number from 0 to 1, each time another.
    """

    asks: Mapping[str, Ask]
    access: Callable[[str, Poll], Awaitable[Access]]
    exists: Callable[[Key], bool]
    queue: Callable[[Key], None]
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    chance: Callable[[], float] = random.random


class Polls:
    """All questions, kept in memory: a new leader asks anew."""

    def __init__(self, polled: Polled) -> None:
        self._polled = polled
        self._inquiries: dict[tuple[str, Poll], Inquiry] = {}
        self._wanted: dict[Key, frozenset[Poll]] = {}
        self._partings: dict[Key, Poll] = {}
        self._parted: dict[tuple[Key, Poll], float] = {}
        self._wake = asyncio.Event()
        self._tasks: dict[Inquiry, asyncio.Task[None]] = {}

    def want(
        self, key: Key, polls: Mapping[str, Poll], *, parting: Poll | None = None
    ) -> Mapping[str, Sighting[object]]:
        """What is known of each; the object asks these and no others from now on.

        It is queued when an answer changes, and when a failure begins, changes or ends. parting:
        what is asked once it is gone, until that is answered or the process ends.
        """
        if parting is None:
            self._partings.pop(key, None)
        else:
            self._partings[key] = parting
        wanted = frozenset(polls.values())
        for poll in self._wanted.get(key, frozenset()) - wanted:
            self._leave(key, poll)
        for poll in wanted:
            self._join(key, poll)
        if wanted:
            self._wanted[key] = wanted
        else:
            self._wanted.pop(key, None)
        return {name: self._inquiries[key.namespace, poll].seen for name, poll in polls.items()}

    def known(self, namespace: str, poll: Poll) -> Sighting[object]:
        """What is known of a question, whether or not it is asked."""
        inquiry = self._inquiries.get((namespace, poll))
        return UNSEEN if inquiry is None else inquiry.seen

    def hint(self, concerns: Callable[[str, Poll], bool]) -> int:
        """Has questions asked soon that may have another answer; tells how many those are.

        concerns: whether it is one, by namespace and question.
        """
        now, hinted = self._polled.clock(), 0
        for inquiry in self._inquiries.values():
            if concerns(inquiry.namespace, inquiry.poll):
                inquiry.hinted(now)
                hinted += 1
        return hinted

    async def run(self) -> None:
        """Asks until cancelled."""
        try:
            while True:
                self._wake.clear()
                try:
                    self.tick()
                except Exception:
                    log.exception("questions to outside systems")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), TICK)
        finally:
            for task in self._tasks.values():
                task.cancel()

    def tick(self) -> None:
        """Begins what is due, and forgets what objects that are gone wanted to know."""
        now = self._polled.clock()
        for key in {*self._wanted, *self._partings}:
            if not self._polled.exists(key):
                self._part(key, now)
        for (key, poll), until in [*self._parted.items()]:
            answered = self._inquiries[key.namespace, poll].seen.answer is not None
            if answered or now >= until:
                del self._parted[key, poll]
                self._leave(key, poll)
        for inquiry in turns(self._inquiries.values(), now):
            inquiry.begin(now)
            task = self._tasks[inquiry] = asyncio.create_task(self._ask(inquiry))
            task.add_done_callback(partial(self._ended, inquiry))

    def _part(self, key: Key, now: float) -> None:
        """The object is gone; what it last asks is asked for its own sake."""
        last = self._partings.get(key)
        self.want(key, {})
        if last is not None:
            self._join(key, last)
            self._parted[key, last] = now + PARTING

    def _join(self, key: Key, poll: Poll) -> None:
        inquiry = self._inquiries.get((key.namespace, poll))
        if inquiry is None:
            inquiry = Inquiry(key.namespace, poll, due=self._polled.clock())
            self._inquiries[key.namespace, poll] = inquiry
            self._wake.set()
        inquiry.askers.add(key)

    def _leave(self, key: Key, poll: Poll) -> None:
        inquiry = self._inquiries[key.namespace, poll]
        inquiry.askers.discard(key)
        if not inquiry.askers:
            del self._inquiries[key.namespace, poll]
            if (task := self._tasks.get(inquiry)) is not None:
                task.cancel()

    def _ended(self, inquiry: Inquiry, _: asyncio.Task[None]) -> None:
        inquiry.in_hand = False
        del self._tasks[inquiry]
        # Another may have waited for its place.
        self._wake.set()

    async def _ask(self, inquiry: Inquiry) -> None:
        polled, before = self._polled, inquiry.seen
        found = await self._answer(inquiry)
        wall, clock = polled.wall(), polled.clock()
        if isinstance(found, SourceError):
            inquiry.failed(clock, polled.chance())
            known = before.failure
            since = wall if known is None else known.since
            inquiry.seen = replace(before, failure=Failure(found.reason, str(found), since))
        else:
            inquiry.answered(clock, polled.chance())
            since = before.since if found == before.answer and before.since else wall
            inquiry.seen = Sighting(found, since, wall)
        if (inquiry.seen.answer, inquiry.seen.failure) != (before.answer, before.failure):
            for key in inquiry.askers:
                polled.queue(key)

    async def _answer(self, inquiry: Inquiry) -> object:
        """The answer, or the SourceError with words that may be shown."""
        polled, poll, access = self._polled, inquiry.poll, None
        try:
            async with asyncio.timeout(DEADLINE):
                access = await polled.access(inquiry.namespace, poll)
                return await polled.asks[poll.kind](poll.question, access, inquiry.seen.answer)
        except TimeoutError:
            where = "the API server" if access is None else access.url
            return Unavailable(f"{where} gave no whole answer in {DEADLINE:g} s")
        except SourceError as error:
            secrets = () if access is None else access.confidential
            return type(error)(one_line(without(secrets, str(error)), MESSAGE))
        except Exception as error:
            # What an unforeseen error says may be a credential.
            log.error(
                "a question of kind %s of namespace %s: %s\n%s",
                poll.kind,
                inquiry.namespace,
                type(error).__name__,
                "".join(traceback.format_tb(error.__traceback__)),
            )
            return Unavailable("an internal error; the operator's log tells more of it")
