"""A work queue of keys: de-duplicating, delayed, two priorities, one worker a key at a time."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import OrderedDict

from evenkeel.meta.objects import Key


class WorkQueue:
    """Keys to reconcile. A key added while it is worked on is handed out again afterwards.

    Urgent keys (changes) go before the others (start-up), each in the order of arrival.
    """

    def __init__(self) -> None:
        self._urgent: OrderedDict[Key, float] = OrderedDict()
        self._calm: OrderedDict[Key, float] = OrderedDict()
        self._delayed: list[tuple[float, Key]] = []
        self._due: dict[Key, float] = {}
        self._working: dict[Key, float] = {}
        self._again: set[Key] = set()
        self._wake = asyncio.Event()
        self._closed = False
        self._idle = asyncio.Event()

    def add(self, key: Key, *, urgent: bool = True) -> None:
        """Queues the key now."""
        self._due.pop(key, None)
        if key in self._working:
            self._again.add(key)
            return
        if urgent:
            since = self._calm.pop(key, None)
            self._urgent.setdefault(key, since or time.monotonic())
        elif key not in self._urgent:
            self._calm.setdefault(key, time.monotonic())
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
            for ready in () if self._closed else (self._urgent, self._calm):
                if ready:
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

    def _release_due(self) -> None:
        now = time.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            due, key = heapq.heappop(self._delayed)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)

    def depth(self) -> int:
        """How many keys wait."""
        return len(self._urgent) + len(self._calm)

    def oldest_seconds(self) -> float:
        """How long the longest-waiting or longest-worked key has been at it."""
        firsts = [next(iter(q.values())) for q in (self._urgent, self._calm) if q]
        firsts += self._working.values()
        return time.monotonic() - min(firsts) if firsts else 0.0
