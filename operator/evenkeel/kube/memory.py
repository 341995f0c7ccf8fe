"""What was applied to an owner's children: by it a plan is known to be written already.

What a child carries tells the same after a restart, but where a mutating admission webhook changes
what is applied, only memory ends the repetition.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from evenkeel.kube.trim import OWNED
from evenkeel.meta.objects import Key

JSON = dict[str, Any]

LONGEST = 600.0
"""Seconds at most until another operator's write is answered again."""


class Contested(NamedTuple):
    """A child that another operator applies differently, and in how many seconds it is applied
    again."""

    key: Key
    seconds: float


class _Applied(NamedTuple):
    """mark: of what was applied. found: the mark that the object had then."""

    mark: str
    uid: str
    found: str
    owned: str


class Memory:
    """Of one owner's children."""

    def __init__(self) -> None:
        self._applied: dict[Key, _Applied] = {}
        self._contests: dict[Key, tuple[int, float]] = {}

    def keep(self, key: Key, mark: str, found: str, obj: JSON) -> None:
        """The object bears what was applied. mark: of that. found: the object's."""
        self._applied[key] = _Applied(mark, obj["metadata"]["uid"], found, obj.get(OWNED, ""))

    def has(self, key: Key, mark: str, found: str, obj: JSON) -> bool:
        """Whether the object bears it still, and nobody has taken a field of it."""
        trace = _Applied(mark, obj["metadata"]["uid"], found, obj.get(OWNED, ""))
        return self._applied.get(key) == trace

    def wait(self, key: Key, mark: str, found: str) -> float:
        """Seconds until the object is to be applied; 0 for now.

        mark: of what is to be applied. found: the mark on the object. If another than what was
        applied here, another operator has written it, and would again: two that answer each other
        at once would never end.
        """
        before = self._applied.get(key)
        if before is None or before.mark != mark or found in ("", mark):
            return 0.0
        number, due = self._contests.get(key, (0, 0.0))
        now = time.monotonic()
        if now < due:
            return due - now
        self._contests[key] = (number + 1, now + min(LONGEST, 2.0 ** (number + 1)))
        return 0.0

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self._applied.pop(key, None)
        self._contests.pop(key, None)
