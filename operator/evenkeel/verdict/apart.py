"""How far apart total and good events are counted: requests in flight, or good ones ahead of total.

Total less good events is bad events plus that gap. Bad events never become fewer: where it falls
there are gaps, where it never does the counts are taken as exact. See docs/verdict.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

from evenkeel.verdict.block import Block
from evenkeel.verdict.process import Process

PER_SQUARE = 0.5
"""Requests of gap by the square of how much it varies: of independent requests it is the root."""
ENOUGH = 100
"""Requests in a block from which on it shows the canary's share of them."""


class Apart(NamedTuple):
    """By how many bad events a side may seem to have too many (or stable too few) since the
    evidence began. led: whether good events were ahead of total: then none is one too many."""

    canary: int = 0
    stable: int = 0
    led: int = 0

    def after(
        self,
        block: Block,
        total: tuple[int, int],
        canary: Iterable[Process],
        stable: Iterable[Process],
    ) -> Apart:
        """With what the processes have shown until a block. total: requests of both sides before.

        Servers of one kind have gaps by their requests, so both sides' speak for each. What may be
        wrong never becomes less: bets that are opened later would meet too few or too many.
        """
        here, there = tuple(canary), tuple(stable)
        if self.led or any(p.led for p in (*here, *there)):
            return Apart(led=1)
        if not (any(self) or any(p.fell for p in (*here, *there))):
            return self
        squares = PER_SQUARE * sum(p.short**2 for p in (*here, *there))
        own = (sum(p.short for p in here), sum(p.short for p in there))
        now = block.canary_total, block.stable_total
        gaps = self
        for counts in (now if sum(now) >= ENOUGH else total, total):
            each = squares / max(1, sum(counts))
            found = [ceil(short + each * n) for short, n in zip(own, counts, strict=True)]
            gaps = Apart(max(gaps.canary, found[0]), max(gaps.stable, found[1]))
        return gaps

    def told(self) -> str:
        """In words; empty if total and good events are counted together."""
        if not self.canary:
            return ""
        return (
            f"total and good events of the canary are counted apart by up to {self.canary} "
            "requests, which decide nothing: take counters that are raised together"
        )


TOGETHER = Apart()
