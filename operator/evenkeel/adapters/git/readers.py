"""Threads that read what servers send: whatever it is, the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from evenkeel.adapters.source import Unavailable

SMALL = 2**19
"""Bytes that are read quickly, as those of nearly all repositories."""
WAITING = 32 * 2**20
"""Bytes of all that is large and waits for its turn."""
T = TypeVar("T")


class Readers:
    """One thread for all that is small, and one for the rest, so that nobody waits for a stranger's
    large pack."""

    def __init__(self) -> None:
        self._threads = {
            small: ThreadPoolExecutor(1, f"git-{'small' if small else 'large'}")
            for small in (True, False)
        }
        self._waiting: list[tuple[int, Future[Any]]] = []

    async def read(self, work: Callable[[bytes], T], data: bytes, *, large: bool = False) -> T:
        """What the work makes of the data. Raises what it raises, and Unavailable.

        large: whether it takes long though the data are small.
        """
        small = len(data) <= SMALL and not large
        if not small:
            self._make_room(len(data))
        # Work that is cancelled stays in the thread's queue; its data need not.
        held = [data]
        future = self._threads[small].submit(lambda: work(held.pop()))
        if not small:
            self._waiting.append((len(data), future))
        try:
            return await asyncio.wrap_future(future)
        finally:
            held.clear()

    def _make_room(self, size: int) -> None:
        self._waiting = [(taken, one) for taken, one in self._waiting if not one.done()]
        if sum(taken for taken, _ in self._waiting) + size > WAITING:
            raise Unavailable("many large answers are being read; it is asked again")
