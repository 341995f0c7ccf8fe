"""Which Event object tells of what happened: a new one, or an earlier one that counts on.

The rules are those of client-go's EventCorrelator (tools/record/events_cache.go), so that people
and tools find the Events they know:

- What has happened before in the same words is one Event, whose count and lastTimestamp grow.
- From the tenth wording on of what differs by its message alone, with no pause of more than ten
  minutes, further wordings are combined under one Event.
- Of an object and a type, 25 are told at once and one more every five minutes. What is dropped
  is counted by the next of the same Event that is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from evenkeel.kube.lru import Lru
from evenkeel.meta.names import digest
from evenkeel.meta.objects import Key
from evenkeel.meta.text import printable

REMEMBERED = 4096
WORDINGS = 10
"""Wordings within the interval that are no longer told apart."""
INTERVAL = timedelta(minutes=10)
BURST = 25
REFILL = timedelta(minutes=5)
"""After which an object that has told too much may tell once more."""
COMBINED = "(combined from similar events): "
MESSAGE_LIMIT = 1000
"""Characters of a message; events.k8s.io, which serves the same objects, asks for 1 kB at most."""


class Occurrence(NamedTuple):
    """Something that happened to an object, told by a source."""

    source: str
    regarding: Key
    uid: str
    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """An Event object as it shall be. known: it was told before, so that it is patched."""

    name: str
    message: str
    count: int
    first: datetime
    last: datetime
    known: bool


class _Similar(NamedTuple):
    """An occurrence but for its message."""

    source: str
    regarding: Key
    uid: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Log:
    name: str
    count: int
    first: datetime
    told: bool


class _Credit(NamedTuple):
    """A token bucket, in time: one report costs REFILL."""

    left: timedelta
    at: datetime


class EventsCorrelator:
    """Decides on occurrences one after the other. The moments come from outside."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._wordings: Lru[_Similar, tuple[frozenset[str], datetime]] = Lru(remembered)
        self._logs: Lru[Occurrence | _Similar, _Log] = Lru(remembered)
        self._credits: Lru[tuple[str, Key, str, str], _Credit] = Lru(remembered)

    def report(self, happened: Occurrence, now: datetime) -> Report | None:
        """The Event to write; None if the object has told too much lately."""
        happened = happened._replace(message=printable(happened.message)[:MESSAGE_LIMIT])
        similar = _Similar(*happened[:5])
        key: Occurrence | _Similar = happened
        message = happened.message
        if self._is_one_of_many(similar, message, now):
            key, message = similar, (COMBINED + message)[:MESSAGE_LIMIT]
        log = self._logs.get(key) or _Log(_name(happened, now), 0, now, told=False)
        allowed = self._is_allowed(happened, now)
        self._logs.put(key, _Log(log.name, log.count + 1, log.first, log.told or allowed))
        if not allowed:
            return None
        return Report(log.name, message, log.count + 1, log.first, now, log.told)

    def _is_one_of_many(self, similar: _Similar, message: str, now: datetime) -> bool:
        known = self._wordings.get(similar)
        before = known[0] if known is not None and now - known[1] <= INTERVAL else frozenset()
        # The first wordings keep their own Events; the set grows no further.
        many = message not in before and len(before) >= WORDINGS - 1
        self._wordings.put(similar, (before if many else before | {message}, now))
        return many

    def _is_allowed(self, happened: Occurrence, now: datetime) -> bool:
        key = (happened.source, happened.regarding, happened.uid, happened.type)
        full = BURST * REFILL
        credit = self._credits.get(key) or _Credit(full, now)
        left = min(full, credit.left + max(now - credit.at, timedelta(0)))
        allowed = left >= REFILL
        self._credits.put(key, _Credit(left - REFILL if allowed else left, now))
        return allowed


def _name(happened: Occurrence, now: datetime) -> str:
    told = (happened.source, happened.uid, happened.type, happened.reason, happened.message)
    mark = digest(*told, str(now))
    # A name has 253 characters, of which a dot must not be followed by another.
    return f"{happened.regarding.name[: 252 - len(mark)].rstrip('.-')}.{mark}"
