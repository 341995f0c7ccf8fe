"""Simulated model servers: how a version behaves, and the counters of one pod."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Literal, NamedTuple

from bench.conditions.chance import binomial, poisson

Odd = Literal["", "nan", "negative", "vanishes"]


@dataclass(frozen=True)
class Server:
    """How the pods of one version behave. Times are seconds.

    errors, slow, middling: shares of requests; a middling answer takes 0.3 s. cold_requests: so
    many first requests of each process are slow; cold_errors: share of failures in the first
    cold_seconds after readiness. crash: chance of each request to end the process. dies: whether
    the process ends before it is ready. lead: by how
    much the counters of good requests run ahead of the total. scrape_failures: share of scrapes
    that answer 500 or come too late. start: from the process' start until it is ready. ready_pods:
    how many of a Deployment's pods ever get ready. flap: seconds up and seconds down, in turns.
    odd: what the counter of bad requests shows. clients: label sets of each counter.
    """

    errors: float = 0.001
    slow: float = 0.0
    middling: float = 0.0
    cold_requests: int = 0
    cold_seconds: float = 0.0
    cold_errors: float = 0.0
    crash: float = 0.0
    dies: bool = False
    lead: float = 0.0
    scrape_failures: float = 0.0
    start: float = 1.5
    ready_pods: int | None = None
    flap: tuple[float, float] | None = None
    odd: Odd = ""
    clients: int = 1


class Incident(NamedTuple):
    """A time in which both revisions fail with this share of requests."""

    begin: float
    end: float
    errors: float


@dataclass
class Counts:
    """Counters of one process."""

    total: int = 0
    bad: int = 0
    slow: int = 0
    middling: int = 0


@dataclass
class Pod:
    """One pod. `started` is None while no process runs; rate: requests a second that it gets.

    served, failed: what clients saw, over all its processes. crashed: its process has just ended.
    """

    namespace: str
    name: str
    model: str
    server: Server
    dialect: str
    chance: Random
    started: float | None = None
    ready_since: float | None = None
    rate: float = 0.0
    restarts: int = 0
    crashed: bool = False
    counts: Counts = field(default_factory=Counts)
    served: int = 0
    failed: int = 0
    scrapes: int = 0
    last: float = 0.0
    history: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=64))
    _until_crash: int = 0

    @property
    def ready(self) -> bool:
        return self.ready_since is not None and self.started is not None

    def start(self, now: float) -> None:
        """A new process, whose counters begin at zero."""
        self.started, self.last = now, now
        self.counts, self.crashed = Counts(), False
        self.history.clear()
        if self.server.crash:
            self._until_crash = 1 + int(self.chance.expovariate(self.server.crash))

    def stop(self) -> None:
        """The process has ended and its counters are gone."""
        self.started = self.ready_since = None

    def advance(self, now: float, incidents: Sequence[Incident] = ()) -> None:
        """Serves the requests that have come since the last call."""
        if self.started is None or now <= self.last:
            return
        if self.rate > 0:
            edges = {t for i in incidents for t in (i.begin, i.end)}
            if self.server.cold_seconds and self.ready_since is not None:
                edges.add(self.ready_since + self.server.cold_seconds)
            times = [self.last, *sorted(t for t in edges if self.last < t < now), now]
            for begin, end in pairwise(times):
                self._serve((begin + end) / 2, end - begin, incidents)
        self.last = now
        if self.server.lead:
            self.history.append((now, self.counts.total))

    def total_behind(self, now: float) -> int:
        """The total as it stood `lead` seconds ago."""
        when, found = now - self.server.lead, 0
        for (t0, n0), (t1, n1) in pairwise(self.history):
            if t0 <= when < t1:
                return n0 + int((n1 - n0) * (when - t0) / (t1 - t0))
            found = n0 if t0 <= when else found
        return self.history[-1][1] if self.history and self.history[-1][0] <= when else found

    def _serve(self, middle: float, seconds: float, incidents: Sequence[Incident]) -> None:
        if self.crashed:
            return
        number = poisson(self.chance, self.rate * seconds)
        if self.server.crash:
            if number >= self._until_crash:
                number, self.crashed = self._until_crash, True
            self._until_crash -= number
        bad = binomial(self.chance, number, self._errors(middle, incidents))
        cold = min(number, max(0, self.server.cold_requests - self.counts.total))
        self.counts.total += number
        self.counts.bad += bad
        self.counts.slow += cold + binomial(self.chance, number - cold, self.server.slow)
        self.counts.middling += binomial(self.chance, number - cold, self.server.middling)
        self.served += number
        self.failed += bad + self.crashed

    def _errors(self, now: float, incidents: Sequence[Incident]) -> float:
        found = self.server.errors
        since = self.ready_since
        if since is not None and now < since + self.server.cold_seconds:
            found = max(found, self.server.cold_errors)
        return max([found, *(i.errors for i in incidents if i.begin <= now < i.end)])
