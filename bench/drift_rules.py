"""The usual rules for drift, each day on its own, for bench.monitoring.

- PSI: the population stability index of any column is above 0.2, over ten bins (missing and unseen
  are bins, too; an empty bin counts as 0.0001).
- KS: a test at p < 0.05 of any column: Kolmogorov-Smirnov, or chi-squared for categories.
- Share: half of the columns have drifted, by the tests that Evidently takes by default: to 1,000
  rows of reference the ones above, beyond a Wasserstein distance of 0.1 standard deviations, or a
  Jensen-Shannon distance of 0.1 for categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.special import kolmogorov
from scipy.stats import chi2_contingency  # type: ignore[attr-defined]

from bench.drift_scenes import Array, Counts, Day, Profile

PSI, P, DISTANCE, SHARE = 0.2, 0.05, 0.1, 0.5
SMALL = 1000
"""Rows of a reference up to which Evidently tests for significance."""
POINTS = 400


class Verdict(NamedTuple):
    psi: bool
    ks: bool
    share: bool


class Rules:
    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.known = [np.sort(values) for values in profile.sample.values]
        self.small = sum(profile.counts.predictions) <= SMALL
        self.grids = [np.linspace(v[0] - 1, v[-1] + 1, POINTS) for v in self.known]
        self.cdfs = [_cdf(v, g) for v, g in zip(self.known, self.grids, strict=True)]

    def alarms(self, day: Day, counts: Counts) -> Verdict:
        """What each rule says of a day."""
        before = self.profile.counts
        pairs = [
            *zip(_with(before.features, before.missing), _with(counts.features, counts.missing),
                 strict=True),
            (before.categories, counts.categories),
            (before.predictions, counts.predictions),
        ]  # fmt: skip
        psi = any(_psi(one, other) > PSI for one, other in pairs)
        tests = [self._p(at, values) < P for at, values in enumerate(day.values)]
        tests += [_chi2(one, other) < P for one, other in pairs[-2:]]
        drifted = tests
        if not self.small:
            drifted = [self._wasserstein(at, v) > DISTANCE for at, v in enumerate(day.values)]
            drifted += [_jensen_shannon(one, other) > DISTANCE for one, other in pairs[-2:]]
        return Verdict(psi, any(tests), sum(drifted) >= SHARE * len(drifted))

    def _p(self, at: int, values: Array) -> float:
        known, ordered = self.known[at], np.sort(values)
        above = _cdf(known, ordered) - np.arange(len(ordered)) / len(ordered)
        # At ties the step of both is taken as a whole.
        steps = np.flatnonzero(np.append(np.diff(ordered) > 0, True))
        at_steps = np.abs(_cdf(known, ordered[steps]) - (steps + 1) / len(ordered))
        tied = len(steps) < len(ordered)
        most = float(at_steps.max() if tied else max(at_steps.max(), above.max()))
        size = len(known) * len(ordered) / (len(known) + len(ordered))
        return float(kolmogorov(most * size**0.5))

    def _wasserstein(self, at: int, values: Array) -> float:
        gaps = np.abs(self.cdfs[at] - _cdf(np.sort(values), self.grids[at]))
        width = self.grids[at][1] - self.grids[at][0]
        return float(gaps.sum() * width / self.known[at].std())


def _cdf(ordered: Array, at: Array) -> Array:
    found: Array = np.searchsorted(ordered, at, side="right") / len(ordered)
    return found


def _with(features: Sequence[tuple[int, ...]], missing: Sequence[int]) -> list[tuple[int, ...]]:
    return [(*bins, gone) for bins, gone in zip(features, missing, strict=True)]


def _psi(before: tuple[int, ...], now: tuple[int, ...]) -> float:
    one = np.maximum(np.array(before) / sum(before), 1e-4)
    other = np.maximum(np.array(now) / sum(now), 1e-4)
    return float(((other - one) * np.log(other / one)).sum())


def _chi2(before: tuple[int, ...], now: tuple[int, ...]) -> float:
    table = np.array([before, now])
    return float(chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue)


def _jensen_shannon(before: tuple[int, ...], now: tuple[int, ...]) -> float:
    return float(jensenshannon(before, now, base=2))
