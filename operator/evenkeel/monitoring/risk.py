"""Whether bad labels are shown to be more than the limit, with the other groups' bound.

The bets are those of verdict/decay.py, on the ratio of a whole block. Here the whole stake is
placed anew with each block, which makes the sum of all bets a Shiryaev-Roberts statistic: it is
worth at most the number of blocks on average. So the claim is a run length, as for the other
groups, and not a probability for a whole life, which would be spent anew with each new version.
"""

from __future__ import annotations

from math import exp

from evenkeel.monitoring.columns import Labels
from evenkeel.verdict.decay import FRACTIONS, pay
from evenkeel.verdict.eprocess import Wealth, capped, log_evidence, open_bets


def fold(wealth: Wealth, labels: Labels, limit: float, log_cap: float, log_most: float) -> Wealth:
    """With the labels of one more block. The ratio counts up to `exp(log_cap)` times the limit,
    and the wealth up to `exp(log_most)`. Raises ValueError for labels that cannot be."""
    bad, total = labels
    if total <= 0 or not 0 <= bad <= total:
        raise ValueError(f"no block has {bad} bad labels of {total}")
    ratio = min(bad / total, limit * exp(log_cap))
    paid = pay(open_bets(wealth, FRACTIONS, 1.0), ratio / limit)
    return capped(paid, log_evidence(paid) - log_most)
