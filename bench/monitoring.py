"""False alarms a year and delays of the drift detectors, by simulation of the shipped code.

    python -m bench.monitoring [--years 40] [--runs 10] [--seed 1] [--write] [--meter]

Needs numpy and scipy. The usual rules are held against the same data. Prints the Markdown of
docs/monitoring-statistics.md's figures, and with --write puts it there. Each figure that is claimed
stands against its bound; exits with 1 if one misses. A quarter of an hour on two cores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from math import inf

import numpy as np
from evenkeel.monitoring.histogram import within
from evenkeel.monitoring.settings import RARE, REFERENCE_MISS
from scipy.stats import chi2  # type: ignore[attr-defined]

from bench import drift_scenes as made
from bench import meter
from bench.drift_lives import BEFORE, CAPS, MOST, SETTINGS, Delay, delay, year
from bench.drift_scenes import Change, Scene
from bench.report import Report
from dev.paths import DOCS

PAGE = DOCS / "monitoring-statistics.md"
BEGIN, END = "<!-- python -m bench.monitoring --write: begin -->\n", "<!-- monitoring: end -->\n"
BOUND = SETTINGS.false_alarms_per_year
HISTOGRAMS = 100
"""Of a model with some 50 columns."""
RULE_RUNS = 2
"""Of a change, in which the usual rules are asked, too; without one, a single year is."""

WITHIN = 0.125
"""Standard deviations by which a normal distribution moves by the tolerance of 0.05."""
SCENES = (
    Scene("independent rows"),
    Scene("250 rows a day", rows=250),
    Scene("labels at the limit", features=1, bad=made.LIMIT, years=3),
    Scene("10,000 rows a day, 3 features", rows=10_000, features=3),
    Scene("daily cycle, mean and traffic go up and down within the day", values=made.in_the_day),
    Scene("50 features", features=50),
    Scene("10 features that are nearly the same (correlation 0.9)", features=10, values=made.alike),
    Scene("reference of 1,000 rows", reference=1000),
    Scene("heavy ties: seven of ten values are 0", values=made.tied),
    Scene(
        "wandering slowly within the tolerance (0.95 from day to day)",
        levels=partial(made.wandering, 0.1, WITHIN),
    ),
    Scene(
        "always at the edge of the tolerance, reference known exactly",
        levels=partial(made.always, WITHIN),
        exact=True,
        reference=10_000_000,
    ),
    Scene("clients send bursts of 20 like rows, one of each is counted", burst=20, spaced=True,
          rows=20_000),
    Scene("each thirtieth day is 3 deviations off", levels=partial(made.every, 30, 3.0)),
    Scene("bursts of 20 like rows, all counted", False, burst=20, rows=20_000),
    Scene("bursts of 100 like rows, all counted", False, burst=100, rows=20_000),
    Scene("one day in thirty, by chance, is 3 deviations off", False,
          levels=partial(made.odd_days, 1 / 30, 3.0)),
    Scene("wandering slowly by 0.2 deviations, up to 0.4", False,
          levels=partial(made.wandering, 0.2, 0.4)),
)  # fmt: skip

SIZES = ((1000, 10_000), (10_000, 10_000), (10_000, 100_000))
DELAYED = Scene("delays", features=50)
DOUBLED = (0.2, *([0.8 / 9] * 9))
GONE = (0.0, *([1 / 9] * 9))
CHANGES = (
    Change("0.1 deviations, one feature", 0.1, 1),
    Change("0.1, all features", 0.1, 50),
    Change("0.25, one feature", 0.25, 1, within=(10,)),
    Change("0.25, all features", 0.25, 50, within=(8, 5)),
    Change("0.5, one feature", 0.5, 1, within=(5, 3, 3)),
    Change("0.5, all features", 0.5, 50, within=(3, 3, 3)),
    Change("one category of ten vanishes", categories=GONE, within=(10, 3, 3)),
    Change("one category of ten doubles", categories=DOUBLED, within=(6,)),
    Change("missing 1 % to 5 %, one feature", features=1, missing=0.05,
           within=(6, 3, 3)),
    Change("unseen categories 0 to 2 %", unseen=0.02, within=(8, 3, 3)),
    Change("bad labels 15 % to 30 %, limit 20 %", bad=0.3, within=(40, 40, 40)),
    Change("bad labels to 40 %", bad=0.4, within=(22, 22, 22)),
)  # fmt: skip


def upper(alarms: int, years: int) -> float:
    """The rate above which so few alarms have a probability below 2.5 % (Poisson, exact)."""
    return float(chi2.ppf(0.975, 2 * (alarms + 1)) / 2 / years)


def widths(report: Report) -> None:
    """What is within tolerance, by the size of the reference."""
    report.say(
        f"**What is no drift**, at a tolerance of {SETTINGS.tolerance:g}, by the size of the "
        f"reference: of {HISTOGRAMS} histograms, so that one in {1 / REFERENCE_MISS:.0f} "
        "references is further off than this allows for."
    )
    miss = REFERENCE_MISS / HISTOGRAMS

    def radius(rows: int, bins: int) -> str:
        return f"{within((rows // bins,) * bins, SETTINGS.tolerance, miss).radius:.3f}"

    def missing(rows: int, share: float) -> str:
        counts = (round(share * rows), rows - round(share * rows))
        ball = within(counts, RARE * SETTINGS.tolerance, miss)
        return f"{100 * (ball.center[0] + ball.radius):.1f} %"

    report.table(
        ["rows of the reference", "distance, 10 bins", "distance, 64 bins",
         "unseen, none in the reference", "missing, 1 % in the reference"],
        (
            [f"{rows:,}", radius(rows, 10), radius(rows, 64), missing(rows, 0), missing(rows, 0.01)]
            for rows in (1000, 10_000, 100_000, 1_000_000)
        ),
    )  # fmt: skip


def false_alarms(report: Report, pool: ProcessPoolExecutor, years: int, seed: int) -> None:
    report.say(
        f"**False alarms without drift**: {years} years a line (a quarter where nothing is "
        "claimed), each with a reference of its own of 10,000 rows, 5 features and 1,000 rows a "
        "day unless the line says otherwise; in brackets what 97.5 % confidence rules out. Days a "
        "year on which a rule alarms, in the first of these years."
    )

    def row(number: int, scene: Scene) -> list[str]:
        runs = years * scene.years if scene.covered else max(1, years // 4)
        seeds = [(seed, number, run) for run in range(runs)]
        rules_too = [run < 1 for run in range(runs)]
        found = list(pool.map(year, [scene] * runs, seeds, rules_too, chunksize=5))
        alarms = sum(one.alarms for one in found)
        most = upper(alarms, runs)
        rules = np.mean([one.rules for one in found if one.rules], axis=0)
        held = report.bound(most <= BOUND) if scene.covered else ""
        return [
            scene.name,
            f"{alarms / runs:.2f} (< {most:.2f}){held}",
            f"{BOUND:g}" if scene.covered else "none",
            f"{np.mean([one.days for one in found]):.1f}",
            *(f"{days:.0f}" for days in rules),
        ]

    report.table(
        ["rows", "alarms a year", "bound", "days on alarm", "PSI > 0.2", "KS p < 0.05",
         "share of columns"],
        (row(number, scene) for number, scene in enumerate(SCENES)),
    )  # fmt: skip


def quantiles(found: Sequence[int | None]) -> str:
    """Median and the ninth of ten; how many, if not all."""
    known = sorted(one if one is not None else MOST + 1 for one in found)
    seen = sum(one <= MOST for one in known)
    if not seen:
        return "–"
    middle, late = known[(len(known) - 1) // 2], known[-(-9 * len(known) // 10) - 1]
    text = " to ".join("later" if one > MOST else str(one) for one in (middle, late))
    return text if seen == len(known) else f"{text} ({seen} of {len(known)})"


def ninth(found: Sequence[int | None]) -> float:
    return sorted(one if one is not None else inf for one in found)[-(-9 * len(found) // 10) - 1]


def rule_delays(found: list[Delay], at: int) -> str:
    said = [one.rules[at] for one in found if one.rules != (False,) * 3 or one.rules[at] is None]
    before = sum(one is False for one in said)
    if before:
        return f"{before} of {len(said)} before it"
    return quantiles([one for one in said if one is not False])


def delays(report: Report, pool: ProcessPoolExecutor, runs: int, seed: int) -> None:
    report.say(
        f"**Days until a change is found**, after {BEFORE} days without, 50 features, by "
        f"rows a day and of the reference: the median and nine of ten of {runs} runs; within "
        f"{MOST} days, or not (–). "
        f"The rules at 1,000 rows a day, {RULE_RUNS} runs; all alarms before the change are false."
    )

    def row(number: int, change: Change) -> list[str]:
        cells = []
        unbounded = len(SIZES) - len(change.within)
        for at, (rows, reference) in enumerate(SIZES):
            large = reference > 10_000
            scene = replace(DELAYED, rows=rows, reference=reference, exact=large)
            found = list(
                pool.map(delay, [scene] * runs, [change] * runs,
                         [(seed, 100 + number, rows, reference, run) for run in range(runs)],
                         [rows == 1000 and run < RULE_RUNS for run in range(runs)])
            )  # fmt: skip
            cells.append(quantiles([one.found for one in found]))
            if rows == 1000:
                rules = [rule_delays(found[:RULE_RUNS], at) for at in range(3)]
            if at >= unbounded:
                promised = change.within[at - unbounded]
                held = report.bound(ninth([one.found for one in found]) <= promised)
                cells[-1] += f"; bound {promised}{held}"
        return [change.name, *cells, *rules]

    report.table(
        ["change", *(f"{rows:,} a day, reference {reference:,}" for rows, reference in SIZES),
         "PSI > 0.2", "KS p < 0.05", "share of columns"],
        (row(number, change) for number, change in enumerate(CHANGES)),
    )  # fmt: skip


def caps(report: Report, pool: ProcessPoolExecutor, years: int, runs: int, seed: int) -> None:
    odd = [scene for scene in SCENES if not scene.covered]
    report.say(
        "**What the cap of a block costs and saves**, T the threshold and F the features of a "
        f"group: alarms a year where nothing is claimed ({years} years), and days until a change "
        "of one and of all of 50 features by 0.5 deviations is found (1,000 rows a day, "
        f"{runs} runs)."
    )

    def alarms(number: int, scene: Scene, cap: str) -> str:
        seeds = [(seed, 200 + number, run) for run in range(years)]
        found = pool.map(year, [scene] * years, seeds, [False] * years, [cap] * years)
        return f"{sum(one.alarms for one in found) / years:.1f}"

    def found(change: Change, cap: str) -> str:
        seeds = [(seed, 300, change.features, run) for run in range(runs)]
        lives = pool.map(delay, [DELAYED] * runs, [change] * runs, seeds, [False] * runs,
                         [cap] * runs)  # fmt: skip
        return quantiles([one.found for one in lives])

    report.table(
        ["cap", *(scene.name for scene in odd), "one", "all"],
        (
            [cap, *(alarms(number, scene, cap) for number, scene in enumerate(odd)),
             *(found(change, cap) for change in CHANGES if change.shift == 0.5)]
            for cap in CAPS
        ),
    )  # fmt: skip


def main() -> int:
    """Prints the figures, and writes them if asked to."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--years", type=int, default=40)
    options.add_argument("--runs", type=int, default=10)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--write", action="store_true")
    options.add_argument("--meter", action="store_true", help="what the meter costs, too")
    given = options.parse_args()
    report = Report()
    with ProcessPoolExecutor(2) as pool:
        widths(report)
        false_alarms(report, pool, given.years, given.seed)
        delays(report, pool, given.runs, given.seed)
        caps(report, pool, max(1, given.years // 10), given.runs, given.seed)
    if given.write:
        page = PAGE.read_text()
        head, rest = page.split(BEGIN)
        PAGE.write_text(head + BEGIN + "\n".join(report.lines) + "\n" + END + rest.split(END, 1)[1])
    if given.meter:
        report.tried += [row.met for row in meter.measured(meter.SECONDS, meter.ROUNDS)]
    held = sum(report.tried)
    print(f"{held} bounds held of {len(report.tried)} tried")
    return 0 if held == len(report.tried) else 1


if __name__ == "__main__":
    sys.exit(main())
