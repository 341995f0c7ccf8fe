"""When one Prometheus is asked what: a bounded number of queries a second, each about many.

It knows no network and no clock: the time is an argument, in seconds that only grow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Hashable, Iterable
from dataclasses import dataclass, field

RATE = 20.0
"""Queries a second to one Prometheus."""
BURST = 5.0
"""Queries at once; the rate holds over each second but for these."""
AT_ONCE = 12
"""Queries that one Prometheus has in hand."""
SHARE = 4
"""Those of one group, so that the slow queries of one leave room for the others."""
COMPANY = 100
"""Questions in one query."""
LEAST_COMPANY = 25
"""Questions that are still asked together when a query about more had no answer in time."""
TEXT = 128 * 1024
LEAST_TEXT = 4 * 1024
"""Characters of one query. Some backends take far less, which is found out."""
LONGEST_WAIT = 30.0
"""Seconds until a question that was refused is asked again."""
TRUSTED_AGAIN = 300.0
"""Seconds until a query that was refused with the times of its samples is asked with them again."""
FORGOTTEN_AFTER = 600.0
"""Seconds after which what was found out about a Prometheus is forgotten."""
TOLERANCE = 1.0
"""Seconds of a difference between two clocks that are let pass."""
PROBES = 3
"""Questions that find out alone whether times can be asked for."""
DOUBTS = 8
"""Refusals of large queries, of which no part is refused, that show that they are too large."""


@dataclass(slots=True, eq=False)
class Inquiry:
    """A question that is asked again and again.

    tenant: on whose behalf, empty where the queries are the platform's. group: only questions of
    one group are asked together. with_times, without_times: its text. due: when it is asked next.
    company: how many at most are asked together with it, itself included. probe: whether it finds
    out alone if times can be asked for.
    """

    tenant: str
    with_times: str
    without_times: str
    interval: float
    due: float = 0.0
    group: Hashable = ()
    company: int = COMPANY
    alone: bool = False
    in_hand: bool = False
    probe: bool = False
    refusals: int = 0
    untimed_until: float = float("-inf")

    def timed(self, now: float) -> bool:
        """Whether the times of the samples are asked for."""
        return now >= self.untimed_until and self.with_times != self.without_times


@dataclass(slots=True)
class Batch:
    """Questions that are asked as one query."""

    group: Hashable
    inquiries: list[Inquiry]
    texts: list[str]
    timed: bool

    @property
    def length(self) -> int:
        """Characters, nearly."""
        return sum(map(len, self.texts))


@dataclass(slots=True)
class Group:
    """Questions that may be asked together, as far as asking them goes.

    knows_times: whether a query with the times of samples was ever answered. acquitted: whether
    these were once suspected of a refusal that they were not the cause of.
    """

    in_hand: int = 0
    served: float = float("-inf")
    untimed_until: float = float("-inf")
    knows_times: bool = False
    acquitted: bool = False


@dataclass(slots=True)
class Server:
    """One Prometheus as far as asking it goes.

    blocked: whether more was due than queries may be in hand.
    """

    tokens: float = BURST
    filled: float = float("-inf")
    text: int = TEXT
    ahead: float = 0.0
    in_hand: int = 0
    doubts: int = 0
    blocked: bool = False
    groups: dict[Hashable, Group] = field(default_factory=lambda: defaultdict(Group))

    def batches(self, due: Iterable[Inquiry], now: float) -> list[Batch]:
        """What to ask now of what is due; all of it is marked as in hand.

        Groups take turns, since one may have many questions that have to be asked alone; within
        a group the questions that have waited longest come first.
        """
        self.tokens = min(BURST, self.tokens + RATE * max(0.0, now - self.filled))
        self.filled = now
        waiting: dict[Hashable, list[Inquiry]] = defaultdict(list)
        for inquiry in sorted(due, key=lambda one: one.due):
            waiting[inquiry.group].append(inquiry)
        self._forget(waiting.keys(), now)
        found: list[Batch] = []
        while self.tokens >= 1 and self.in_hand < AT_ONCE:
            ready = [name for name in waiting if self.groups[name].in_hand < SHARE]
            if not ready:
                break
            name = min(ready, key=lambda n: (self.groups[n].served, waiting[n][0].due))
            batch, rest = self._batch(name, waiting.pop(name), now)
            if rest:
                waiting[name] = rest
            # Groups that are served in the same moment still take turns.
            self.groups[name].served = now + len(found) * 1e-6
            self._begin(batch)
            found.append(batch)
        self.blocked = bool(waiting) and self.tokens >= 1
        return found

    def _forget(self, waiting: Container[Hashable], now: float) -> None:
        for name, group in list(self.groups.items()):
            idle = not group.in_hand and now - group.served > FORGOTTEN_AFTER
            if idle and name not in waiting:
                del self.groups[name]

    def _batch(
        self, name: Hashable, waiting: list[Inquiry], now: float
    ) -> tuple[Batch, list[Inquiry]]:
        taken: list[Inquiry] = []
        texts: list[str] = []
        rest: list[Inquiry] = []
        length, company, timed = 0, COMPANY, False
        trusted = now >= self.groups[name].untimed_until
        for inquiry in waiting:
            with_times = (trusted or inquiry.probe) and inquiry.timed(now)
            text = inquiry.with_times if with_times else inquiry.without_times
            fewest = min(company, inquiry.company)
            if taken and (len(taken) >= fewest or length + len(text) > self.text):
                rest.append(inquiry)
                continue
            taken.append(inquiry)
            texts.append(text)
            length, company, timed = length + len(text), fewest, timed or with_times
        return Batch(name, taken, texts, timed), rest

    def _begin(self, batch: Batch) -> None:
        self.tokens -= 1
        self.in_hand += 1
        self.groups[batch.group].in_hand += 1
        for inquiry in batch.inquiries:
            inquiry.in_hand = True

    def ended(self, batch: Batch) -> None:
        """The query is no longer in hand, however it went."""
        self.in_hand -= 1
        self.groups[batch.group].in_hand -= 1
        for inquiry in batch.inquiries:
            inquiry.in_hand = False

    def answered(self, batch: Batch, asked: float) -> None:
        """The query was answered."""
        group = self.groups[batch.group]
        if batch.timed and not group.knows_times:
            group.knows_times, group.untimed_until = True, asked
        for inquiry in batch.inquiries:
            inquiry.due = asked + inquiry.interval
            inquiry.refusals, inquiry.probe = 0, False
            if not inquiry.alone:
                inquiry.company = min(COMPANY, 2 * inquiry.company)

    def unanswered(self, batch: Batch, asked: float) -> None:
        """There was no answer, through no fault of any one question."""
        company = max(LEAST_COMPANY, len(batch.inquiries) // 2)
        for inquiry in batch.inquiries:
            inquiry.due = asked + inquiry.interval
            inquiry.company = min(inquiry.company, company)

    def refused(self, batch: Batch, now: float) -> bool:
        """The query was refused; whether that is to be told.

        Otherwise smaller ones follow, until the guilty question stands alone, and that is asked
        without its samples' times.
        """
        if len(batch.inquiries) > 1:
            for inquiry in batch.inquiries:
                inquiry.due = now
            if not self._suspect_times(batch, now):
                self._doubt(batch)
                for inquiry in batch.inquiries:
                    inquiry.company = len(batch.inquiries) // 2
            return False
        only = batch.inquiries[0]
        only.probe = False
        if batch.timed:
            only.untimed_until, only.due = now + TRUSTED_AGAIN, now
            return False
        self.doubts = 0
        only.refusals += 1
        only.alone, only.company = True, 1
        only.due = now + max(only.interval, min(LONGEST_WAIT, 2.0 ** min(only.refusals, 10)))
        return True

    def _suspect_times(self, batch: Batch, now: float) -> bool:
        """Whether the same is asked without times first: some backends may not know them."""
        group = self.groups[batch.group]
        if batch.timed and not group.knows_times and not group.acquitted:
            group.untimed_until = now + TRUSTED_AGAIN
            for inquiry in batch.inquiries[:PROBES]:
                inquiry.probe, inquiry.company = True, 1
            return True
        if now < group.untimed_until and not group.acquitted:
            group.untimed_until, group.acquitted = now, True
        return False

    def _doubt(self, batch: Batch) -> None:
        self.doubts += 1
        if self.doubts >= DOUBTS:
            self.doubts, self.text = 0, max(LEAST_TEXT, batch.length // 2)

    def idle(self, now: float) -> bool:
        """Whether nothing has been asked for long."""
        return not self.in_hand and now - self.filled > FORGOTTEN_AFTER

    def correct(self, evaluated: float, asked: float, answered: float) -> float:
        """Seconds that the operator's clock is ahead of Prometheus', which evaluated the query at
        `evaluated` by its own clock; asked, answered: by the operator's. Never more than 0.

        It is kept while it may be true, so that one sample has the same time at each look. An
        answer as of a moment ago may be an old one, of a cache or a lagging store.
        """
        low, high = min(0.0, asked - evaluated), min(0.0, answered - evaluated)
        if not low - TOLERANCE <= self.ahead <= high + TOLERANCE:
            self.ahead = high
        return self.ahead
