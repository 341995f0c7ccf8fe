"""Which alerts a schedule may see: those of its own namespace, and those that it is granted.

An alert belongs to the namespace of the path that it came by, else to the one that its label names,
else to none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from evenkeel.retraining.triggers.labelled import Labelled

NOBODY = "-"
"""In a grant: alerts that belong to no namespace."""
ANY = "*"
_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_GRANT = re.compile(rf"(?P<source>{_NAME}|-|\*)=(?P<target>\*|{_NAME}(/{_NAME})?)")


@dataclass(frozen=True, slots=True)
class Grants:
    """The platform team's exceptions, as pairs of a source and a target.

    A source is a namespace, `-` for alerts without one, or `*` for all; a target is a namespace, a
    schedule (NAMESPACE/SCHEDULE), or `*` for all.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """From SOURCE=TARGET. Raises ValueError, which names the entry."""
        pairs = []
        for entry in entries:
            found = _GRANT.fullmatch(entry)
            if found is None:
                raise ValueError(f"{entry!r} is not SOURCE=TARGET")
            pairs.append((found["source"], found["target"]))
        return cls(tuple(pairs))

    def sources(self, namespace: str, schedule: str) -> tuple[str, ...]:
        """Whose alerts the schedule sees beside those of its namespace."""
        targets = (ANY, namespace, f"{namespace}/{schedule}")
        return tuple(dict.fromkeys(s for s, target in self.pairs if target in targets))


class Tenants:
    """The events of one request by the namespaces that they belong to, as bits.

    sender: the namespace of the path, to which they all belong then; empty for the shared path.
    """

    def __init__(self, events: Labelled, label: str, sender: str, grants: Grants) -> None:
        self._events, self._label, self._sender = events, label, sender
        self._grants = grants

    def of(self, source: str) -> int:
        """The events of a source of grants."""
        if source == ANY:
            return self._events.all
        owner = "" if source == NOBODY else source
        if self._sender:
            return self._events.all if owner == self._sender else 0
        return self._events.equal(self._label, owner)

    def seen_by(self, namespace: str, schedule: str) -> int:
        """The events that the schedule may see."""
        seen = self.of(namespace)
        for source in self._grants.sources(namespace, schedule):
            seen |= self.of(source)
        return seen

    @property
    def nobodys(self) -> int:
        """The events without a namespace."""
        return self.of(NOBODY)


def owners(entries: Sequence[str]) -> dict[str, str]:
    """The Secrets of NAMESPACE=SECRET by namespace. Raises ValueError, which names the entry."""
    found = {}
    for entry in entries:
        namespace, _, secret = entry.partition("=")
        if not re.fullmatch(_NAME, namespace) or not re.fullmatch(
            r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", secret
        ):
            raise ValueError(f"{entry!r} is not NAMESPACE=SECRET")
        found[namespace] = secret
    return found
