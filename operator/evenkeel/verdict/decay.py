"""Whether the ratio of bad events of a version in production is shown to be above a limit.

An observation is the ratio of a whole window, from 0 to 1. A bet keeps a share of its wealth and
puts the fraction `f` on the ratio: it pays `1 - f + f * ratio / limit`, which is worth at most 1 on
average as long as the window's mean ratio, given all before it, is within the limit - however the
requests within the window depend on each other. docs/verdict.md has the proof.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, log

from evenkeel.verdict.eprocess import (
    HIGHEST,
    LOWEST,
    MICRO,
    Grid,
    Wealth,
    log_evidence,
    open_bets,
    stake,
)

FRACTIONS = Grid.of({0.05: 0.1, 0.15: 0.2, 0.35: 0.25, 0.6: 0.25, 0.9: 0.2})
"""Fractions to bet, by shares of the stake."""
_BETS = (0.05, 0.15, 0.35, 0.6, 0.9)


@dataclass(frozen=True, slots=True)
class Decay:
    """The evidence after so many windows. limit: the ratio up to which all is well. alpha: the
    greatest probability that a version within it is ever taken for a decayed one."""

    limit: float
    alpha: float
    windows: int = 0
    wealth: Wealth = FRACTIONS.unopened

    def fold(self, bad: int, total: int) -> Decay:
        """With one more window. Raises ValueError for one without events."""
        if total <= 0 or not 0 <= bad <= total:
            raise ValueError(f"no window has {bad} bad events of {total}")
        opened = open_bets(self.wealth, FRACTIONS, stake(self.windows, self.windows + 1))
        wealth = pay(opened, bad / total / self.limit)
        return replace(self, windows=self.windows + 1, wealth=wealth)

    @property
    def shown(self) -> bool:
        """Whether the ratio is shown to be above the limit."""
        return self.windows > 0 and log_evidence(self.wealth) >= -log(self.alpha)

    @property
    def log_e(self) -> float:
        """The logarithm (nats) of the evidence."""
        return log_evidence(self.wealth)


def pay(opened: Wealth, times: float) -> Wealth:
    """Wealth of open bets after a window whose ratio was so many times the limit."""
    return tuple(
        min(HIGHEST, max(LOWEST, floor(held + MICRO * log(1 + fraction * (times - 1)))))
        for held, fraction in zip(opened, _BETS, strict=True)
    )


def to_text(wealth: Wealth) -> str:
    """The wealth as it is kept in a status."""
    return " ".join(map(str, wealth))


def from_text(text: str) -> Wealth:
    """What `to_text` wrote. Raises ValueError for anything else."""
    wealth = tuple(int(part) for part in text.split(" ")) if text else FRACTIONS.unopened
    if len(wealth) != len(_BETS) or not all(LOWEST <= one <= HIGHEST for one in wealth):
        raise ValueError(f"kept evidence is damaged: {text[:100]!r}")
    return wealth
