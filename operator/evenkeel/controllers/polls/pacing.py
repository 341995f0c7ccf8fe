"""When a question is asked: its turn among those that wait, and when it is due again.

It knows no network and no clock: the time is an argument, in seconds that only grow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from evenkeel.meta.objects import Key
from evenkeel.outside.poll import Poll, Sighting

AT_ONCE = 64
"""Questions that are in hand at the same time."""
OF_HOST = 8
OF_NAMESPACE = 16
OF_BOTH = 4
"""Those to one host, of one namespace, and of one namespace to one host."""
DOUBTFUL = 32
DOUBTFUL_OF_HOST = 4
"""Those that may well go without an answer, so that there is room for those that get one."""
JITTER = 0.1
"""Share of the interval by which the next question comes earlier or later."""
LONGEST_PAUSE = 600.0
"""Seconds from one failure to the next question, unless the interval is longer."""
HINT_PAUSE = 2.0
"""Seconds from one question to the next, however many hints there are."""

UNSEEN: Sighting[object] = Sighting()


@dataclass(slots=True, eq=False)
class Inquiry:
    """A question of a namespace, and what is known of it.

    askers: the objects that want to know. asked: when it was asked last. failures: those in a row.
    """

    namespace: str
    poll: Poll
    askers: set[Key] = field(default_factory=set)
    due: float = 0.0
    asked: float = float("-inf")
    in_hand: bool = False
    failures: int = 0
    seen: Sighting[object] = UNSEEN

    @property
    def host(self) -> str:
        """Host and port, whoever reads the address how; the whole of one that cannot be read."""
        try:
            return urlsplit(self.poll.url).netloc.lower() or self.poll.url
        except ValueError:
            return self.poll.url

    @property
    def doubtful(self) -> bool:
        """Whether it may well go without an answer."""
        return self.failures > 0 or self.seen.answer is None

    def begin(self, now: float) -> None:
        """It is asked now."""
        self.in_hand, self.asked, self.due = True, now, float("inf")

    def answered(self, now: float, chance: float) -> None:
        """It was answered; it is due again after its interval. chance: 0 to 1, the jitter."""
        self.failures = 0
        self._rest(now, self.poll.interval, chance)

    def failed(self, now: float, chance: float) -> None:
        """It was not; each further failure doubles the time until it is asked again."""
        self.failures += 1
        pause = self.poll.interval * 2.0 ** min(self.failures, 20)
        self._rest(now, min(pause, max(self.poll.interval, LONGEST_PAUSE)), chance)

    def hinted(self, now: float) -> None:
        """It may have another answer by now, also if it is just being asked."""
        self.due = min(self.due, max(now, self.asked + HINT_PAUSE))

    def _rest(self, now: float, pause: float, chance: float) -> None:
        self.due = min(self.due, now + pause * (1 + JITTER * (2 * chance - 1)))


def turns(inquiries: Iterable[Inquiry], now: float) -> list[Inquiry]:
    """The questions to ask now of those that are due."""
    every = list(inquiries)
    taken = Counter(share for one in every if one.in_hand for share, _ in _shares(one))
    waiting = [one for one in every if not one.in_hand and one.due <= now]
    begun: list[Inquiry] = []
    for one in _in_order(waiting, every):
        if taken[()] >= AT_ONCE:
            break
        shares = list(_shares(one))
        if all(taken[share] < limit for share, limit in shares):
            taken.update(share for share, _ in shares)
            begun.append(one)
    return begun


def _in_order(waiting: Iterable[Inquiry], every: Iterable[Inquiry]) -> list[Inquiry]:
    """Those likely to be answered first; among equals the namespaces that have fewest in hand, so
    that a long queue of one is no queue for the others."""
    ahead = Counter((d, one.namespace) for one in every if one.in_hand for d in (False, True))
    ordered: list[tuple[bool, int, Inquiry]] = []
    for one in sorted(waiting, key=lambda w: w.due):
        place = (one.doubtful, one.namespace)
        ordered.append((one.doubtful, ahead[place], one))
        ahead[place] += 1
    return [one for *_, one in sorted(ordered, key=lambda o: o[:2])]


def _shares(one: Inquiry) -> Iterator[tuple[tuple[str, ...], int]]:
    """What the question takes a place of, and how many places each has."""
    host, namespace = one.host, one.namespace
    yield (), AT_ONCE
    yield ("host", host), OF_HOST
    yield ("namespace", namespace), OF_NAMESPACE
    yield ("both", host, namespace), OF_BOTH
    if one.doubtful:
        yield ("doubtful",), DOUBTFUL
        yield ("doubtful", host), DOUBTFUL_OF_HOST
