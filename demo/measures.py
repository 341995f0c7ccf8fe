"""Rates, shares and times from a series of snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from demo.world import Count, History, Snapshot


def window(history: History, seconds: float) -> tuple[Snapshot, Snapshot]:
    """The newest snapshot and the oldest one at most `seconds` older; one at least is needed."""
    last = history[-1]
    return next(s for s in history if s.time >= last.time - seconds), last


def request_rate(history: History, seconds: float = 5) -> float | None:
    """Requests per second that the clients sent; None with too little history."""
    # The first sample of a new counter tells nothing of when its events were.
    counted = [s for s in history if s.figures.clients.total > 0]
    if not counted:
        return None
    first, last = window(counted, seconds)
    if last.time - first.time < 1:
        return None
    made = last.figures.clients - first.figures.clients
    return max(0, made.total) / (last.time - first.time)


def shares(history: History, seconds: float = 5) -> dict[str, float]:
    """Each revision's share of the gateway's requests, in 0..1; empty without requests."""
    first, last = window(history, seconds)
    return _shares(first, last)


@dataclass(frozen=True)
class StepShare:
    """What a weight in the HTTPRoute made of the traffic: percent, share in 0..1, requests."""

    weight: int
    measured: float
    requests: int


def step_shares(history: History, revision: str) -> list[StepShare]:
    """By weight of that revision, as long as it had a part of the traffic."""
    found = []
    for weight, group in groupby(history, lambda s: s.route.get(revision, 0)):
        during = list(group)
        if not 0 < weight < 100 or len(during) < 3:
            continue
        # Counters are up to a scrape old, so the first snapshot still tells of the step before.
        first, last = during[1], during[-1]
        made = {r: (c - _served(first, r)).total for r, c in last.figures.served.items()}
        if (total := sum(made.values())) > 0:
            found.append(StepShare(weight, made.get(revision, 0) / total, total))
    return found


def since(history: History, time: float) -> list[Snapshot]:
    """The snapshots from that time on."""
    return [s for s in history if s.time >= time]


def first_time(history: History, revision: str) -> tuple[float, float] | None:
    """When the revision's first failed request was seen, and when it had no traffic after that.

    None while either has not been seen.
    """
    failed = next(
        (s.time for s in history if s.figures.served.get(revision, Count()).bad > 0), None
    )
    if failed is None:
        return None
    away = next((s.time for s in history if s.time > failed and revision not in s.route), None)
    return None if away is None else (failed, away)


def _shares(first: Snapshot, last: Snapshot) -> dict[str, float]:
    made = {r: (c - _served(first, r)).total for r, c in last.figures.served.items()}
    total = sum(made.values())
    return {r: n / total for r, n in made.items()} if total > 0 else {}


def _served(snapshot: Snapshot, revision: str) -> Count:
    return snapshot.figures.served.get(revision, Count())
