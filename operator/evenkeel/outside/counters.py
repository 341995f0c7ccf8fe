"""Counters of one revision that a web API tells."""

from __future__ import annotations

from dataclasses import dataclass

KIND = "counters"
"""Kind of the polls."""
MOST_EVENTS = 10**15
"""Events: more are no count."""


@dataclass(frozen=True, slots=True)
class CountersQuestion:
    """What the address answers GET with. query: what follows ? in it, encoded. total, counted:
    JSON pointers (RFC 6901) to all events, and to the good or the bad ones."""

    query: str
    total: str
    counted: str


@dataclass(frozen=True, slots=True)
class Counters:
    """Events since the API began to count; counted: the good or the bad ones."""

    total: int
    counted: int
