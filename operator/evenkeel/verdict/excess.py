"""Anytime-valid evidence on pairs: whether those against the canary exceed those against stable.

A pair is one request that both sides answered. It counts 1 if it is against the canary, -1 if it
is against stable and 0 if it is against none or both; the mean is by how much the canary's bad
ratio exceeds stable's. A bet puts the fraction `f` on its distance from a limit `a`: it pays
`1 + f (x - a) / (1 + a)` on worse and `1 - f (x - a) / (1 - a)` on better, never less than
`1 - f`, and at most 1 on average while the mean is within the limit. docs/verdict.md has the proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log, log1p

from evenkeel.verdict.eprocess import HIGHER, LOWER, LOWEST, MICRO, Grid, Wealth, open_bets

_WORSE = {0.02: 0.05, 0.05: 0.1, 0.1: 0.1, 0.2: 0.15, 0.35: 0.15, 0.55: 0.15, 0.8: 0.2, 0.97: 0.1}
_BETTER = {0.03: 0.1, 0.08: 0.15, 0.2: 0.2, 0.4: 0.15, 0.7: 0.15, 0.99: 0.25}


def _grid(stakes: dict[float, float]) -> Grid:
    if sum(stakes.values()) > 1 + 1e-12:
        raise ValueError("stakes must not add up to more than 1")
    return Grid(tuple((f, f, log(stake)) for f, stake in stakes.items()))


WORSE, BETTER = _grid(_WORSE), _grid(_BETTER)
"""Fractions to bet, by shares of the stake. As many as of HIGHER and LOWER, so that a limit keeps
either."""
assert (len(WORSE.bets), len(BETTER.bets)) == (len(HIGHER.bets), len(LOWER.bets))


def on_worse(
    wealth: Wealth, opened: float, against: int, beside: int, pairs: int, limit: float
) -> Wealth:
    """Wealth of bets on an excess above the limit, after so many pairs; against: the canary,
    beside: stable. opened: share of the stake that is placed before."""
    return _paid(
        open_bets(wealth, WORSE, opened),
        [
            against * log1p(f * (1 - limit) / (1 + limit))
            + beside * log1p(-f)
            + (pairs - against - beside) * log1p(-f * limit / (1 + limit))
            for f, _, _ in WORSE.bets
        ],
    )


def on_better(
    wealth: Wealth, opened: float, against: int, beside: int, pairs: int, limit: float
) -> Wealth:
    """The same of bets on an excess below the limit."""
    return _paid(
        open_bets(wealth, BETTER, opened),
        [
            against * log1p(-f)
            + beside * log1p(f * (1 + limit) / (1 - limit))
            + (pairs - against - beside) * log1p(f * limit / (1 - limit))
            for f, _, _ in BETTER.bets
        ],
    )


def _paid(wealth: Wealth, gains: Sequence[float]) -> Wealth:
    return tuple(
        [max(LOWEST, floor(held + MICRO * gain)) for held, gain in zip(wealth, gains, strict=True)]
    )
