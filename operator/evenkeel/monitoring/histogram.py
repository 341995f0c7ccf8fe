"""Counts over bins against a reference: how far, and how likely at best within a tolerance.

The most likely distribution within total variation `radius` of the reference raises the bins of
the highest ratio of observed to expected share to a common ratio, lowers those of the lowest
ratio to another, and leaves the rest: these are the Karush-Kuhn-Tucker conditions of a concave
problem. The mass raised and the mass lowered are `radius` each, so both levels follow from one
walk along the sorted ratios, exactly. docs/monitoring-statistics.md has the proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log, log1p, sqrt
from operator import sub
from typing import NamedTuple

Shares = tuple[float, ...]
"""One a bin, from 0 to 1; they add up to 1."""


class Ball(NamedTuple):
    """All distributions within total variation `radius` (above 0) of `center`."""

    center: Shares
    radius: float


def shares(counts: Sequence[int]) -> Shares:
    """Of each bin in all. Raises ValueError for counts that are negative or add up to nothing."""
    total = sum(counts)
    if total <= 0 or min(counts) < 0:
        raise ValueError(f"no shares are in {list(counts)[:10]}")
    return tuple([count / total for count in counts])


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Total variation: the share of rows that would have to change bins, from 0 to 1."""
    moved: float = sum(map(abs, map(sub, one, other)))
    return moved / 2


def within(counts: Sequence[int], tolerance: float, miss: float) -> Ball:
    """What is within `tolerance` of the distribution that a reference of such counts came from.

    The reference is a sample, so the ball is wider than the tolerance by a bound on how far the
    sample is off, which it keeps but with probability `miss`. Many bins: Weissman et al. (2003).
    Two bins: the exact interval of Chernoff's bound, which is far narrower for rare events.
    """
    rows = sum(counts)
    if len(counts) == 2:
        low, high = interval(counts[0] / rows, log(2 / miss) / rows)
        middle = (low + high) / 2
        return Ball((middle, 1 - middle), min(1.0, tolerance + (high - low) / 2))
    # log(2^k - 2), which must not overflow a float.
    sets = len(counts) * log(2) + log1p(-(2.0 ** (1 - len(counts)))) if len(counts) > 1 else 0.0
    return Ball(shares(counts), min(1.0, tolerance + sqrt((sets - log(miss)) / (2 * rows))))


def interval(share: float, divergence: float) -> tuple[float, float]:
    """The probabilities whose Kullback-Leibler divergence from an observed share is so small."""
    return _edge(share, 0.0, divergence), _edge(share, 1.0, divergence)


def _edge(share: float, end: float, divergence: float) -> float:
    inside, outside = share, end
    for _ in range(50):
        middle = (inside + outside) / 2
        if _divergence(share, middle) <= divergence:
            inside = middle
        else:
            outside = middle
    return outside


def _divergence(share: float, other: float) -> float:
    found = 0.0
    for a, b in ((share, other), (1 - share, 1 - other)):
        if a > 0:
            found += a * log(a / b) if b > 0 else inf
    return found


def likeliest(counts: Sequence[int], ball: Ball) -> Shares:
    """The distribution of the ball that makes the counts most likely."""
    seen = shares(counts)
    center, radius = ball
    if distance(seen, center) <= radius:
        return seen
    ratios = [_ratio(a, b) for a, b in zip(seen, center, strict=True)]
    order = sorted(range(len(seen)), key=ratios.__getitem__)
    found = list(center)
    raised, high = _raised(seen, ball, ratios, order[::-1])
    for at in raised:
        found[at] = seen[at] / high
    lowered, low = _lowered(seen, ball, ratios, order)
    unseen = sum([center[at] for at in lowered])
    for at in lowered:
        # Bins without rows can pay for all of it alone, each by its share.
        found[at] = seen[at] / low if low > 0 else center[at] * (1 - radius / unseen)
    return tuple(found)


def _ratio(observed: float, expected: float) -> float:
    if expected > 0:
        return observed / expected
    return inf if observed > 0 else 0.0


def _raised(
    seen: Shares, ball: Ball, ratios: list[float], order: list[int]
) -> tuple[list[int], float]:
    """The bins that get `radius` more in all, and the ratio of seen to given that they share."""
    taken: list[int] = []
    observed, expected, level = 0.0, ball.radius, 0.0
    for at in order:
        if ratios[at] <= level:
            break
        taken.append(at)
        observed += seen[at]
        expected += ball.center[at]
        level = observed / expected
    return taken, level


def _lowered(
    seen: Shares, ball: Ball, ratios: list[float], order: list[int]
) -> tuple[list[int], float]:
    """The bins that get `radius` less in all, and the ratio of seen to given that they share."""
    taken: list[int] = []
    observed, expected, level = 0.0, -ball.radius, inf
    for at in order:
        if ratios[at] > 0 and ratios[at] >= level:
            break
        taken.append(at)
        observed += seen[at]
        expected += ball.center[at]
        level = observed / expected if expected > 0 else inf
    return taken, level


def log_likelihood(counts: Sequence[int], of: Sequence[float]) -> float:
    """Of counts, row by row, in nats. Each bin with rows has a share above 0."""
    return sum([count * log(share) for count, share in zip(counts, of, strict=True) if count])
