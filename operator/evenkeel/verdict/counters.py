"""From raw counters to a block of events: restarts, new and vanished series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evenkeel.verdict.evidence import Block

Counts = tuple[int, int]
"""All events and bad events of one series since its process started."""

CANARY, STABLE = "canary", "stable"


@dataclass(frozen=True, slots=True)
class Look:
    """The counters of one indicator as Prometheus gives them now, by series."""

    canary: Mapping[str, Counts]
    stable: Mapping[str, Counts]


class UnequalSeries(ValueError):
    """The queries of an indicator give different series; the message says which."""


def counts(total: dict[str, int], other: dict[str, int], *, good: bool) -> dict[str, Counts]:
    """All and bad events by series; a series that `other` lacks has counted none there.

    Raises UnequalSeries for a series that `total` lacks: its events would be overlooked.
    """
    if stray := sorted(other.keys() - total.keys()):
        raise UnequalSeries(
            f"{'good' if good else 'bad'} has the series {{{stray[0]}}} and total has not: both "
            "queries must give the same labels, for example by sum by (pod)"
        )
    return {
        key: (n, max(0, n - other.get(key, 0)) if good else min(n, other.get(key, 0)))
        for key, n in total.items()
    }


def block_since(before: Mapping[str, Counts] | None, look: Look) -> tuple[Block, dict[str, Counts]]:
    """The events since the last look, and the counters to remember.

    `before` is None at the first look, which only remembers: events from before the analysis
    don't count. Afterwards
    - a total that fell has been restarted: its new value is the increase. Bad events that fell
      alone have not (they may be a difference of two counters), and add nothing;
    - a canary series not seen before is a new process, which counts from zero;
    - a stable series not seen before is only remembered, since its age is unknown;
    - a vanished series keeps its last value, for it may come back.
    """
    after = dict(before or {})
    totals = {CANARY: [0, 0], STABLE: [0, 0]}
    for side, series in ((CANARY, look.canary), (STABLE, look.stable)):
        for labels, (total, bad) in series.items():
            key = f"{side}:{labels}"
            known = after.get(key)
            after[key] = (total, bad)
            if before is None or (known is None and side == STABLE):
                continue
            old_total, old_bad = known or (0, 0)
            restarted = total < old_total
            totals[side][0] += total if restarted else total - old_total
            totals[side][1] += bad if restarted else max(0, bad - old_bad)
    return (
        Block(
            canary_bad=totals[CANARY][1],
            canary_total=totals[CANARY][0],
            stable_bad=totals[STABLE][1],
            stable_total=totals[STABLE][0],
        ),
        after,
    )
