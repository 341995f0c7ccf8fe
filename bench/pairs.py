"""How many requests a verdict on pairs takes beside one on unpaired requests, and its error rates.

    python -m bench.pairs [--runs 2000] [--seed 1] [--write]

Needs numpy. Simulates the shipped code: canary and stable answer the same requests, or each its
own half of them. Prints the Markdown of docs/verdict.md's figures, and with --write puts it there.
Exits with 1 if a bound is missed: of an error rate, by more than chance would have it (exact, one
in a thousand). Some eight minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.verdict.block import Block
from evenkeel.verdict.tally import limits
from evenkeel.verdict.verdict import Evidence, Indicator, Value, judge

from bench.decay import by_chance, exact_upper
from bench.process import Row, at_most
from bench.report import Report as Page
from dev.paths import DOCS

PAGE = DOCS / "verdict.md"
BEGIN, END = "<!-- python -m bench.pairs --write: begin -->\n", "<!-- pairs: end -->\n"
LOOK = 50
"""Requests of clients between two looks."""
MOST = 100_000
"""Requests of clients until a run is given up."""
LOOKS = 100
"""Of a run that asks for false verdicts."""
TENTH = 10
DIFFER = 0.02
"""Share of answers of which exactly one is bad, unless a line says otherwise."""


def _defaults(**fields: str) -> Indicator:
    spec = IndicatorSpec.model_validate({"name": "errors", **fields})
    return limits(spec, Analysis(indicators=(spec,)))


PAIRED, UNPAIRED = _defaults(source="Pairs"), _defaults()
"""What an indicator that states no limits is judged by."""
STRICT = replace(UNPAIRED, tolerance=0.0, acceptable=0.0)
"""The quickest to fail."""


class Scene(NamedTuple):
    """Shares of requests: `base` bad on stable, `against` on the canary alone and `beside` on
    stable alone."""

    base: float
    against: float
    beside: float

    @property
    def canary(self) -> float:
        """The canary's bad ratio."""
        return self.base + self.against - self.beside


def worse(base: float, points: float, differ: float = DIFFER) -> Scene:
    """A canary that is so much worse, of a share of answers that differ."""
    excess = points / 100
    return Scene(base, (differ + excess) / 2, (differ - excess) / 2)


def paired(scene: Scene, random: np.random.Generator, requests: int) -> Block:
    """The next requests, all of which are copied."""
    shares = (scene.against, scene.beside, 1 - scene.against - scene.beside)
    against, beside, _ = random.multinomial(requests, shares).tolist()
    return Block(against, requests, beside, requests)


def halved(scene: Scene, random: np.random.Generator, requests: int) -> Block:
    """The next requests at 50 % weight, the quickest."""
    each = requests // 2
    bad, stable = (int(random.binomial(each, ratio)) for ratio in (scene.canary, scene.base))
    return Block(bad, each, stable, each)


Asked = Callable[[Scene, np.random.Generator, int], Block]


def until(
    value: Value, asked: Asked, scene: Scene, judged: Indicator, random: np.random.Generator
) -> int:
    """Requests of clients until the verdict; MOST if there is none by then."""
    evidence = Evidence(judged)
    for requests in range(LOOK, MOST + 1, LOOK):
        evidence = evidence.fold(asked(scene, random, LOOK))
        found = judge(evidence, min_requests=0, step_requests=evidence.canary_total)
        if found.value is value:
            return requests
    return MOST


def ever(value: Value, scene: Scene, judged: Indicator, random: np.random.Generator) -> bool:
    """Whether a verdict on pairs is such at any look."""
    evidence = Evidence(judged)
    for _ in range(LOOKS):
        evidence = evidence.fold(paired(scene, random, LOOK))
        found = judge(evidence, min_requests=0, step_requests=evidence.canary_total)
        if found.value is value:
            return True
    return False


class Median(NamedTuple):
    """The median of some runs, with the order statistics between which it lies (95 %)."""

    low: int
    median: int
    high: int

    @classmethod
    def of(cls, found: Sequence[int]) -> Median:
        """Of the runs' figures."""
        known, half = sorted(found), 0.98 * len(found) ** 0.5
        middle = (len(known) - 1) / 2
        at = (max(0.0, middle - half), middle, min(len(known) - 1.0, middle + half))
        return cls(*(known[round(rank)] for rank in at))

    def __str__(self) -> str:
        if self.median >= MOST:
            return f"none within {MOST:,}"
        return f"{self.median:,} ({self.low:,} to {self.high:,})"


class Report(Page):
    """Of runs from a seed."""

    def __init__(self, runs: int, seed: int) -> None:
        super().__init__()
        self.runs, self.seed = runs, seed

    def median(self, value: Value, asked: Asked, scene: Scene, judged: Indicator) -> Median:
        """Requests until a verdict."""
        random = np.random.default_rng(self.seed)
        runs = max(5, self.runs // 40)
        return Median.of([until(value, asked, scene, judged, random) for _ in range(runs)])


def _ratio(pairs: Median, beside: Median) -> str:
    if beside.median >= MOST:
        return f"less than 1/{beside.median / pairs.median:.0f}"
    return f"1/{beside.median / pairs.median:.1f}"


def _row(
    report: Report, what: str, value: Value, scene: Scene, judged: tuple[Indicator, Indicator],
    *, claimed: bool,
) -> list[str]:  # fmt: skip
    pairs = report.median(value, paired, scene, judged[0])
    beside = report.median(value, halved, scene, judged[1])
    # The worst of both intervals has to hold it.
    held = report.bound(TENTH * pairs.high <= beside.low) if claimed else ""
    return [what, str(pairs), str(beside), f"{_ratio(pairs, beside)}{held}"]


HEAD = ["bad on stable, on the canary", "pairs", "unpaired", "ratio"]


def failing(report: Report) -> None:
    report.say(
        f"**Requests until a worse canary fails**, {100 * DIFFER:g} % of answers differ, pairs at "
        "the defaults, unpaired requests at `tolerance` 0 and `acceptable` 0, where they fail "
        "soonest, and at 50 % weight; the median, and in brackets where 95 % confidence has it"
    )
    claimed = ((0.2, 2.0), (0.2, 1.5), (0.1, 2.0))
    others = ((0.1, 1.5), (0.1, 1.0), (0.05, 1.5), (0.02, 1.5))

    def row(base: float, points: float, said: bool) -> list[str]:
        scene = worse(base, points)
        what = f"{100 * base:g} %, {100 * scene.canary:g} %"
        return _row(report, what, Value.FAIL, scene, (PAIRED, STRICT), claimed=said)

    report.table(
        HEAD,
        (row(*at, said) for said, ats in ((True, claimed), (False, others)) for at in ats),
    )


def passing(report: Report) -> None:
    report.say(
        "**Requests until a canary that is as good passes**, as many answers bad on either side "
        "alone, at the same margin: 0.25 times stable's bad ratio, which is `tolerance`'s default "
        "for unpaired requests and set as `acceptable` for pairs; the last line has pairs at "
        "their defaults, which is a margin of 0.5 points"
    )

    def row(base: float, differ: float, margin: float, said: bool) -> list[str]:
        judged = replace(PAIRED, acceptable=margin)
        what = f"{100 * base:g} %, {100 * differ:g} % differ, margin {100 * margin:g} points"
        scene = worse(base, 0.0, differ)
        return _row(report, what, Value.PASS, scene, (judged, UNPAIRED), claimed=said)

    cases = (
        (0.2, 0.02, 0.05, True),
        (0.1, 0.02, 0.025, True),
        (0.05, 0.02, 0.0125, False),
        (0.1, 0.05, 0.025, False),
        (0.02, 0.02, 0.005, False),
        (0.1, 0.02, PAIRED.acceptable, False),
    )
    report.table(HEAD, (row(*case) for case in cases))


def errors(report: Report) -> None:
    report.say(
        f"**Pairs at the edge of what is claimed**, looked at {LOOKS} times, each {LOOK} pairs, "
        f"{report.runs:,} runs; in brackets what 97.5 % confidence rules out"
    )
    loose = replace(PAIRED, acceptable=0.0)
    cases = (
        ("fails", "nothing but chance, 2 % differ", Scene(0.1, 0.01, 0.01), PAIRED),
        ("fails", "1.25 times as many against it, `acceptable` 0", Scene(0.1, 0.05, 0.04), loose),
        ("fails", "0.5 points worse, tolerance 0", Scene(0.1, 0.015, 0.01),
         replace(PAIRED, tolerance=0.0)),
        ("fails", "0.5 points worse, all that differ against it", Scene(0.1, 0.005, 0.0), PAIRED),
        ("passes", "0.5 points worse, none for it", Scene(0.1, 0.005, 0.0), PAIRED),
        ("passes", "0.5 points worse, 1.25 times as many", Scene(0.1, 0.025, 0.02), PAIRED),
        ("passes", "1 point worse", Scene(0.1, 0.015, 0.005), PAIRED),
    )  # fmt: skip

    def row(case: tuple[str, str, Scene, Indicator], hits: int) -> list[str]:
        error, what, _, judged = case
        most = judged.alpha if error == "fails" else judged.beta
        upper = exact_upper(hits, report.runs, 0.025)
        share = f"{100 * hits / report.runs:.2f} % (< {100 * upper:.2f} %)"
        held = report.bound(by_chance(hits, report.runs, most))
        return [error, what, f"{share}{held}", f"{100 * most:g} %"]

    values = {"fails": Value.FAIL, "passes": Value.PASS}
    asked = [(values[error], scene, judged) for error, _, scene, judged in cases]
    with ProcessPoolExecutor() as pool:
        found = pool.map(_hits, asked, [report.runs] * len(cases), [report.seed] * len(cases))
        rows = (row(case, hits) for case, hits in zip(cases, found, strict=True))
        report.table(["error", "canary", "found", "bound"], rows)


def _hits(asked: tuple[Value, Scene, Indicator], runs: int, seed: int) -> int:
    """Runs in which the verdict is ever such."""
    random = np.random.default_rng(seed)
    return sum(ever(*asked, random) for _ in range(runs))


def measure() -> list[Row]:
    """The claim in few runs, for the table of `python -m bench`."""
    report, scene = Report(400, 1), worse(0.1, 2.0)
    alike, margin = worse(0.1, 0.0), replace(PAIRED, acceptable=0.025)
    cases = (
        ("fail", Value.FAIL, scene, PAIRED, STRICT),
        ("pass", Value.PASS, alike, margin, UNPAIRED),
    )
    return [
        at_most(
            f"pairs: requests to {what}, as a share of unpaired ones",
            report.median(value, paired, one, judged).median
            / report.median(value, halved, one, beside).median,
            1 / TENTH,
            "",
            3,
        )
        for what, value, one, judged, beside in cases
    ]


TABLES = (failing, passing, errors)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures, and writes them if asked to; 1 if a bound is missed."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--runs", type=int, default=2000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--write", action="store_true")
    given = options.parse_args(arguments)
    report = Report(given.runs, given.seed)
    for table in TABLES:
        table(report)
    if given.write:
        page = PAGE.read_text()
        head, rest = page.split(BEGIN)
        PAGE.write_text(head + BEGIN + "\n".join(report.lines) + "\n" + END + rest.split(END, 1)[1])
    held = sum(report.tried)
    print(f"{held} bounds held of {len(report.tried)} tried")
    return 0 if held == len(report.tried) else 1


if __name__ == "__main__":
    sys.exit(main())
