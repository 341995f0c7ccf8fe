"""False alarms and delays of the trigger metricDecay, by simulation of the shipped code.

    python -m bench.decay [--runs 1000] [--seed 1] [--write]

Needs numpy. Prints the Markdown of docs/verdict.md's figures, and with --write puts it there. Exits
with 1 if a rate that the claim covers is above alpha by more than chance would have it (exact, one
in a thousand). A few minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from math import comb, exp, log, pi, sin
from typing import NamedTuple

import numpy as np
from evenkeel.api.trigger import MetricDecayTrigger
from evenkeel.verdict.decay import Decay

from dev.paths import DOCS

PAGE = DOCS / "verdict.md"
BEGIN, END = "<!-- python -m bench.decay --write: begin -->\n", "<!-- decay: end -->\n"
LIMIT = 0.05
ALPHA = float(MetricDecayTrigger.model_fields["alpha"].default)
SECONDS = int(MetricDecayTrigger.model_fields["window_seconds"].default)
A_DAY = 86400 // SECONDS
DAYS = 90
GOOD_DAYS = 30

Ratios = Callable[[np.random.Generator], Iterator[tuple[int, int]]]
"""Bad and all events of one window after the other."""


class Scene(NamedTuple):
    """A life of a version. covered: whether the claim is about it."""

    name: str
    windows: Ratios
    covered: bool = True


def steady(ratio: float, requests: int) -> Ratios:
    def windows(random: np.random.Generator) -> Iterator[tuple[int, int]]:
        while True:
            yield int(random.binomial(requests, ratio)), requests

    return windows


def bursts(ratio: float, requests: int) -> Ratios:
    """A window is all bad or all good."""

    def windows(random: np.random.Generator) -> Iterator[tuple[int, int]]:
        while True:
            yield (requests if random.random() < ratio else 0), requests

    return windows


def daily(mean: float, amplitude: float, requests: int) -> Ratios:
    """The ratio goes up and down with the hour."""

    def windows(random: np.random.Generator) -> Iterator[tuple[int, int]]:
        hour = 0
        while True:
            ratio = mean * (1 + amplitude * sin(2 * pi * hour / A_DAY))
            yield int(random.binomial(requests, ratio)), requests
            hour += 1

    return windows


def wandering(mean: float, deviation: float, memory: float, requests: int) -> Ratios:
    """The logarithm of the ratio is an autoregression of the first order."""

    def windows(random: np.random.Generator) -> Iterator[tuple[int, int]]:
        state = random.normal()
        while True:
            ratio = min(1.0, mean * exp(deviation * state - deviation**2 / 2))
            yield int(random.binomial(requests, ratio)), requests
            state = memory * state + (1 - memory**2) ** 0.5 * random.normal()

    return windows


def by_day(hours: Ratios) -> Ratios:
    """The same in windows of a day."""

    def windows(random: np.random.Generator) -> Iterator[tuple[int, int]]:
        life = hours(random)
        while True:
            day = [next(life) for _ in range(A_DAY)]
            yield sum(bad for bad, _ in day), sum(total for _, total in day)

    return windows


def changed(before: float, after: Callable[[int], float], requests: int) -> Ratios:
    """Good for GOOD_DAYS, then of a ratio by the number of windows since."""

    def windows(random: np.random.Generator) -> Iterator[tuple[int, int]]:
        for _ in range(GOOD_DAYS * A_DAY):
            yield int(random.binomial(requests, before)), requests
        number = 0
        while True:
            yield int(random.binomial(requests, after(number))), requests
            number += 1

    return windows


def alarm(windows: Iterator[tuple[int, int]], most: int) -> int | None:
    """The window that shows a decay, from 1; None if none of so many does."""
    decay = Decay(LIMIT, ALPHA)
    for number in range(1, most + 1):
        decay = decay.fold(*next(windows))
        if decay.shown:
            return number
    return None


def exact_upper(hits: int, runs: int, miss: float) -> float:
    """The ratio above which so few hits have a probability below `miss` (Clopper and Pearson)."""
    low, high = hits / runs, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        chance = sum(
            exp(log(comb(runs, k)) + k * log(middle) + (runs - k) * log(1 - middle))
            for k in range(hits + 1)
        )
        low, high = (middle, high) if chance > miss else (low, middle)
    return high


def by_chance(hits: int, runs: int, most: float = ALPHA) -> bool:
    """Whether so many hits are possible at a rate of `most`, but for one case in a thousand."""
    tail = sum(comb(runs, k) * most**k * (1 - most) ** (runs - k) for k in range(hits))
    return 1 - tail > 0.001


SCENES = (
    Scene("at the limit, 1,000 requests an hour", steady(LIMIT, 1000)),
    Scene("at the limit, 100 an hour", steady(LIMIT, 100)),
    Scene("at the limit, an hour is all bad or all good", bursts(LIMIT, 1000)),
    Scene("daily cycle, 0.8 times the limit on average, up to the limit", daily(0.04, 0.25, 1000)),
    Scene(
        "autocorrelated (0.95 from hour to hour), half the limit on average, deviation a quarter",
        wandering(LIMIT / 2, 0.25, 0.95, 1000),
        covered=False,
    ),
    Scene(
        "the same, 0.8 times the limit: beyond it for hours",
        wandering(0.8 * LIMIT, 0.25, 0.95, 1000),
        covered=False,
    ),
    Scene(
        "daily cycle, 0.9 times the limit on average, up to 1.3 times",
        daily(0.9 * LIMIT, 0.4, 1000),
        covered=False,
    ),
    Scene("the same, `windowSeconds` 86400", by_day(daily(0.9 * LIMIT, 0.4, 1000))),
    Scene(
        "autocorrelated, 0.8 times the limit as above, `windowSeconds` 86400",
        by_day(wandering(0.8 * LIMIT, 0.25, 0.95, 1000)),
        covered=False,
    ),
)
DROPS = (
    ("1.2 times the limit", lambda n: 1.2 * LIMIT),
    ("1.5 times", lambda n: 1.5 * LIMIT),
    ("twice", lambda n: 2 * LIMIT),
    ("four times", lambda n: 4 * LIMIT),
    ("rising from half to twice in 30 days", lambda n: LIMIT * (0.5 + 1.5 * n / (30 * A_DAY))),
)


def false_alarms(runs: int, seed: int) -> Iterator[tuple[str, bool]]:
    """The table's lines, and whether each is as claimed."""
    for number, scene in enumerate(SCENES):
        a_day = 1 if "86400" in scene.name else A_DAY
        hits = 0
        for run in range(runs):
            random = np.random.default_rng((seed, number, run))
            hits += alarm(scene.windows(random), DAYS * a_day) is not None
        share = f"{100 * hits / runs:.1f} % (< {100 * exact_upper(hits, runs, 0.025):.1f} %)"
        claim = f"{100 * ALPHA:g} %" if scene.covered else "none"
        yield f"| {scene.name} | {share} | {claim} |", not scene.covered or by_chance(hits, runs)


def delays(runs: int, seed: int) -> Iterator[str]:
    """The table's lines."""
    for number, (name, after) in enumerate(DROPS):
        found = []
        for run in range(runs):
            random = np.random.default_rng((seed, 100 + number, run))
            windows = changed(LIMIT / 2, after, 1000)(random)
            shown = alarm(windows, (GOOD_DAYS + 60) * A_DAY)
            if shown is not None:
                found.append(shown - GOOD_DAYS * A_DAY)
        low, median, high = (round(q) for q in np.quantile(found, (0.05, 0.5, 0.95)))
        yield f"| {name} | {len(found)} of {runs} | {median} ({low} to {high}) |"


def main() -> int:
    """Prints the figures, and writes them if asked to."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--write", action="store_true")
    given = options.parse_args()
    lines = [
        f"Windows of {SECONDS} s, `maxRatio` {LIMIT:g}, `alpha` {ALPHA:g}, {given.runs:,} runs a "
        f"line, seed {given.seed}; in brackets what 97.5 % confidence rules out.\n",
        f"**False alarms within {DAYS} days**\n",
        "| the version's ratio | fired | claim |\n|---|---|---|",
    ]
    good = True
    for line, met in false_alarms(given.runs, given.seed):
        lines.append(line)
        good &= met
    few = max(1, given.runs // 10)
    lines += [
        f"\n**Hours until it fires**, after {GOOD_DAYS} days at half the limit, 1,000 requests an "
        "hour: the median, and nine of ten\n",
        "| the ratio is then | fired within 60 days | hours |\n|---|---|---|",
        *delays(few, given.seed),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if given.write:
        page = PAGE.read_text()
        head, rest = page.split(BEGIN)
        PAGE.write_text(head + BEGIN + text + END + rest.split(END, 1)[1])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
