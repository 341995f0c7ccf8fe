"""Bodies of answers, bounded one by one and all together, and the JSON in them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

BODY = 2 * 2**20
"""Bytes of one body: some 14,000 series."""
STRANGERS_BODY = 2**19
"""The same of servers that nobody vouches for, which may send it again and again."""
TOGETHER = 12 * 2**20
"""Bytes of all bodies that are being read. Who holds most gives way, so that small ones pass."""
OBJECTS = 16
"""Bytes that the objects may take for each byte of the largest body. Brackets take up to 90 times
the memory of their text, an honest answer 6 times."""
SMALL = 2**16
"""Bytes of a body that is understood in a few milliseconds."""
REST = 3.0
"""Times as long as a stranger's body has taken until the next one of strangers is looked at."""


class BodyTooLarge(Exception):
    """The message says by how much."""


class Dropped(BodyTooLarge):
    """It gave way to others."""


class Body:
    """One body while it is read and understood."""

    def __init__(self, bodies: Bodies, limit: int) -> None:
        self._bodies = bodies
        self._limit = limit
        self._chunks: list[bytes] = []
        self._dropped = False
        self.size = 0

    async def read(self, chunks: AsyncIterator[bytes]) -> None:
        """Takes the whole body. Raises BodyTooLarge as soon as it is."""
        self._chunks.clear()
        self.size = 0
        async for chunk in chunks:
            self._check()
            self._chunks.append(chunk)
            self.size += len(chunk)
            if self.size > self._limit:
                raise BodyTooLarge(f"larger than {self._limit // 1024} KiB")
            self._bodies.make_room()

    async def read_beginning(self, chunks: AsyncIterator[bytes], limit: int) -> None:
        """Takes at most `limit` bytes, and leaves the others."""
        self._chunks.clear()
        self.size = 0
        async for chunk in chunks:
            self._chunks.append(chunk[: limit - self.size])
            self.size += len(self._chunks[-1])
            if self.size >= limit:
                return

    def drop(self) -> None:
        """Frees the memory; whoever reads it meets BodyTooLarge."""
        self._chunks.clear()
        self._dropped, self.size = True, 0

    def octets(self) -> bytes:
        """The bytes, once. Raises BodyTooLarge."""
        self._check()
        whole = b"".join(self._chunks)
        self._chunks.clear()
        return whole

    def whole(self) -> bytes:
        """The text of JSON, once. Raises BodyTooLarge, also if its objects would fill memory."""
        whole = self.octets()
        objects = 220 * whole.count(b"{") + 90 * whole.count(b"[") + 45 * whole.count(b",")
        if objects > OBJECTS * self._limit:
            raise BodyTooLarge("made of more objects than are taken")
        return whole

    def _check(self) -> None:
        # Others may have come meanwhile.
        if self._dropped:
            raise Dropped("large, while many large answers are being read")


class Bodies:
    """All bodies that are being read. Parsing holds the loop up, so large ones take turns.

    strangers: whether they are of servers that nobody vouches for. together: bytes of all; TOGETHER
    if None.
    """

    def __init__(self, *, strangers: bool, together: int | None = None) -> None:
        self._open: set[Body] = set()
        self._together = together
        self._turn = asyncio.Lock()
        self._limit = STRANGERS_BODY if strangers else BODY
        self._rest = REST if strangers else 0.0

    @contextmanager
    def one(self, limit: int | None = None) -> Iterator[Body]:
        """A body to read, of so many bytes at most."""
        body = Body(self, self._limit if limit is None else limit)
        self._open.add(body)
        try:
            yield body
        finally:
            self._open.discard(body)

    @asynccontextmanager
    async def turn(self, body: Body) -> AsyncIterator[None]:
        """The moment to understand it: at once if it is small, else one after the other, with time
        for everything else in between."""
        if body.size <= SMALL:
            yield
            return
        await self._turn.acquire()
        began = time.monotonic()
        try:
            yield
        finally:
            rest = self._rest * (time.monotonic() - began)
            asyncio.get_running_loop().call_later(rest, self._turn.release)

    def make_room(self) -> None:
        """Drops the largest bodies until all together are within their bound."""
        together = TOGETHER if self._together is None else self._together
        while sum(one.size for one in self._open) > together:
            max(self._open, key=lambda one: one.size).drop()


def parsed(body: bytes) -> Any:
    """The JSON. Raises ValueError."""
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
