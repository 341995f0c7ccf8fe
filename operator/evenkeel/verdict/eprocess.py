"""Anytime-valid evidence that a share of events exceeds, or stays below, a reference.

Every test of the verdict is this one: of `trials` events, `hits` were of a kind whose share is
`share` at the edge of the null hypothesis. A bet on odds `m` times as high pays
`m**hits / (1 + share * (m - 1))**trials`, which under the null hypothesis is worth at most 1 on
average. A grid of such bets is a nonnegative supermartingale, so its value passes 1/alpha with
probability at most alpha, however often one looks (Ville 1939; Howard et al., arXiv 1808.03204).

Bets are opened little by little: most of the stake with the first events, the rest as traffic
goes by. A canary that breaks after an hour of good service then meets fresh bets, and not only
those which that hour has ruined. Stakes never add up to more than 1, so the bound holds.

docs/verdict.md has the proofs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, floor, log, log1p

Wealth = tuple[int, ...]
"""Logarithm of the wealth of each bet of a grid, in millionths of a nat, rounded down.

Integers, so that a restart that reads them back resumes the very same evidence.
"""

MICRO = 1_000_000
LOWEST = -1_000 * MICRO
HIGHEST = 500 * MICRO
_FIRST_STAKE = 0.8
_LATER_STAKES_SCALE = 100.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Odds multipliers to bet on, as (log m, m - 1, log of the share of the stake)."""

    bets: tuple[tuple[float, float, float], ...]

    @classmethod
    def of(cls, stakes: dict[float, float]) -> "Grid":
        """A grid from {odds multiplier: share of the stake}; the shares add up to at most 1."""
        if sum(stakes.values()) > 1 + 1e-12:
            raise ValueError("stakes must not add up to more than 1")
        return cls(tuple((log(m), m - 1, log(stake)) for m, stake in stakes.items()))

    @property
    def unopened(self) -> Wealth:
        """The wealth of bets that have not begun."""
        return (LOWEST,) * len(self.bets)


HIGHER = Grid.of(
    {1.25: 0.05, 1.6: 0.1, 2.0: 0.2, 3.0: 0.25, 5.0: 0.2, 10.0: 0.1, 30.0: 0.05, 100.0: 0.05}
)
LOWER = Grid.of({0.85: 0.1, 0.67: 0.15, 0.5: 0.15, 0.3: 0.2, 0.1: 0.2, 0.01: 0.2})


def stake(before: int, after: int) -> float:
    """Share of the whole stake put on bets as traffic grows from `before` to `after` requests.

    It depends on exposure alone, never on outcomes: the bound needs that.
    """
    opened = 0.0 if before else _FIRST_STAKE
    left = 1 - _FIRST_STAKE
    return opened + left * (_unopened_after(before) - _unopened_after(after))


def _unopened_after(requests: int) -> float:
    return 1 / (1 + log1p(requests / _LATER_STAKES_SCALE))


def open_bets(wealth: Wealth, grid: Grid, opened: float) -> Wealth:
    """Wealth after new bets worth `opened` of the whole stake have been placed."""
    if opened <= 0:
        return wealth
    log_opened = log(opened)
    return tuple(
        [
            floor(_log_add(held / MICRO, log_opened + log_stake) * MICRO)
            for held, (_, _, log_stake) in zip(wealth, grid.bets, strict=True)
        ]
    )


def bet(wealth: Wealth, grid: Grid, hits: int, trials: int, share: float) -> Wealth:
    """Wealth after `hits` of `trials` events."""
    if not trials:
        return wealth
    return tuple(
        [
            max(LOWEST, floor(held + MICRO * (hits * log_m - trials * log1p(share * gain))))
            for held, (log_m, gain, _) in zip(wealth, grid.bets, strict=True)
        ]
    )


def capped(wealth: Wealth, surplus: float) -> Wealth:
    """Wealth of which all but `exp(-surplus)` is thrown away; a negative surplus changes nothing.

    That costs no validity, and evidence won long ago cannot outvote what happens now.
    """
    if surplus <= 0:
        return wealth
    return tuple([max(LOWEST, floor(held - surplus * MICRO)) for held in wealth])


@lru_cache(maxsize=8192)
def log_evidence(wealth: Wealth) -> float:
    """Logarithm (nats) of the e-value: the summed wealth of all bets."""
    return _log_sum([value / MICRO for value in wealth])


def _log_add(one: float, other: float) -> float:
    high, low = (one, other) if one > other else (other, one)
    return high + log1p(exp(low - high))


def _log_sum(values: Sequence[float]) -> float:
    top = max(values)
    return top + log(sum([exp(value - top) for value in values]))
