"""Values of Secrets and ConfigMaps, read by name where that is granted; never listed or watched."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from evenkeel.kube.client import JSON, ApiError, Client
from evenkeel.kube.lru import Lru
from evenkeel.meta.resources import ResourceType

FRESH = 60.0
"""Seconds until a value is read again."""
ANEW = 10.0
"""Seconds until one that was not to be had is asked for again."""
TIMEOUT = 10.0
VALUES = 1024
LONGEST = 2**18
"""Characters of a value."""


class Unreadable(Exception):
    """There is no such value for the operator; the message, one line, says what to do."""


class NoSuchKey(Unreadable):
    """The object is there, without the key."""


class Named(NamedTuple):
    """A key of an object."""

    type: ResourceType
    namespace: str
    name: str
    key: str

    def __str__(self) -> str:
        return f"{self.type.kind} {self.name!r} of namespace {self.namespace}"


@dataclass(frozen=True, slots=True)
class _Known:
    """value: as text; empty if something is wrong. absent: whether the object has no such key."""

    value: str
    wrong: str
    read: float
    absent: bool = False


class ByName:
    """What was read is remembered for a minute. clock: seconds that only grow."""

    def __init__(self, client: Client, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._known: Lru[Named, _Known] = Lru(VALUES)
        self._asked: dict[tuple[Named, ...], asyncio.Task[tuple[_Known, ...]]] = {}

    async def value(self, named: Named) -> str:
        """The value as text. Raises Unreadable."""
        known = self._known.get(named)
        if known is None or self._clock() >= known.read + (ANEW if known.wrong else FRESH):
            (known,) = await self._asked_for((named,))
        if known.wrong:
            raise Unreadable(known.wrong)
        return known.value

    async def values(self, named: Named, keys: Sequence[str]) -> dict[str, str]:
        """The values of those of the object's keys that it has, all of one reading: credentials
        that go together are changed together. Raises Unreadable."""
        wanted = tuple(named._replace(key=key) for key in keys)
        every = tuple(known for one in wanted if (known := self._known.get(one)) is not None)
        if not self._fresh(every, len(wanted)):
            every = await self._asked_for(wanted)
        for known in every:
            if known.wrong and not known.absent:
                raise Unreadable(known.wrong)
        return {k: known.value for k, known in zip(keys, every, strict=True) if not known.absent}

    def _fresh(self, every: Sequence[_Known], number: int) -> bool:
        """Whether so many were read together, and not too long ago."""
        if len(every) < number or len({known.read for known in every}) > 1:
            return False
        wrong = any(known.wrong and not known.absent for known in every)
        return self._clock() < every[0].read + (ANEW if wrong else FRESH)

    async def _asked_for(self, wanted: tuple[Named, ...]) -> tuple[_Known, ...]:
        task = self._asked.get(wanted)
        if task is None:
            task = self._asked[wanted] = asyncio.create_task(self._read(wanted))
            task.add_done_callback(lambda _: self._asked.pop(wanted))
        # Whoever gives up waiting must not take the answer from others.
        return await asyncio.shield(task)

    async def _read(self, wanted: tuple[Named, ...]) -> tuple[_Known, ...]:
        """Keys of one object."""
        of, error = wanted[0], None
        found: JSON = {}
        try:
            async with asyncio.timeout(TIMEOUT):
                found = await self._client.get(of.type, of.namespace, of.name)
        except (ApiError, TimeoutError) as raised:
            error = raised
        now = self._clock()
        every = tuple(
            _known(named, found, now) if error is None else self._without(named, error, now)
            for named in wanted
        )
        for named, known in zip(wanted, every, strict=True):
            self._known.put(named, known)
        return every

    def _without(self, named: Named, error: Exception, now: float) -> _Known:
        """What is known while the object cannot be read."""
        before = self._known.get(named)
        if before is not None and not _lasting(error):
            return replace(before, read=now)
        return _Known("", _why(named, error), now)


def _known(named: Named, found: JSON, now: float) -> _Known:
    try:
        return _Known(_value(named, found), "", now)
    except Unreadable as error:
        return _Known("", str(error), now, absent=isinstance(error, NoSuchKey))


def _value(named: Named, found: JSON) -> str:
    data = found.get("data") or {}
    if named.key not in data:
        raise NoSuchKey(f"{named} has no key {named.key!r}; add it")
    text = str(data[named.key])
    try:
        if named.type.kind == "Secret":
            text = base64.b64decode(text).decode()
    except (binascii.Error, UnicodeDecodeError):
        # The error would quote what it could not decode.
        raise Unreadable(f"{named} holds no text under {named.key!r}; correct it") from None
    text = text.strip()
    if not text or len(text) > LONGEST:
        size = "nothing" if not text else f"more than {LONGEST // 1024} KiB"
        raise Unreadable(f"{named} holds {size} under {named.key!r}; correct it")
    return text


def _lasting(error: Exception) -> bool:
    return isinstance(error, ApiError) and error.status in (401, 403, 404)


def _why(named: Named, error: Exception) -> str:
    status = error.status if isinstance(error, ApiError) else 0
    if status == 403:
        return (
            f"the operator may not read {named}, whose key {named.key!r} is needed; grant it `get` "
            "on that name (the chart's rbac.readByName, or a Role)"
        )
    if status == 404:
        return f"there is no {named}; create it with the key {named.key!r}"
    reason = error.reason if isinstance(error, ApiError) else "no answer in time"
    return f"{named} cannot be read: {status or ''} {reason}".replace("  ", " ")
