"""Evidence on one indicator, folded block by block from counts of bad and total events."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log
from typing import NamedTuple

from evenkeel.verdict import excess
from evenkeel.verdict.block import Block
from evenkeel.verdict.eprocess import (
    HIGHER,
    HIGHEST,
    LOWER,
    LOWEST,
    Grid,
    Wealth,
    bet,
    capped,
    log_evidence,
    open_bets,
    stake,
)
from evenkeel.verdict.indicator import Indicator


class EvidenceError(ValueError):
    """Kept evidence cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The two opposite tests of one limit: canary is worse than it, canary is better than it."""

    worse: Wealth = HIGHER.unopened
    better: Wealth = LOWER.unopened

    @property
    def log_worse(self) -> float:
        """Log e-value (nats) against "the canary is within the limit"."""
        return log_evidence(self.worse)

    @property
    def log_better(self) -> float:
        """Log e-value (nats) against "the canary is at the limit or beyond"."""
        return log_evidence(self.better)


_UNTESTED = Bound()
_COUNTS = {
    "canaryBad": "canary_bad",
    "canaryTotal": "canary_total",
    "stableBad": "stable_bad",
    "stableTotal": "stable_total",
}
_MOMENTARY = {
    "pendingCanaryBad": "pending_canary_bad",
    "pendingCanaryMost": "pending_canary_most",
    "pendingCanaryTotal": "pending_canary_total",
    "pendingStableBad": "pending_stable_bad",
    "pendingStableTotal": "pending_stable_total",
    "pendingLaterBad": "pending_later_bad",
    "pendingLaterTotal": "pending_later_total",
    "heldBack": "held_back",
    "heldBackMost": "held_back_most",
    "worseInARow": "worse_in_a_row",
    "betterInARow": "better_in_a_row",
}
_SIGNED = {"pendingLaterBad"}
_BOUNDS = {"stable": "vs_stable", "acceptable": "vs_acceptable", "maxRatio": "vs_max"}


class _Hits(NamedTuple):
    """Bad events: those that are certain, and all that there may be."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything seen of one indicator: counts since the start and the wealth of every test.

    pending_*: events since canary and stable were last compared. Their scrapes alternate, so
    counts wait until both sides have traffic; waiting depends on totals only, which keeps the
    bound. held_back: bad canary events whose total has not arrived yet. *_most: the same of bets on
    better. Where counters go apart, bets on worse meet only the bad events of the canary that are
    certain, and as many of stable as there may be: pending_later_bad is below zero if they met more
    than are counted. *_in_a_row: latest comparisons with stable that all ended beyond the
    threshold."""

    indicator: Indicator
    canary_bad: int = 0
    canary_total: int = 0
    stable_bad: int = 0
    stable_total: int = 0
    pending_canary_bad: int = 0
    pending_canary_most: int = 0
    pending_canary_total: int = 0
    pending_stable_bad: int = 0
    pending_stable_total: int = 0
    pending_later_bad: int = 0
    pending_later_total: int = 0
    held_back: int = 0
    held_back_most: int = 0
    worse_in_a_row: int = 0
    better_in_a_row: int = 0
    vs_stable: Bound = _UNTESTED
    vs_acceptable: Bound = _UNTESTED
    vs_max: Bound = _UNTESTED

    @property
    def compared(self) -> bool:
        """Whether the canary has been compared with stable at all."""
        return self.vs_stable != _UNTESTED

    def fold(self, block: Block) -> "Evidence":
        """This evidence and one more block."""
        if not (block.canary_total or block.stable_total or block.canary_bad or block.stable_bad):
            return self
        if self.indicator.paired:
            return self._with_pairs(block)
        compared = 0 if block.alone else block.canary_bad
        folded = replace(
            self,
            canary_bad=self.canary_bad + block.canary_bad,
            canary_total=self.canary_total + block.canary_total,
            stable_bad=self.stable_bad + block.stable_bad,
            stable_total=self.stable_total + block.stable_total,
            held_back=self.held_back + block.canary_bad,
            held_back_most=self.held_back_most + block.canary_bad,
            pending_canary_bad=self.pending_canary_bad + compared,
            pending_canary_most=self.pending_canary_most + compared,
            pending_canary_total=self.pending_canary_total
            + (0 if block.alone else block.canary_total),
            pending_stable_bad=self.pending_stable_bad + block.stable_bad,
            pending_stable_total=self.pending_stable_total + block.stable_total,
            pending_later_bad=self.pending_later_bad + block.later[0],
            pending_later_total=self.pending_later_total + block.later[1],
        )
        if block.canary_total:
            folded = folded._against_ratios(block.canary_total, block.canary_apart)
        if block.aside:
            return folded._with_nothing_pending()
        pending = (
            folded.pending_canary_total,
            folded.pending_stable_total,
            folded.pending_later_total,
        )
        return folded._against_stable(block) if all(pending) else folded

    def _with_pairs(self, block: Block) -> "Evidence":
        """With requests that both sides answered: no window of one is another than the other's."""
        folded = replace(
            self,
            canary_bad=self.canary_bad + block.canary_bad,
            canary_total=self.canary_total + block.canary_total,
            stable_bad=self.stable_bad + block.stable_bad,
            stable_total=self.stable_total + block.stable_total,
            pending_canary_bad=self.pending_canary_bad + block.canary_bad,
            pending_canary_total=self.pending_canary_total + block.canary_total,
            pending_stable_bad=self.pending_stable_bad + block.stable_bad,
        )
        against, beside = folded.pending_canary_bad, folded.pending_stable_bad
        pairs, limit = folded.pending_canary_total, self.indicator.acceptable
        if against + beside > pairs:
            return folded
        opened = stake(folded.canary_total - pairs, folded.canary_total)
        counts, share = (against, beside, pairs, limit), self._at_limit(0.5)
        worse, better = self.vs_stable.worse, self.vs_stable.better
        discordant = against + beside
        vs_stable = self._capped(
            bet(open_bets(worse, HIGHER, opened), HIGHER, against, discordant, share),
            bet(open_bets(better, LOWER, opened), LOWER, against, discordant, share),
        )
        vs_acceptable = self._capped(
            excess.on_worse(self.vs_acceptable.worse, opened, *counts),
            excess.on_better(self.vs_acceptable.better, opened, *counts),
        )
        met = replace(folded, vs_acceptable=vs_acceptable)._with_nothing_pending()
        return met._compared(vs_stable)

    def _compared(self, bound: Bound) -> "Evidence":
        """With one more comparison with stable."""
        worse = bound.log_worse >= log(self.indicator.fail_threshold)
        better = bound.log_better >= log(self.indicator.pass_threshold)
        return replace(
            self,
            vs_stable=bound,
            worse_in_a_row=self.worse_in_a_row + 1 if worse else 0,
            better_in_a_row=self.better_in_a_row + 1 if better else 0,
        )

    def _with_nothing_pending(self) -> "Evidence":
        return replace(
            self,
            pending_canary_bad=0,
            pending_canary_most=0,
            pending_canary_total=0,
            pending_stable_bad=0,
            pending_stable_total=0,
            pending_later_bad=0,
            pending_later_total=0,
        )

    def _against_ratios(self, trials: int, apart: int) -> "Evidence":
        """With the tests against fixed ratios gone on by the last `trials` canary requests."""
        indicator = self.indicator
        least = _met(self.held_back - apart, trials)
        hits = _Hits(least, _met(self.held_back_most, trials))
        opened = stake(self.canary_total - trials, self.canary_total)
        vs_max = self.vs_max
        if indicator.max_ratio is not None:
            vs_max = self._ratio(vs_max, hits, trials, indicator.max_ratio, opened)
        return replace(
            self,
            held_back=self.held_back - hits.least,
            held_back_most=self.held_back_most - hits.most,
            vs_acceptable=self._ratio(
                self.vs_acceptable, hits, trials, indicator.acceptable, opened
            ),
            vs_max=vs_max,
        )

    def _against_stable(self, block: Block) -> "Evidence":
        """With the comparison gone on by all that was pending.

        An incident that hits both sides must speak for neither, wherever in the scrape interval
        it begins and ends. Bets on worse meet stable's later windows, which hold whatever the
        canary's do; those opened on the way are placed after the canary's events and before
        stable's, so that their windows hold the canary's beginning, too. Bets on better meet the
        earlier windows and are placed after stable's events: nothing of stable's is missing on
        the canary.
        """
        canary = self.pending_canary_total
        apart, unmatched = block.canary_apart, block.unmatched_bad
        least = _met(self.pending_canary_bad - apart, canary)
        most = _met(self.pending_canary_most, canary)
        first = block.first or not self.compared
        earlier = _met(self.pending_stable_bad, self.pending_stable_total)
        later = _met(self.pending_later_bad + block.stable_apart, self.pending_later_total)
        counted = canary / (canary + self.pending_later_total)
        share = self._at_limit(max(counted, block.canary_share))
        opened = stake(self.canary_total - canary if self.compared else 0, self.canary_total)

        worse, better = self.vs_stable.worse, self.vs_stable.better
        if first:
            worse = bet(open_bets(worse, HIGHER, opened), HIGHER, least, least + unmatched, share)
        else:
            worse = open_bets(bet(worse, HIGHER, least, least, share), HIGHER, opened)
        worse = bet(worse, HIGHER, 0, later, share)
        share = self._at_limit(canary / (canary + self.pending_stable_total))
        if not first:
            better = bet(better, LOWER, 0, earlier, share)
        better = bet(open_bets(better, LOWER, opened), LOWER, most, most, share)
        met = replace(
            self,
            pending_canary_bad=self.pending_canary_bad - least,
            pending_canary_most=self.pending_canary_most - most,
            pending_canary_total=0,
            pending_stable_bad=self.pending_stable_bad - earlier,
            pending_stable_total=0,
            pending_later_bad=self.pending_later_bad - later,
            pending_later_total=0,
        )
        return met._compared(self._capped(worse, better))

    def _at_limit(self, share: float) -> float:
        """The canary's share of the bad events if it is as bad as allowed, by that of requests."""
        worse = share * (1 + self.indicator.tolerance)
        return worse / (worse + 1 - share)

    def _ratio(self, bound: Bound, hits: _Hits, trials: int, limit: float, opened: float) -> Bound:
        return self._capped(
            bet(open_bets(bound.worse, HIGHER, opened), HIGHER, hits.least, trials, limit),
            bet(open_bets(bound.better, LOWER, opened), LOWER, hits.most, trials, limit),
        )

    def _capped(self, worse: Wealth, better: Wealth) -> Bound:
        """The wealth of both tests, each up to the square of its threshold."""
        fail_at, pass_at = log(self.indicator.fail_threshold), log(self.indicator.pass_threshold)
        return Bound(
            capped(worse, log_evidence(worse) - 2 * fail_at),
            capped(better, log_evidence(better) - 2 * pass_at),
        )

    def to_status(self) -> dict[str, str | int]:
        """This evidence as it is kept in a resource's status: strings and integers only."""
        status: dict[str, str | int] = {"terms": self.indicator.terms}
        for key, name in (_COUNTS | _MOMENTARY).items():
            if key in _COUNTS or getattr(self, name):
                status[key] = getattr(self, name)
        for key, name in _BOUNDS.items():
            bound: Bound = getattr(self, name)
            if bound != _UNTESTED:
                status[f"{key}Worse"] = " ".join(map(str, bound.worse))
                status[f"{key}Better"] = " ".join(map(str, bound.better))
        return status

    @classmethod
    def from_status(cls, status: Mapping[str, object], indicator: Indicator) -> "Evidence":
        """The evidence that `to_status` wrote.

        Raises EvidenceError if it was gathered against other limits than the indicator's, or is
        damaged; start anew then with `Evidence(indicator)`.
        """
        if (terms := status.get("terms")) != indicator.terms:
            raise EvidenceError(
                f"{indicator.name}: kept evidence was gathered with {terms!r}, the indicator now"
                f" has {indicator.terms!r}: start new evidence"
            )
        counts = {
            name: _count(status, key, indicator, optional=key in _MOMENTARY)
            for key, name in (_COUNTS | _MOMENTARY).items()
        }
        bounds = {
            name: Bound(
                _wealth(status, f"{key}Worse", HIGHER, indicator),
                _wealth(status, f"{key}Better", LOWER, indicator),
            )
            for key, name in _BOUNDS.items()
        }
        return cls(indicator, **counts, **bounds)  # type: ignore[arg-type]


def _met(pending: int, trials: int) -> int:
    """How many bad events of those pending can be met with so many events."""
    return min(max(0, pending), trials)


def _damaged(indicator: Indicator, key: str, value: object) -> EvidenceError:
    return EvidenceError(
        f"{indicator.name}: kept evidence is damaged ({key}={value!r}): start new evidence"
    )


def _count(status: Mapping[str, object], key: str, indicator: Indicator, *, optional: bool) -> int:
    value = status.get(key, 0 if optional else None)
    if type(value) is not int or (value < 0 and key not in _SIGNED):
        raise _damaged(indicator, key, value)
    return value


def _wealth(status: Mapping[str, object], key: str, grid: Grid, indicator: Indicator) -> Wealth:
    if (value := status.get(key)) is None:
        return grid.unopened
    try:
        wealth = tuple(int(item) for item in value.split(" "))  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        raise _damaged(indicator, key, value) from None
    if len(wealth) != len(grid.bets) or not all(LOWEST <= item <= HIGHEST for item in wealth):
        raise _damaged(indicator, key, value)
    return wealth
