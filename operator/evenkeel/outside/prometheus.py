"""Counts that a Prometheus has of a window of the past."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

WINDOW = "prometheus-window"
"""Kind of the polls."""


@dataclass(frozen=True, slots=True)
class WindowQuestion:
    """How much counters grew in a window. Its answer is the same whenever it is asked.

    server: how the Prometheus is reached, as the spec says it. total, counted: PromQL selectors of
    counters; counted are the good events, or the bad ones where `good` is false. end: Unix seconds.
    """

    server: Hashable
    total: str
    counted: str
    good: bool
    seconds: int
    end: int


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """Events in the window that ends then; void: why nothing can be told of it, if so."""

    end: int
    bad: int = 0
    total: int = 0
    void: str = ""
