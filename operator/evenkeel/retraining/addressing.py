"""What a request means to each schedule: the alerts that it may see and that its triggers match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from evenkeel.api.cause import Record
from evenkeel.retraining.counted import digest
from evenkeel.retraining.tenancy import Grants, Tenants
from evenkeel.retraining.triggers import Matched, first_matches
from evenkeel.retraining.triggers.kind import Batch, Receiver, TriggerKind
from evenkeel.retraining.triggers.labelled import Labelled, positions

Specs = Sequence[tuple[str, Any]]


class Recipient(NamedTuple):
    """A schedule. specs: its triggers of the receiver's kind, by name; asked for when needed."""

    namespace: str
    name: str
    specs: Callable[[], Specs]


class Sent(NamedTuple):
    """The alerts of one request for one schedule; `digest` is the same whenever they are sent."""

    alerts: tuple[Matched, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Request:
    """sender: the namespace of the path, if it has one. label: which names the namespace else."""

    sender: str
    label: str
    grants: Grants
    arrived: datetime


@dataclass(slots=True)
class Addressed:
    """sent: by namespace and name. matched: events that concern one schedule at least. nobodys:
    events without a namespace that nobody was granted. withheld: the schedules that they would
    have concerned, with the trigger of each."""

    sent: dict[tuple[str, str], Sent] = field(default_factory=dict)
    matched: int = 0
    nobodys: int = 0
    withheld: dict[tuple[str, str], str] = field(default_factory=dict)


def address(
    kind: TriggerKind[Any, Any],
    batch: Batch[Any],
    recipients: Iterable[Recipient],
    request: Request,
) -> Addressed:
    """Sorts the events by schedules; the kind has a receiver."""
    receiver = kind.receiver
    assert receiver is not None
    events = Labelled([receiver.labels(e) for e in batch.events])
    tenants = Tenants(events, request.label, request.sender, request.grants)
    letters = _Letters(kind.field, receiver, batch, request.arrived)
    found, matched, nobodys = Addressed(), 0, tenants.nobodys
    for to in sorted(recipients, key=lambda r: r.namespace):
        seen = tenants.seen_by(to.namespace, to.name)
        if not seen | nobodys:
            continue
        fired = first_matches(receiver, to.specs(), events, seen | nobodys)
        own = {name: hits & seen for name, hits in fired.items() if hits & seen}
        if own:
            found.sent[to.namespace, to.name] = letters.of(tuple(own.items()))
        elif fired:
            found.withheld[to.namespace, to.name] = next(iter(fired))
        for hits in own.values():
            matched |= hits
    found.matched = matched.bit_count()
    found.nobodys = (nobodys & ~matched).bit_count()
    return found


class _Letters:
    """Records and digests, each made once however many schedules they concern."""

    def __init__(
        self, kind: str, receiver: Receiver[Any, Any], batch: Batch[Any], arrived: datetime
    ) -> None:
        self._kind, self._arrived = kind, arrived

        @cache
        def recorded(n: int) -> tuple[Record, str]:
            event = batch.events[n]
            return receiver.record(event), digest((batch.group, *receiver.identity(event)))

        self._recorded = recorded
        self._made: dict[tuple[tuple[str, int], ...], Sent] = {}

    def of(self, fired: tuple[tuple[str, int], ...]) -> Sent:
        """The alerts at these positions, in the order in which they came."""
        known = self._made.get(fired)
        if known is None:
            entries = sorted((n, name) for name, hits in fired for n in positions(hits))
            whole = digest(sorted(self._recorded(n)[1] for n, _ in entries))
            known = self._made[fired] = Sent(
                tuple(
                    Matched(name, *self._recorded(n), whole, self._arrived, self._kind)
                    for n, name in entries
                ),
                whole,
            )
        return known
