"""A work queue of keys: de-duplicating, delayed, by priority, one worker a key at a time."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import OrderedDict
from enum import IntEnum

from evenkeel.meta.objects import Key

TURN = 8
"""Of so many keys one comes from the calmest that wait and one from the middle, so that no flood
keeps them for ever."""


class Priority(IntEnum):
    """What goes before what."""

    FIRST = 0
    """Objects that were never reconciled: somebody waits for all of what they ask for."""
    CHANGE = 1
    RESYNC = 2
    """What is looked at without a cause, such as after a start."""


class WorkQueue:
    """Keys to reconcile. A key added while it is worked on is handed out again afterwards.

    Keys go by priority, those of the same in the order of arrival.
    """

    def __init__(self) -> None:
        self._ready: dict[Priority, OrderedDict[Key, float]] = {p: OrderedDict() for p in Priority}
        self._turn = 0
        self._progress = time.monotonic()
        self._delayed: list[tuple[float, Key]] = []
        self._due: dict[Key, float] = {}
        self._working: dict[Key, float] = {}
        self._again: set[Key] = set()
        self._wake = asyncio.Event()
        self._closed = False
        self._idle = asyncio.Event()

    def add(self, key: Key, priority: Priority = Priority.CHANGE) -> None:
        """Queues the key now. One that waits keeps its age, and the higher of both priorities."""
        self._due.pop(key, None)
        if key in self._working:
            self._again.add(key)
            return
        since = None
        for known, ready in self._ready.items():
            if key not in ready:
                continue
            if known <= priority:
                return
            since = ready.pop(key)
        self._ready[priority][key] = since or time.monotonic()
        self._wake.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Queues the key after that time, or earlier if it is due earlier already."""
        due = time.monotonic() + seconds
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._delayed, (due, key))
        if len(self._delayed) > 2 * len(self._due) + 64:
            # Most are void, since their keys came earlier.
            self._delayed = [(at, waiting) for waiting, at in self._due.items()]
            heapq.heapify(self._delayed)
        self._wake.set()

    async def get(self) -> Key:
        """The next key, which is the caller's until `done`."""
        while True:
            self._release_due()
            if not self._closed and (ready := self._next()) is not None:
                key, _ = ready.popitem(last=False)
                self._working[key] = time.monotonic()
                return key
            self._wake.clear()
            timeout = self._delayed[0][0] - time.monotonic() if self._delayed else None
            try:
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def done(self, key: Key) -> None:
        """Gives the key back."""
        self._working.pop(key, None)
        self._progress = time.monotonic()
        if not self._working:
            self._idle.set()
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    async def drained(self, seconds: float) -> bool:
        """Hands out no more keys; whether those in hand were given back within the time."""
        self._closed = True
        if self._working:
            self._idle.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._idle.wait()
            except TimeoutError:
                return False
        return True

    def _next(self) -> OrderedDict[Key, float] | None:
        waiting = [ready for ready in self._ready.values() if ready]
        if not waiting:
            return None
        self._turn = (self._turn + 1) % TURN
        if self._turn == 0:
            return waiting[-1]
        return waiting[len(waiting) // 2 if self._turn == TURN // 2 else 0]

    def _release_due(self) -> None:
        now = time.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            due, key = heapq.heappop(self._delayed)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)

    def depth(self) -> int:
        """How many keys wait."""
        return sum(map(len, self._ready.values()))

    def oldest_seconds(self) -> float:
        """How long the longest-waiting or longest-worked key has been at it."""
        firsts = [*self._waiting_since(), *self._working.values()]
        return time.monotonic() - min(firsts) if firsts else 0.0

    def stalled_seconds(self) -> float:
        """How long keys have waited while none was given back, or one has been worked on."""
        since = [*self._working.values()]
        if waiting := self._waiting_since():
            since.append(max(self._progress, min(waiting)))
        return time.monotonic() - min(since) if since else 0.0

    def _waiting_since(self) -> list[float]:
        # A key that was raised keeps its age, but not its place.
        return [min(ready.values()) for ready in self._ready.values() if ready]
