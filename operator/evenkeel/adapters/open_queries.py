"""Queries that are open at servers nobody vouches for: so many at once, whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from evenkeel.adapters.answer import Unavailable
from evenkeel.adapters.connections import Pool, Share

OPEN = 128
"""Queries that are open at once. Each may hold its text and its answer's head."""
CROWDED = f"{OPEN} other queries are open; it is tried again"


@dataclass(eq=False, slots=True)
class _Query:
    """failures: in a row, of its share, before it."""

    failures: int
    proven: bool
    limit: asyncio.Timeout
    gave_way: bool = False

    @property
    def badness(self) -> tuple[int, bool]:
        return self.failures, not self.proven


class OpenQueries:
    """Room is taken from who has failed most often, of equals from the one that is open longest.

    So servers that never answer cannot keep one waiting that does, however many they are.
    """

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(OPEN)
        self._open: dict[_Query, None] = {}

    @asynccontextmanager
    async def one(self, pool: Pool, share: Share) -> AsyncIterator[None]:
        """Room for one query. Raises Unavailable where there is none, or not any more."""
        limit = asyncio.timeout(None)
        query = _Query(share.breaker.failures, pool.proven, limit)
        if self._slots.locked():
            self._make_room(query)
        async with self._slots:
            self._open[query] = None
            try:
                async with limit:
                    yield
            except TimeoutError:
                if query.gave_way:
                    raise Unavailable(CROWDED) from None
                raise
            finally:
                self._open.pop(query, None)

    def _make_room(self, newcomer: _Query) -> None:
        # The first of equals, which is the oldest.
        worst = max(self._open, key=lambda one: one.badness, default=None)
        if worst is None or worst.badness < newcomer.badness:
            raise Unavailable(CROWDED)
        worst.gave_way = True
        worst.limit.reschedule(asyncio.get_running_loop().time())
        del self._open[worst]
