"""Random numbers of requests, and what can be said of a share after so many trials."""

from __future__ import annotations

from collections.abc import Callable
from math import comb, exp, inf, log, log1p, sqrt
from random import Random
from typing import NamedTuple

CONFIDENCE = 0.95
_EXACT_BELOW = 60.0


class Interval(NamedTuple):
    """Lower and upper end of a share, from 0 to 1."""

    low: float
    high: float


def poisson(chance: Random, mean: float) -> int:
    """A number of requests with this mean; beyond 60 by the normal law, which is near enough."""
    if mean <= 0:
        return 0
    if mean > _EXACT_BELOW:
        return max(0, round(chance.gauss(mean, sqrt(mean))))
    limit, product, number = exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        number += 1
    return number


def binomial(chance: Random, number: int, share: float) -> int:
    """How many of `number` requests are hit, each with probability `share`; exact."""
    if share <= 0 or number <= 0:
        return 0
    if share >= 1:
        return number
    if share > 0.5:
        return number - binomial(chance, number, 1 - share)
    hits, place, rest = 0, 0, log1p(-share)
    while True:
        # The gaps between hits are geometric: as many turns as hits, not as requests.
        gap = log(1.0 - chance.random()) / rest if rest else inf
        if place + gap >= number:
            return hits
        place += int(gap) + 1
        hits += 1


def interval(hits: int, trials: int) -> Interval:
    """The exact (Clopper-Pearson) interval at CONFIDENCE; everything is possible of no trial."""
    if trials == 0:
        return Interval(0.0, 1.0)
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if hits == 0 else _root(lambda p: _at_least(hits, trials, p) < tail)
    high = 1.0 if hits == trials else _root(lambda p: 1 - _at_least(hits + 1, trials, p) > tail)
    return Interval(low, high)


def _at_least(hits: int, trials: int, share: float) -> float:
    return sum(
        comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(hits, trials + 1)
    )


def _root(below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2
