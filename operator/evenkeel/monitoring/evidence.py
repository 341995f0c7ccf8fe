"""The evidence of one block against "within tolerance of the reference".

Its e-value is a likelihood ratio by universal inference (Wasserman, Ramdas and Balakrishnan, PNAS
117, 2020): a mixture of distributions that was chosen before the block, over the likelihood of
the best distribution within tolerance. It is worth at most 1 on average if the rows are
independent and their *average* distribution is within tolerance, whatever the mixture. The
mixture has Dirichlet priors around the reference, near and far, an ignorant one, and one around
what earlier blocks have shown, so that a small but lasting drift adds up.

docs/monitoring-statistics.md has the proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log
from operator import add

from evenkeel.monitoring.histogram import (
    Ball,
    Shares,
    distance,
    likeliest,
    log_likelihood,
    shares,
)

CONCENTRATIONS = (3.0, 30.0)
"""Of the priors around the reference, in pseudo-rows a bin: changes by much and by little."""
FRESH, REMEMBERED = 0.5, 0.5
"""Shares of the mixture: of the priors that know no block, and of the one that knows the last."""
WITHIN = 0.5
"""The most that a block which is itself within tolerance counts for: evidence then fades."""
MOST_REMEMBERED = 10_000

Memory = tuple[int, ...]
"""Rows of the last blocks by bin, older ones counting less; nothing remembered: all 0."""


def remember(memory: Memory, counts: Sequence[int]) -> Memory:
    """With one more block, in whole numbers, MOST_REMEMBERED at most in all."""
    kept = [before // 2 + count for before, count in zip(memory, counts, strict=True)]
    total = sum(kept)
    if total > MOST_REMEMBERED:
        kept = [count * MOST_REMEMBERED // total for count in kept]
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class Prior:
    """A Dirichlet distribution of distributions over bins."""

    weights: tuple[float, ...]
    total: float
    constant: float
    """lgamma of the sum, less those of the weights: the same for all counts."""

    @classmethod
    def of(cls, weights: Sequence[float]) -> Prior:
        total = sum(weights)
        return cls(tuple(weights), total, lgamma(total) - sum(map(lgamma, weights)))

    def log_likelihood(self, counts: Sequence[int], rows: int) -> float:
        """Of counts, row by row, in nats: the mean over this prior."""
        shaped = sum(map(lgamma, map(add, self.weights, counts)))
        return self.constant + shaped - lgamma(self.total + rows)


@dataclass(frozen=True, slots=True)
class Null:
    """What is within tolerance of a reference, and the bets against it that know no block."""

    ball: Ball
    expected: Shares
    """The reference's shares, none of them 0."""
    fresh: tuple[Prior, ...]

    @classmethod
    def of(cls, counts: Sequence[int], ball: Ball) -> Null:
        """counts: the reference's, of which the ball was made."""
        bins = len(counts)
        expected = shares([2 * count + 1 for count in counts])
        around = [Prior.of([bins * c * share for share in expected]) for c in CONCENTRATIONS]
        return cls(ball, expected, (*around, Prior.of([0.5] * bins)))

    def log_e(self, counts: Sequence[int], memory: Memory) -> float:
        """The e-value's logarithm in nats. The memory is of blocks before this one."""
        ratio = self.log_ratio(counts, memory)
        inside = distance(shares(counts), self.ball.center) <= self.ball.radius
        return min(log(WITHIN), ratio) if inside else ratio

    def log_ratio(self, counts: Sequence[int], memory: Memory) -> float:
        """How much likelier, in nats, counts are by the mixture than by the best of the ball."""
        best = likeliest(counts, self.ball)
        return self._mixture(counts, sum(counts), memory) - log_likelihood(counts, best)

    def _mixture(self, counts: Sequence[int], rows: int, memory: Memory) -> float:
        """Logarithm of the counts' likelihood under all priors together."""
        known = any(memory)
        each = (FRESH if known else 1.0) / len(self.fresh)
        terms = [log(each) + prior.log_likelihood(counts, rows) for prior in self.fresh]
        if known:
            pull = len(counts) / 2
            weights = [m + pull * share for m, share in zip(memory, self.expected, strict=True)]
            terms.append(log(REMEMBERED) + Prior.of(weights).log_likelihood(counts, rows))
        top = max(terms)
        return top + log(sum([exp(term - top) for term in terms]))
