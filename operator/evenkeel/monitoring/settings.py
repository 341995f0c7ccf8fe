"""What is asked of the detectors, and the thresholds that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

A_YEAR = 365 * 86400
REFERENCE_MISS = 0.01
"""Chance that a finite reference is further off than allowed for, all histograms together."""
RARE = 0.1
"""Share of the tolerance that holds for missing and unseen values, which are rare as a rule."""
ENDED = 0.1
"""Share of the threshold below which an alarm ends."""
LEAST_THRESHOLD = 4.0


@dataclass(frozen=True, slots=True)
class Settings:
    """false_alarms_per_year: of all groups together, on average at most. tolerance: total
    variation from the reference that is no drift. min_rows: a histogram with fewer in a block
    tells nothing. max_ratio: bad labels of all labels; None: labels are not judged. others: groups
    that other detectors judge within the same bound."""

    block_seconds: int = 86400
    false_alarms_per_year: float = 0.1
    tolerance: float = 0.05
    min_rows: int = 200
    max_ratio: float | None = None
    min_labels: int = 100
    others: int = 0

    def __post_init__(self) -> None:
        ratio = self.max_ratio
        if (
            self.block_seconds < 1
            or not 0 < self.false_alarms_per_year < float("inf")
            or not 0 < self.tolerance < 1
            or self.min_rows < 1
            or self.min_labels < 1
            or self.others < 0
            or not (ratio is None or 0 < ratio < 1)
        ):
            raise ValueError(f"no detector can keep to {self}")

    def threshold(self, groups: int) -> float:
        """The statistic at which each of so many groups alarms.

        A group's statistic is worth at most the number of blocks, so that it rises from where an
        alarm has ended to the threshold once in `threshold * (1 - ENDED)` blocks at most.
        """
        run_length = (
            (groups + self.others) * A_YEAR / self.block_seconds / self.false_alarms_per_year
        )
        return max(LEAST_THRESHOLD, run_length / (1 - ENDED))


def log_cap(threshold: float, members: int) -> float:
    """The most that one block may count for, in nats.

    Two blocks in a row can show a drift of a single one of the group's members. One block never
    shows anything, whatever it holds, after blocks that were within tolerance.
    """
    return log(min(sqrt(threshold * members), threshold / 2))
