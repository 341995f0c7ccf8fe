"""The evidence on one indicator of one trial, look by look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import ceil, inf

from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.api.modeldeploymentstatus import IndicatorStatus, ProcessCount
from evenkeel.meta.names import digest
from evenkeel.verdict.apart import TOGETHER, Apart
from evenkeel.verdict.block import Block
from evenkeel.verdict.evidence import Evidence, EvidenceError
from evenkeel.verdict.indicator import Indicator
from evenkeel.verdict.kept import (
    CANARY,
    PROCESSES,
    STABLE,
    count_of,
    left_out_of,
    of_side,
    with_left_out,
)
from evenkeel.verdict.pair_indicators import differs, paired
from evenkeel.verdict.process import Process, begun, begun_on_trial, newborn
from evenkeel.verdict.samples import Look, Reading, Unobserved
from evenkeel.verdict.shares import IN_A_ROW, UNDIVIDED, Shares
from evenkeel.verdict.uncounted import ALL_COUNTED, Uncounted
from evenkeel.verdict.verdict import alpha_per_indicator
from evenkeel.verdict.windows import (
    NOTHING,
    Before,
    Closed,
    Usual,
    ahead_of,
    closed,
    closed_pairs,
    usual_before,
)

ALPHA = 0.01
"""Greatest probability that a canary no worse than stable is ever rolled back."""
BURN_IN = 100
"""First requests of a process that are left out of its latency, where the indicator says nothing:
models are loaded and compiled by them."""
PACE = 15.0
"""Seconds between scrapes, until they are known."""
SLOWEST = 60.0
"""Seconds that it is taken for at most: a process may have been missing for longer."""
PATIENCE = 3.0
"""Times the pace for which a late process is awaited."""
LEAST_PATIENCE = 5.0
"""Seconds for which it is awaited at least."""
APART = 0.5
"""Seconds between the scrapes of total and of good or bad events that are let pass."""
FORERUN = 4
"""Samples of stable that are kept before the canary's first."""
AHEAD = ("aheadStableBad", "aheadStableTotal")
"""Names in the status of what stable's later windows have had beyond its cuts."""
UNCOUNTED = ("uncountedFirst", "uncountedUnseen")
"""Names in the status of the requests that are no evidence."""
GAPS = ("apartCanary", "apartStable", "goodLed")
"""Names in the status of how far apart total and good events are counted."""


def limits(spec: IndicatorSpec, analysis: Analysis) -> Indicator:
    """The statistical form of an indicator. Raises ValueError for limits that contradict."""
    most = None if spec.max_ratio is None else float(spec.max_ratio)
    alone = differs(spec) and most is not None
    return Indicator(
        name=spec.name,
        tolerance=float(spec.tolerance),
        # What is below maxRatio passes where nothing else is to compare with.
        acceptable=most if alone and most is not None else float(spec.acceptable),
        max_ratio=most,
        alpha=alpha_per_indicator(ALPHA, deciding(analysis) + spec.dry_run),
        confirmations=analysis.confirmations,
        paired=paired(spec),
        alone=alone,
    )


def deciding(analysis: Analysis) -> int:
    """Indicators that alpha is divided among. One on a dry run is held to what its share would be
    if it decided as well, and takes nothing from the others."""
    return sum(not indicator.dry_run for indicator in analysis.indicators)


def definition(spec: IndicatorSpec) -> str:
    """Changes with what the indicator counts and the limits it is held to."""
    return digest(spec.model_dump_json(exclude_defaults=True))


@dataclass(frozen=True, slots=True)
class Tally:
    """Evidence with the counters that it was gathered from.

    begins: samples taken before it, Unix seconds, are no evidence on the canary. pace: seconds
    between the last two blocks. fault: why the last look showed nothing, if so. warning: what was
    odd about it. anew: whether the indicator was edited in mid-trial, so that its evidence began
    again. met, ahead: see Before. newest: time of the newest sample of all. awake: when samples
    came again after there were none for long. left_out: processes that were missing for long, by
    side and key, with what they had counted; if they come back, they begin anew. uncounted: how
    many requests of both sides are no evidence. apart: how far apart total and good are counted.
    shares: how requests were divided. aside: blocks that were just set aside, of the very first one
    none; None if the last one was compared.
    """

    spec: IndicatorSpec
    evidence: Evidence
    begins: float
    canary: Mapping[str, Process] = field(default_factory=dict)
    stable: Mapping[str, Process] = field(default_factory=dict)
    pace: float = PACE
    end: float | None = None
    met: float | None = None
    ahead: Usual | None = None
    usual: Usual = NOTHING
    newest: float = inf
    awake: float = -inf
    fault: Unobserved | None = None
    warning: str = ""
    anew: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)
    uncounted: Uncounted = ALL_COUNTED
    apart: Apart = TOGETHER
    shares: Shares = UNDIVIDED
    aside: int | None = 0
    alone: bool = False

    @classmethod
    def resume(
        cls,
        spec: IndicatorSpec,
        analysis: Analysis,
        kept: IndicatorStatus | None,
        begins: float,
        *,
        alone: bool = False,
    ) -> Tally:
        """Goes on from the status, if it holds evidence on the same indicator; else begins.

        alone: whether stable has no requests to compare with. Raises ValueError for limits that
        contradict one another.
        """
        fresh = cls(spec, Evidence(limits(spec, analysis)), begins, alone=alone)
        if kept is None or not kept.definition:
            return fresh
        if kept.definition != definition(spec):
            return replace(fresh, anew=True)
        try:
            evidence = Evidence.from_status(kept.evidence, fresh.evidence.indicator)
        except EvidenceError:
            return replace(fresh, anew=True)
        return replace(
            fresh,
            evidence=evidence,
            canary=of_side(kept.processes, CANARY),
            stable={} if alone else of_side(kept.processes, STABLE),
            ahead=Usual(*(_whole(kept.evidence.get(name)) for name in AHEAD)),
            uncounted=Uncounted(*(_whole(kept.evidence.get(name)) for name in UNCOUNTED)),
            apart=Apart(*(_whole(kept.evidence.get(name)) for name in GAPS)),
            anew=kept.anew,
            left_out=left_out_of(kept.processes),
            aside=None if evidence.compared else 0,
        )

    def since(self, begins: float, *, alone: bool = False) -> Tally:
        """The tally with another beginning, once it is known when the warm-up ended; alone: as of
        resume."""
        return replace(self, begins=begins, alone=alone, stable={} if alone else self.stable)

    def divided(self, share: float, at: float, since: float) -> Tally:
        """The tally, knowing the canary's share of the requests at a time, Unix seconds. since: as
        of Shares."""
        return replace(self, shares=self.shares.divided(share, at, since))

    @property
    def burn_in(self) -> int:
        """First requests of a process that are left out."""
        if self.spec.burn_in_requests is not None:
            return self.spec.burn_in_requests
        return BURN_IN if self.spec.threshold_seconds is not None else 0

    def take(self, seen: Look | Unobserved) -> Tally:
        """The tally with one more look; readings that are known already change nothing."""
        if isinstance(seen, Unobserved):
            return replace(self, fault=seen)
        if fault := self._fault(seen):
            return replace(self, fault=fault)
        usual, now, pairs = self.usual, seen.newest, self.evidence.indicator.paired
        # Both sides of pairs are counted by one process, and begin with the same sample.
        beside = CANARY if pairs else STABLE
        stable = {} if self.alone else self._side(self.stable, seen.stable, seen, beside)
        stable = stable if self.canary or pairs else {k: _forerun(p) for k, p in stable.items()}
        canary = self._side(self.canary, seen.canary, seen, CANARY)
        if canary and not self.canary and not pairs:
            # Stable's window begins before the canary's.
            first = min(p.cut.time for p in canary.values())
            usual = usual_before(stable, first)
            stable = {k: p.cut_at(p.at(first)) for k, p in stable.items()}
        tally = replace(
            self,
            canary=canary,
            stable=stable,
            usual=usual,
            fault=None,
            warning=seen.warning or self._old(seen, canary),
            uncounted=self._skipped(seen, canary, stable),
        )
        tally = tally._woken()
        tally = replace(tally, pace=max(self.pace, tally._slowest()))
        patience = max(LEAST_PATIENCE, PATIENCE * tally.pace)
        while (found := tally._closed(now, patience)) is not None:
            tally = tally._folded(found)
        return tally._without_gone(seen, patience)

    def _slowest(self) -> float:
        """Seconds between the samples of the process that has the fewest."""
        found = (
            after.time - before.time
            for side in (self.canary, self.stable)
            for p in side.values()
            for before, after in pairwise((p.cut, *p.later))
        )
        return min(SLOWEST, max(found, default=0.0))

    def _woken(self) -> Tally:
        """Knowing whether samples came again after an outage of Prometheus: until then no process
        was late."""
        times = [p.last.time for side in (self.canary, self.stable) for p in side.values()]
        if not times:
            return self
        newest = max(times)
        silent = newest - self.newest > 2 * max(self.pace, LEAST_PATIENCE)
        return replace(self, newest=newest, awake=newest if silent else self.awake)

    def _folded(self, found: Closed) -> Tally:
        block, pace = found.block, self.pace
        if not found.overdue:
            pace = self._slowest()
        moved = replace(
            self._kept(found.canary, found.stable),
            end=found.end,
            met=found.met,
            ahead=None,
            pace=pace,
        )
        # Without requests of the canary there is nothing to compare stable's with.
        usual = Usual(block.stable_bad, block.stable_total)
        if not (block.canary_total or block.canary_bad):
            return replace(moved, usual=usual)
        if self.evidence.indicator.paired:
            # However requests are divided, both sides have answered these.
            return moved._with(block)
        between = self.shares.between(found.begin, found.until)
        if between is None or between.steady:
            return moved._with(block)
        if between.least and (self.aside or 0) < IN_A_ROW:
            aside = replace(moved, usual=usual, aside=(self.aside or 0) + 1)
            return aside._with(replace(block, aside=True))
        if between.least or between.most == 1:
            return moved._with(replace(block, canary_share=between.most))
        return moved._with(_at_full_share(block, between.most))

    def _with(self, block: Block) -> Tally:
        """With a block's events, as far as they are certain."""
        seen = self.evidence
        total = seen.canary_total, seen.stable_total
        apart = self.apart.after(block, total, self.canary.values(), self.stable.values())
        if apart.canary and not any((*self.apart, *total)):
            # In the very first one, short as it may be, requests in flight have only come to be.
            return replace(self, apart=apart)
        gaps = replace(block, canary_apart=apart.canary, stable_apart=apart.stable)
        evidence = seen.fold(gaps)
        met = not (block.aside or evidence.pending_canary_total)
        return replace(self, apart=apart, evidence=evidence, aside=None if met else self.aside or 0)

    def _closed(self, now: float, patience: float) -> Closed | None:
        if self.evidence.indicator.paired:
            return closed_pairs(self.canary, self.stable, now, patience, self.awake)
        usual = None if self.aside is None else self.usual
        before = Before(self.end, self.met, self.ahead, usual, self.awake)
        return closed(self.canary, self.stable, now, patience, before)

    def _fault(self, seen: Look) -> Unobserved | None:
        if not seen.canary and any(p.absent_since is None for p in self.canary.values()):
            return Unobserved("NoData", "the canary's counters have vanished")
        for side, processes, readings in (
            (CANARY, self.canary, seen.canary),
            (STABLE, self.stable, seen.stable),
        ):
            for key, reading in readings.items():
                if fault := _unusable(f"{side}'s {key}", reading, processes.get(key)):
                    return fault
        if len({*self.canary, *seen.canary}) + len({*self.stable, *seen.stable}) > PROCESSES:
            return Unobserved(
                "TooManyProcesses",
                f"more than {PROCESSES} processes count; sum the queries by (pod)",
            )
        return None

    def _side(
        self,
        known: Mapping[str, Process],
        readings: Mapping[str, Reading],
        seen: Look,
        side: str,
    ) -> dict[str, Process]:
        """A side's processes after a look: new ones, newer samples, missing ones."""
        found = dict(known)
        for key, reading in readings.items():
            time = seen.time if reading.time is None else reading.time
            process = found.get(key)
            if process is not None:
                found[key] = self._next(process, reading, time)
            elif (first := self._first(key, reading, time, side)) is not None:
                found[key] = first
        for key in known.keys() - readings.keys():
            since = found[key].absent_since
            if seen.gone(key):
                found[key] = found[key]._replace(absent_since=-inf)
            elif since is None:
                found[key] = found[key]._replace(absent_since=seen.newest)
        return found

    def _next(self, process: Process, reading: Reading, time: float) -> Process:
        taken = process.take(reading, time)
        if taken.offset == process.offset or not self.burn_in:
            return taken
        # A new process of the pod: its first requests are no evidence either.
        if reading.total < self.burn_in:
            return process._replace(absent_since=process.missing_since(time))
        return process.followed(time, reading)

    def _first(self, key: str, reading: Reading, time: float, side: str) -> Process | None:
        """A process seen for the first time, if its events may count from here on."""
        if reading.total < self.burn_in:
            return None
        if side == CANARY:
            if time < self.begins:
                return None
            if not self.canary and any(
                p.cut.time > time and len(p.later) + 1 < FORERUN for p in self.stable.values()
            ):
                return None
        if not self.burn_in and self._born(key, reading, side):
            return newborn(reading, time)
        return begun_on_trial(reading, time) if side == CANARY else begun(reading, time)

    def _skipped(
        self, seen: Look, canary: Mapping[str, Process], stable: Mapping[str, Process]
    ) -> Uncounted:
        """What is no evidence, now that these processes are known."""
        first, unseen = self.uncounted
        for side, known, found, readings in (
            (CANARY, self.canary, canary, seen.canary),
            (STABLE, self.stable, stable, seen.stable),
        ):
            for key in found.keys() - known.keys():
                reading, had = readings[key], self.left_out.get(f"{side}:{key}")
                if had is not None:
                    unseen += reading.total - had if reading.total >= had else reading.total
                elif self.burn_in and (side == CANARY or self._born(key, reading, side)):
                    first += reading.total
        return Uncounted(first, unseen)

    def _old(self, seen: Look, canary: Mapping[str, Process]) -> str:
        """That nothing counts yet since all samples are from before the warm-up ended, if so."""
        if canary or not seen.canary or seen.newest >= self.begins:
            return ""
        return (
            f"the newest sample is {seen.time - seen.newest:.0f} s old, from before the warm-up "
            "ended; if that is long, Prometheus' clock is behind or its answers are old"
        )

    def _born(self, key: str, reading: Reading, side: str) -> bool:
        """Whether the process began after the evidence did, as far as can be known."""
        if not self.canary or f"{side}:{key}" in self.left_out:
            return False
        if reading.started is None:
            return side == CANARY
        return reading.started >= min(p.cut.time for p in self.canary.values())

    def _without_gone(self, seen: Look, patience: float) -> Tally:
        """Without processes that no longer are, once all they counted has been taken."""

        def stays(key: str, process: Process, side: str) -> bool:
            if process.absent_since is None or process.later:
                return True
            if side == STABLE and seen.there(key):
                # What it counts meanwhile is still to be met by the canary's.
                return True
            return seen.newest - process.absent_since < patience

        canary = {k: p for k, p in self.canary.items() if stays(k, p, CANARY)}
        stable = {k: p for k, p in self.stable.items() if stays(k, p, STABLE)}
        return self._kept(canary, stable)

    def _kept(self, canary: Mapping[str, Process], stable: Mapping[str, Process]) -> Tally:
        """With these processes; those that are no more among them begin anew if they come back."""
        gone = {
            f"{side}:{key}": process.last.total - process.offset.total
            for side, before, after in (
                (CANARY, self.canary, canary),
                (STABLE, self.stable, stable),
            )
            for key, process in before.items()
            if key not in after
        }
        return replace(self, canary=canary, stable=stable, left_out={**self.left_out, **gone})

    def to_status(self) -> dict[str, str | int]:
        """The evidence as it is kept in the status, with what later windows have had of stable
        beyond its cuts."""
        ahead = self.ahead
        if ahead is None:
            ahead = NOTHING if self.met is None else ahead_of(self.stable, self.met)
        odd = (*zip(UNCOUNTED, self.uncounted, strict=True), *zip(GAPS, self.apart, strict=True))
        told = {name: value for name, value in odd if value}
        return self.evidence.to_status() | dict(zip(AHEAD, ahead, strict=True)) | told

    def processes(self) -> tuple[ProcessCount, ...]:
        """The counters as they are kept in the status, so that a restart loses nothing."""
        counts = tuple(
            count_of(f"{side}:{key}", process)
            for side, processes in ((CANARY, self.canary), (STABLE, self.stable))
            for key, process in sorted(processes.items())
        )
        return with_left_out(counts, self.left_out)


def _at_full_share(block: Block, share: float) -> Block:
    """The first block, in which the canary got its first requests: stable's windows are longer than
    it had any. What stable had beyond the usual may have been while it did."""
    if not block.canary_total:
        return block
    longer = share / (1 - share) * block.later[1] / block.canary_total - 1
    unmatched = block.unmatched_bad + ceil(block.excess_bad * max(0.0, longer))
    return replace(block, unmatched_bad=unmatched)


def _unusable(what: str, reading: Reading, known: Process | None) -> Unobserved | None:
    """Why a reading cannot be one, if so."""
    counted = "good" if reading.good else "bad"
    if reading.time is not None and reading.counted_time is not None:
        apart = abs(reading.time - reading.counted_time)
        if apart > APART:
            return Unobserved(
                "ScrapedApart",
                f"total and {counted} events of {what} were scraped {apart:.1f} s apart; take "
                "both from one target",
            )
    if known is not None and known.lost(reading):
        return Unobserved(
            "CountsVanished",
            f"{what} had {counted} events and has none any more, though it has a total",
        )
    return None


def _forerun(process: Process) -> Process:
    """Stable's process before the canary has any: only its latest samples."""
    while len(process.later) >= FORERUN:
        process = process.cut_at(process.later[0])
    return process


def _whole(kept: object) -> int:
    return kept if isinstance(kept, int) and kept > 0 else 0
