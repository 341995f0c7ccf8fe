"""Threads that read what servers send: whatever it is, the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from evenkeel.adapters.source import Unavailable

SMALL = 2**19
"""Bytes that are read quickly, as those of nearly all repositories and lists."""
WAITING = 32 * 2**20
"""Bytes of all that waits for its turn in one thread, and of what is read there."""
T = TypeVar("T")


class Readers:
    """One thread for all that is small, and one for the rest, so that nobody waits for a stranger's
    large pack; of those who have large ones none waits for more than one of each other."""

    def __init__(self, name: str = "reader") -> None:
        self._small, self._large = _Thread(f"{name}-small"), _Thread(f"{name}-large")

    def of(self, owner: str) -> OwnReaders:
        """As they are to one namespace."""
        return OwnReaders(owner, self._small, self._large)


@dataclass(frozen=True, slots=True)
class OwnReaders:
    """The readers of whoever asks."""

    owner: str
    small: _Thread
    large: _Thread

    async def read(self, work: Callable[[bytes], T], data: bytes, *, large: bool = False) -> T:
        """What the work makes of the data. Raises what it raises, and Unavailable.

        large: whether it takes long though the data are small.
        """
        thread = self.large if large or len(data) > SMALL else self.small
        found: T = await thread.read(self.owner, work, data)
        return found


@dataclass(slots=True, eq=False)
class _Work:
    """Data that wait, or are read; dropped as soon as they are needed no more."""

    work: Callable[[bytes], Any]
    data: list[bytes]
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.Future())

    @property
    def size(self) -> int:
        return sum(map(len, self.data))


class _Thread:
    """One thread, in which namespaces take turns. Who has most waiting gives way where it is too
    much for all."""

    def __init__(self, name: str = "reader") -> None:
        self._thread = ThreadPoolExecutor(1, name)
        # The namespace whose turn is next comes first.
        self._waiting: dict[str, deque[_Work]] = {}
        self._reading: int | None = None

    async def read(self, owner: str, work: Callable[[bytes], Any], data: bytes) -> Any:
        one = _Work(work, [data])
        self._make_room(owner, one.size)
        self._waiting.setdefault(owner, deque()).append(one)
        self._next()
        try:
            return await one.done
        finally:
            one.data.clear()
            self._leave(owner, one)

    def _leave(self, owner: str, one: _Work) -> None:
        """Of whoever waits no more, for instance since its time is over."""
        queue = self._waiting.get(owner, deque())
        if one in queue:
            queue.remove(one)
        if not queue:
            self._waiting.pop(owner, None)

    def _make_room(self, owner: str, size: int) -> None:
        held = {of: sum(one.size for one in queue) for of, queue in self._waiting.items()}
        held[owner] = held.get(owner, 0) + size
        while (self._reading or 0) + sum(held.values()) > WAITING:
            most = max(held, key=lambda of: (held[of], of == owner))
            refusal = Unavailable("many large answers are being read; it is asked again")
            if most == owner:
                raise refusal
            last = self._waiting[most][-1]
            held[most] -= last.size
            last.data.clear()
            self._leave(most, last)
            if not last.done.done():
                last.done.set_exception(refusal)

    def _next(self) -> None:
        if self._reading is not None or not self._waiting:
            return
        owner, queue = next(iter(self._waiting.items()))
        one = queue.popleft()
        del self._waiting[owner]
        if queue:
            self._waiting[owner] = queue
        self._reading = one.size
        # Nobody else holds the data from here on.
        held = [one.data.pop()]
        future = self._thread.submit(lambda: one.work(held.pop()))
        future.add_done_callback(partial(self._told, asyncio.get_running_loop(), one))

    def _told(self, loop: asyncio.AbstractEventLoop, one: _Work, future: Future[Any]) -> None:
        """By the thread; the loop may be closed by then."""
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._ended, one, future)

    def _ended(self, one: _Work, future: Future[Any]) -> None:
        self._reading = None
        if not one.done.done():
            if (error := future.exception()) is not None:
                one.done.set_exception(error)
            else:
                one.done.set_result(future.result())
        self._next()
