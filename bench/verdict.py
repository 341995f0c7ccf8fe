"""Error rates, power and speed of the canary verdict, by simulation of the shipped code.

    python -m bench.verdict [--runs 4000] [--seed 1] [--write]

Needs numpy. Prints the Markdown of docs/verdict.md's figures, and with --write puts it there.
Exits with 1 if an error rate is above its bound by more than three standard errors. About ten
minutes on one core at the default 4,000 runs.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.verdict.block import Block
from evenkeel.verdict.tally import limits
from evenkeel.verdict.verdict import Evidence, Indicator, Value, judge

from bench import scrapes
from bench.canary_simulation import (
    Scene,
    bad_events_until_pass,
    requests_until,
    simulate,
)
from dev.paths import DOCS

PAGE = DOCS / "verdict.md"
BEGIN, END = "<!-- python -m bench.verdict --write: begin -->\n", "<!-- end -->\n"
LOOKS = 30
WEIGHTS = (0.01, 0.05, 0.1, 0.5)

_SPEC = IndicatorSpec(name="errors")
DEFAULT = limits(_SPEC, Analysis(indicators=(_SPEC,)))
"""What an indicator that states no limits is judged by."""
STRICT = replace(DEFAULT, tolerance=0.0, acceptable=0.0)


def parameters() -> str:
    """The limits of the figures, as the page says them; a test holds the page to them."""
    d = DEFAULT
    return (
        f'"Defaults" is `tolerance` {d.tolerance:g}, `acceptable` {d.acceptable:g}, '
        f"`confirmations` {d.confirmations}, `alpha` {d.alpha:g} and `beta` {d.beta:g}; "
        f'"strict" is `tolerance` {STRICT.tolerance:g} and `acceptable` {STRICT.acceptable:g}, '
        "the hardest case for false failures."
    )


def percent(ratio: float, digits: int = 0) -> str:
    return f"{100 * ratio:.{digits}f} %"


def share(count: int, runs: int) -> str:
    """A share with its standard error in percent; where none was seen, what 95 % rule out."""
    if count == 0:
        return f"0 % (< {300 / runs:.2g} %)"
    if count == runs:
        return f"100 % (> {100 - 300 / runs:.4g} %)"
    found = count / runs
    return f"{100 * found:.2f} ± {percent(math.sqrt(found * (1 - found) / runs), 2)}"


def quantile(values: Iterable[int], at: float) -> str:
    """A quantile, with the order statistics one standard error to either side."""
    known = sorted(values)
    if len(known) < 2:
        return f"{known[0]:,}" if known else "–"
    last = len(known) - 1
    middle, error = at * last, math.sqrt(len(known) * at * (1 - at))
    ranks = (middle, max(0.0, middle - error), min(float(last), middle + error))
    value, low, high = (known[round(rank)] for rank in ranks)
    return f"{value:,} ({low:,} to {high:,})"


def holds(count: int, bound: float, runs: int) -> bool:
    """Whether the share found is compatible with the bound, within three standard errors."""
    return count / runs <= bound + 3 * math.sqrt(bound * (1 - bound) / runs)


class Report:
    """The page's figures as they are found, and whether every bound held."""

    def __init__(self, runs: int, seed: int) -> None:
        self.runs, self.seed = runs, seed
        self.lines: list[str] = []
        self.broken: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)
        print(text, flush=True)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        self.say("")
        self.say(f"| {' | '.join(head)} |")
        self.say("|" + "---|" * len(head))
        for row in rows:
            self.say(f"| {' | '.join(row)} |")
        self.say("")

    def bounded(self, what: str, count: int, bound: float, runs: int) -> str:
        if not holds(count, bound, runs):
            self.broken.append(f"{what}: {share(count, runs)}, bound {percent(bound)}")
        return share(count, runs)


def false_failures(report: Report) -> None:
    report.say(
        f"**False failures of a good canary**, strict, {LOOKS} one-minute looks, {report.runs:,} "
        "runs a cell: the highest of bad ratios 0.1, 1 and 10 %, by canary requests a minute"
    )

    def worst(weight: float, rate: int) -> str:
        failed = max(
            len(
                simulate(
                    Scene(rate, weight, r, r), STRICT, report.runs, report.seed, LOOKS
                ).failed_at
            )
            for r in (0.001, 0.01, 0.1)
        )
        return report.bounded(f"false fail, {weight}, {rate}", failed, STRICT.alpha, report.runs)

    rates = (20, 200, 2000)
    report.table(
        ["weight", *(f"{rate:,}/min" for rate in rates)],
        ([percent(weight), *(worst(weight, rate) for rate in rates)] for weight in WEIGHTS),
    )


def one_second_looks(report: Report) -> None:
    runs, looks = max(20, report.runs // 20), 3600
    report.say(
        f"**Looks one second apart**, strict, 10 % weight, {looks:,} looks, {runs} runs a cell"
    )

    def failed(rate: int, canary: float, stable: float) -> str:
        found = simulate(Scene(rate / 60, 0.1, canary, stable), STRICT, runs, report.seed, looks)
        count = len(found.failed_at)
        if canary > stable:
            return f"{share(count, runs)}; second {quantile(found.failed_at, 0.5)}"
        return report.bounded(f"one-second looks, {rate}, {canary}", count, STRICT.alpha, runs)

    cases = {"1 % as stable": (0.01, 0.01), "10 % as stable": (0.1, 0.1),
             "3 %, stable 1 %: failed, median second": (0.03, 0.01)}  # fmt: skip
    report.table(
        ["canary requests", *cases],
        (
            [f"{rate:,}/min", *(failed(rate, *c) for c in cases.values())]
            for rate in (20, 200, 2000)
        ),
    )


def edges(report: Report) -> None:
    """At the edge of each null hypothesis; the errors must stay below alpha or beta."""
    worse = 1 + DEFAULT.tolerance
    cases = [
        ("fail", f"{worse:g} times stable's 20 %, acceptable 0", Scene(200, 0.1, 0.2 * worse, 0.2),
         replace(DEFAULT, acceptable=0.0)),
        ("fail", f"at acceptable {percent(DEFAULT.acceptable, 1)}, stable faultless, tolerance 0",
         Scene(2000, 0.1, DEFAULT.acceptable, 0.0), replace(DEFAULT, tolerance=0.0)),
        ("fail", "at maxRatio 2 %, as stable, acceptable 0", Scene(2000, 0.1, 0.02, 0.02),
         replace(DEFAULT, acceptable=0.0, max_ratio=0.02)),
        ("pass", f"at both limits: {worse:g} times stable's 1 %, acceptable {worse:g} %",
         Scene(2000, 0.1, 0.01 * worse, 0.01), replace(DEFAULT, acceptable=0.01 * worse)),
        ("pass", "twice stable's 1 %, defaults", Scene(2000, 0.1, 0.02, 0.01), DEFAULT),
    ]  # fmt: skip

    def row(error: str, what: str, scene: Scene, indicator: Indicator) -> list[str]:
        found = simulate(scene, indicator, report.runs, report.seed, LOOKS)
        count = len(found.failed_at) if error == "fail" else found.passed
        bound = indicator.alpha if error == "fail" else indicator.beta
        return [f"false {error}", what,
                report.bounded(what, count, bound, report.runs), percent(bound)]  # fmt: skip

    report.say(
        f"**At the edge of a null hypothesis**, 10 % weight, {LOOKS} looks, {report.runs:,} runs"
    )
    report.table(["error", "canary", "found", "bound"], (row(*case) for case in cases))


def power(report: Report) -> None:
    columns = {
        "20/min, strict": (20, STRICT),
        "200/min, strict": (200, STRICT),
        "20/min, defaults": (20, DEFAULT),
        "200/min, defaults": (200, DEFAULT),
        "2,000/min, defaults": (2000, DEFAULT),
    }

    def failed(weight: float, rate: int, indicator: Indicator) -> str:
        scene = Scene(rate, weight, 0.03, 0.01)
        found = simulate(scene, indicator, report.runs, report.seed, LOOKS)
        count = share(len(found.failed_at), report.runs)
        return f"{count}; look {quantile(found.failed_at, 0.5)}"

    report.say(
        f"**Canary 3 % bad, stable 1 %**: failed within {LOOKS} one-minute looks, "
        f"{report.runs:,} runs, with the median look of the failures"
    )
    report.table(
        ["weight", *columns],
        ([percent(weight), *(failed(weight, *c) for c in columns.values())] for weight in WEIGHTS),
    )


def delays(report: Report) -> None:
    runs, few = max(20, report.runs // 4), 25

    def row(
        what: str, value: Value, ratio: float, limit: int, times: int, history: int = 0
    ) -> list[str]:
        random = np.random.default_rng(report.seed)
        found = [
            requests_until(
                value,
                DEFAULT,
                iter((random.random(limit) < ratio).astype(int).tolist()),
                limit,
                history,
            )
            for _ in range(times)
        ]
        return [what, f"{times:,}", quantile(found, 0.5), quantile(found, 0.99)]

    report.say(
        "**Canary requests until the verdict**, defaults, 10 % weight, stable faultless; in the "
        "last line both sides have 10 % bad, and bad events of both are counted"
    )
    random = np.random.default_rng(report.seed)
    alike = [
        bad_events_until_pass(Scene(10, 0.1, 0.1, 0.1), DEFAULT, random, 5000) for _ in range(few)
    ]
    report.table(
        ["case", "runs", "median", "99th percentile"],
        [
            row("half of the requests fail", Value.FAIL, 0.5, 500, runs),
            row("all requests fail", Value.FAIL, 1.0, 500, 1),
            row("half fail after 3,600 faultless requests", Value.FAIL, 0.5, 500, few, 3600),
            row("faultless: pass", Value.PASS, 0.0, 5000, 1),
            row("0.1 % bad: pass", Value.PASS, 0.001, 20_000, few),
            ["as stable: pass by comparison", f"{few}",
             quantile(alike, 0.5), quantile(alike, 0.99)],
        ],
    )  # fmt: skip


def real_conditions(report: Report) -> None:
    """What clusters do to counters: false failures and false passes, by scrape interval."""
    runs = min(300, report.runs)
    report.say(
        "**What real clusters do**: rollouts of five minutes at the defaults, judged from "
        f"simulated scrapes, {runs} runs a cell. Good canaries failed (bound 1 %):"
    )

    def cell(name: str, value: Value, bound: float, scene: scrapes.Scene) -> str:
        count = sum(end.value is value for end in scrapes.ends(scene, runs, report.seed))
        return report.bounded(f"{name}, scrapes of {scene.interval:g} s", count, bound, runs)

    intervals = (1.0, 5.0, 15.0, 30.0)
    heads = ["condition", *(f"{i:g} s" for i in intervals)]
    good, bad = scrapes.GOOD, scrapes.BAD
    report.table(
        heads,
        ([n, *(cell(n, Value.FAIL, 0.01, s(i)) for i in intervals)] for n, s in good.items()),
    )
    report.say("Bad canaries passed (bound 5 %):")
    report.table(
        heads,
        ([n, *(cell(n, Value.PASS, 0.05, s(i)) for i in intervals)] for n, s in bad.items()),
    )


def scrape_delays(report: Report) -> None:
    """Seconds from the canary's first request until it fails, by scrape interval."""
    runs = min(100, report.runs)
    report.say(f"**Seconds until a bad canary fails**, {runs} runs: median (neighbours)")

    def cell(scene: scrapes.Scene) -> str:
        found = scrapes.ends(scene, runs, report.seed)
        return quantile((round(e.second) for e in found if e.value is Value.FAIL), 0.5)

    intervals = (1.0, 5.0, 15.0, 30.0)
    report.table(
        ["canary, stable 1 %", *(f"{i:g} s" for i in intervals)],
        ([name, *(cell(scene(i)) for i in intervals)] for name, scene in scrapes.DELAYED.items()),
    )


def speed(report: Report) -> None:
    """Best of seven timings of fold and judge, and the size of an indicator in status."""
    evidence, block, best, turns = Evidence(DEFAULT), Block(0, 33, 3, 330), math.inf, 2000
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(turns):
            evidence = evidence.fold(block)
            judge(evidence, min_requests=10, step_requests=50)
        best = min(best, (time.perf_counter() - start) / turns)
    size = len(json.dumps(evidence.to_status(), separators=(",", ":")))
    report.say(
        f"**Cost**: fold and judge take {best * 1e6:.0f} µs an indicator, the best of seven times "
        f"{turns:,} turns on one core; {size} bytes of status."
    )


TABLES: tuple[Callable[[Report], None], ...] = (
    false_failures, one_second_looks, edges, power, delays, real_conditions,
    scrape_delays, speed
)  # fmt: skip


def write(figures: str) -> None:
    """Puts the figures between the page's markers."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}{figures}{END}{after}")


def main() -> int:
    """Prints every table; 1 if a bound does not hold, else 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the figures into the page")
    options = parser.parse_args()
    report = Report(options.runs, options.seed)
    report.say(
        f"{parameters()} A share stands with its standard error; where all or none were seen, with "
        "what 95 % confidence rules out. A quantile stands with its neighbours one standard error "
        f"away. Seed {options.seed}.\n"
    )
    for table in TABLES:
        table(report)
    if options.write:
        write("\n".join(report.lines) + "\n")
    for line in report.broken:
        print(f"above its bound: {line}", file=sys.stderr)
    return int(bool(report.broken))


if __name__ == "__main__":
    sys.exit(main())
