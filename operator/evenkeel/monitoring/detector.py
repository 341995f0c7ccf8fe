"""When the evidence of many blocks, features and groups is an alarm.

Shiryaev-Roberts statistics of e-values (Shin, Ramdas and Rinaldo, arXiv 2203.03532): each block
multiplies a feature's statistic, to which 1 was added, by its e-value. Without drift it is worth at
most the number of blocks on average, and so is the mean over the features of a group, however they
depend on each other. A group alarms at a threshold that follows from the bound on false alarms,
and its alarm ends when the statistic is back at a tenth of it.

docs/monitoring-statistics.md has the proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, floor, log, log1p
from typing import NamedTuple
from zlib import crc32

from evenkeel.monitoring import risk, state
from evenkeel.monitoring.columns import (
    GROUPS,
    Block,
    Column,
    GroupName,
    Histogram,
    Kind,
    histograms,
)
from evenkeel.monitoring.evidence import Null, remember
from evenkeel.monitoring.histogram import distance, shares, within
from evenkeel.monitoring.settings import ENDED, RARE, REFERENCE_MISS, Settings, log_cap
from evenkeel.monitoring.state import State, Statistic
from evenkeel.verdict.eprocess import LOWEST, MICRO, Wealth, log_evidence

WORST = 3
"""Features that a group names."""
MOVED = 10
"""Bins that a feature names, those that changed by most."""


class BinState(NamedTuple):
    """Shares, from 0 to 1: in the reference, and in the last blocks, older ones counting less."""

    range: str
    before: float
    now: float


class FeatureState(NamedTuple):
    """log_statistic: in nats. distance: total variation of the last blocks from the reference."""

    kind: Kind
    name: str
    log_statistic: float
    distance: float
    bins: tuple[BinState, ...]


class GroupState(NamedTuple):
    """Logarithms in nats. features: those with the most evidence, three at most."""

    name: GroupName
    log_statistic: float
    log_threshold: float
    drifted: bool
    features: tuple[FeatureState, ...]


class Chart(NamedTuple):
    """What one histogram is held against. log_cap and log_most bound what a block, and all blocks,
    may count for, in nats."""

    histogram: Histogram
    null: Null
    log_cap: float
    log_most: float


@dataclass(frozen=True, slots=True)
class Detection:
    """The evidence after so many blocks. Made by `begun` or `from_text`."""

    settings: Settings
    charts: tuple[Chart, ...]
    labels: Mapping[tuple[Kind, str], frozenset[str]]
    """Of the bins of each column."""
    threshold: float
    """The statistic at which a group alarms."""
    state: State

    @classmethod
    def begun(cls, columns: Sequence[Column], settings: Settings) -> Detection:
        """Before the first block. Raises ValueError for a reference that is none."""
        found = histograms(columns)
        members = Counter([one.group for one in found])
        threshold = settings.threshold(len(members) + (settings.max_ratio is not None))
        charts = []
        for one in found:
            rare = RARE if one.group in ("Missing", "Unseen") else 1.0
            ball = within(one.reference, rare * settings.tolerance, REFERENCE_MISS / len(found))
            most = log(2 * threshold * members[one.group])
            cap = log_cap(threshold, members[one.group])
            charts.append(Chart(one, Null.of(one.reference, ball), cap, most))
        bins = tuple([len(one.parts) for one in found])
        labels = {(one.kind, one.name): frozenset([b.label for b in one.bins]) for one in columns}
        return cls(settings, tuple(charts), labels, threshold, state.begun(bins))

    @classmethod
    def from_text(cls, text: str, columns: Sequence[Column], settings: Settings) -> Detection:
        """What `to_text` wrote, for the same reference and settings. Raises ValueError else."""
        empty = cls.begun(columns, settings)
        bins = tuple([len(one.memory) for one in empty.state.statistics])
        return replace(empty, state=state.from_text(text, empty._belongs_to, bins))

    def to_text(self) -> str:
        """All that is remembered, in 100,000 characters at most."""
        return state.to_text(self.state, self._belongs_to)

    @property
    def _belongs_to(self) -> str:
        """Evidence won against one reference and tolerance says nothing of another."""
        known = [chart.histogram._replace(ranges=()) for chart in self.charts]
        held = (self.settings.block_seconds, self.settings.tolerance, self.settings.max_ratio)
        return f"{crc32(repr((known, held)).encode()):08x}"

    @property
    def blocks(self) -> int:
        """How many were folded."""
        return self.state.blocks

    @property
    def void(self) -> int:
        """How many of them told nothing."""
        return self.state.void

    def fold(self, block: Block) -> Detection:
        """With one more block. Raises ValueError for counts that cannot be of this reference."""
        self._check(block)
        before = self.state
        steps = [
            self._step(chart, one, block)
            for chart, one in zip(self.charts, before.statistics, strict=True)
        ]
        wealth = self._risk(block)
        void = wealth is None and not any(steps)
        after = State(
            before.blocks + 1,
            before.void + void,
            before.drifted,
            wealth or before.risk,
            tuple([new or old for new, old in zip(steps, before.statistics, strict=True)]),
        )
        found = replace(self, state=after)
        return replace(found, state=after._replace(drifted=frozenset(found._drifted())))

    def _check(self, block: Block) -> None:
        for column, rows in block.rows.items():
            if min(rows.values(), default=0) < 0:
                raise ValueError(f"{column} has counts below 0")
            strange = rows.keys() - self.labels.get(column, rows.keys())
            if strange:
                raise ValueError(f"the reference has no bins {sorted(strange)[:3]} of {column}")

    def _step(self, chart: Chart, before: Statistic, block: Block) -> Statistic | None:
        """None: the block tells nothing of this histogram."""
        rows = block.rows.get((chart.histogram.kind, chart.histogram.name))
        counts = chart.histogram.counts(rows) if rows else ()
        if sum(counts) < self.settings.min_rows:
            return None
        log_e = min(chart.log_cap, chart.null.log_e(counts, before.memory))
        held = min(chart.log_most, _one_more(before.held / MICRO) + log_e)
        return Statistic(max(LOWEST, floor(held * MICRO)), remember(before.memory, counts))

    def _risk(self, block: Block) -> Wealth | None:
        """None: the block tells nothing of labels, or they are not judged."""
        limit, labels = self.settings.max_ratio, block.labels
        if limit is None or labels is None or labels.total < self.settings.min_labels:
            return None
        cap, most = log_cap(self.threshold, 1), log(2 * self.threshold)
        return risk.fold(self.state.risk, labels, limit, cap, most)

    def _drifted(self) -> Iterator[GroupName]:
        for name in GROUPS:
            log_statistic = self._log_statistic(name)
            least = log(self.threshold * (ENDED if name in self.state.drifted else 1))
            if log_statistic is not None and log_statistic >= least:
                yield name

    def _log_statistic(self, name: GroupName) -> float | None:
        """Of a group, in nats; None: there is no such group."""
        if name == "Risk":
            return log_evidence(self.state.risk) if self.settings.max_ratio is not None else None
        both = zip(self.charts, self.state.statistics, strict=True)
        held = [one.held / MICRO for chart, one in both if chart.histogram.group == name]
        if not held:
            return None
        top = max(held)
        return top + log(sum([exp(one - top) for one in held]) / len(held))

    @property
    def groups(self) -> tuple[GroupState, ...]:
        """All groups that there are, in the order of GROUPS."""
        found = []
        for name in GROUPS:
            log_statistic = self._log_statistic(name)
            if log_statistic is not None:
                drifted = name in self.state.drifted
                worst = self._worst(name)
                found.append(GroupState(name, log_statistic, log(self.threshold), drifted, worst))
        return tuple(found)

    def _worst(self, name: GroupName) -> tuple[FeatureState, ...]:
        seen = [
            (chart, one)
            for chart, one in zip(self.charts, self.state.statistics, strict=True)
            if chart.histogram.group == name and any(one.memory)
        ]
        worst = sorted(seen, key=lambda both: -both[1].held)[:WORST]
        return tuple([_feature(chart, one) for chart, one in worst])


def _one_more(log_value: float) -> float:
    """log(1 + exp(log_value))."""
    return max(0.0, log_value) + log1p(exp(-abs(log_value)))


def _feature(chart: Chart, one: Statistic) -> FeatureState:
    before, now = shares(chart.histogram.reference), shares(one.memory)
    bins = [BinState(*three) for three in zip(chart.histogram.ranges, before, now, strict=True)]
    moved = sorted(range(len(bins)), key=lambda at: -abs(bins[at].now - bins[at].before))[:MOVED]
    return FeatureState(
        chart.histogram.kind,
        chart.histogram.name,
        one.held / MICRO,
        distance(before, now),
        tuple([bins[at] for at in sorted(moved)]),
    )
