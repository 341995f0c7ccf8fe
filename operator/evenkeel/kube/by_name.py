"""Values of Secrets and ConfigMaps, read by name where that is granted; never listed or watched."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
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
    value: str
    wrong: str
    until: float
    absent: bool = False


class ByName:
    """What was read is remembered for a minute. clock: seconds that only grow."""

    def __init__(self, client: Client, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._known: Lru[Named, _Known] = Lru(VALUES)
        self._asked: dict[Named, asyncio.Task[_Known]] = {}

    async def value(self, named: Named) -> str:
        """The value as text. Raises Unreadable."""
        known = self._known.get(named)
        if known is None or self._clock() >= known.until:
            # Whoever gives up waiting must not take the answer from others.
            known = await asyncio.shield(self._ask(named))
        if known.wrong:
            raise (NoSuchKey if known.absent else Unreadable)(known.wrong)
        return known.value

    async def value_if_any(self, named: Named) -> str:
        """The value as text, empty where the object has no such key. Raises Unreadable."""
        try:
            return await self.value(named)
        except NoSuchKey:
            return ""

    def _ask(self, named: Named) -> asyncio.Task[_Known]:
        task = self._asked.get(named)
        if task is None:
            task = self._asked[named] = asyncio.create_task(self._read(named))
            task.add_done_callback(lambda _: self._asked.pop(named))
        return task

    async def _read(self, named: Named) -> _Known:
        before = self._known.get(named)
        absent = False
        try:
            async with asyncio.timeout(TIMEOUT):
                found = await self._client.get(named.type, named.namespace, named.name)
            value, wrong = _value(named, found), ""
        except Unreadable as error:
            value, wrong, absent = "", str(error), isinstance(error, NoSuchKey)
        except (ApiError, TimeoutError) as error:
            value, wrong = "", _why(named, error)
            if before is not None and not _lasting(error):
                value, wrong, absent = before.value, before.wrong, before.absent
        known = _Known(value, wrong, self._clock() + (ANEW if wrong else FRESH), absent)
        self._known.put(named, known)
        return known


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
