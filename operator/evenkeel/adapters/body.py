"""Bodies of answers, bounded one by one and all together, and the JSON in them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

BODY = 2 * 2**20
"""Bytes of one body: some 14,000 series."""
TOGETHER = 12 * 2**20
"""Bytes of all bodies that are being read. Who holds most gives way, so that small ones pass."""
OBJECTS = 32 * 2**20
"""Bytes that a body's objects may take. Brackets take up to 30 times the memory of their text."""


class BodyTooLarge(Exception):
    """The message says by how much."""


class Bodies:
    """All bodies that are being read."""

    def __init__(self) -> None:
        self._open: set[_Body] = set()

    async def read(self, chunks: AsyncIterator[bytes], limit: int = BODY) -> bytes:
        """The whole body. Raises BodyTooLarge as soon as it is."""
        body = _Body()
        self._open.add(body)
        try:
            async for chunk in chunks:
                body.take(chunk, limit)
                self._make_room()
            # Others may have come meanwhile.
            body.take(b"", limit)
            return body.whole()
        finally:
            self._open.discard(body)

    async def beginning(self, chunks: AsyncIterator[bytes], limit: int) -> bytes:
        """At most `limit` bytes."""
        body = b""
        async for chunk in chunks:
            body += chunk[: limit - len(body)]
            if len(body) >= limit:
                break
        return body

    def _make_room(self) -> None:
        while sum(one.size for one in self._open) > TOGETHER:
            max(self._open, key=lambda one: one.size).drop()


class _Body:
    __slots__ = ("_chunks", "_dropped", "size")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._dropped = False
        self.size = 0

    def take(self, chunk: bytes, limit: int) -> None:
        if self._dropped:
            raise BodyTooLarge("large, while many large answers are being read")
        if chunk:
            self._chunks.append(chunk)
            self.size += len(chunk)
        if self.size > limit:
            raise BodyTooLarge(f"larger than {limit // 1024} KiB")

    def drop(self) -> None:
        self._chunks.clear()
        self._dropped, self.size = True, 0

    def whole(self) -> bytes:
        return b"".join(self._chunks)


def parsed(body: bytes) -> Any:
    """The JSON. Raises ValueError, or BodyTooLarge if its objects would fill memory."""
    objects = 220 * body.count(b"{") + 90 * body.count(b"[") + 45 * body.count(b",")
    if objects > OBJECTS:
        raise BodyTooLarge("made of more objects than are taken")
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
