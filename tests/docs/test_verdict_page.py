"""docs/verdict.md: its limits and the limits of its figures are the shipped defaults."""

from __future__ import annotations

import re

from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.verdict.verdict import Indicator

from bench import verdict

TEXT = verdict.PAGE.read_text()
SPEC = IndicatorSpec(name="errors")
ANALYSIS = Analysis(indicators=(SPEC,))


def test_figures_were_measured_at_the_shipped_defaults() -> None:
    figures = TEXT.split(verdict.BEGIN)[1].split(verdict.END)[0]
    assert figures.startswith(verdict.parameters()), "run: python -m bench.verdict --write"
    assert f"`tolerance` {float(SPEC.tolerance):g}," in figures


def test_default_limits_are_the_apis() -> None:
    assert str(verdict.DEFAULT.tolerance) == SPEC.tolerance
    assert str(verdict.DEFAULT.acceptable) == SPEC.acceptable
    assert verdict.DEFAULT.confirmations == ANALYSIS.confirmations


def test_the_table_of_limits_says_their_defaults() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", TEXT, re.MULTILINE))
    defaults = Indicator("errors")
    assert rows["tolerance"] == SPEC.tolerance
    assert rows["acceptable"] == SPEC.acceptable
    assert rows["maxRatio"] == "none"
    assert rows["alpha"].startswith(f"{defaults.alpha:g},")
    assert rows["beta"].startswith(f"{defaults.beta:g},")
    assert rows["confirmations"] == str(ANALYSIS.confirmations)
    assert rows["minRequests"] == str(ANALYSIS.min_requests)


def test_shares_stand_with_their_error() -> None:
    assert verdict.share(1, 100) == "1.00 ± 0.99 %"
    assert verdict.share(0, 100) == "0 % (< 3 %)"
    assert verdict.share(100, 100) == "100 % (> 97 %)"


def test_quantiles_stand_with_their_neighbours() -> None:
    assert verdict.quantile(range(101), 0.5) == "50 (45 to 55)"
    assert verdict.quantile([4], 0.5) == "4"
    assert verdict.quantile([], 0.5) == "–"


def test_a_rate_above_its_bound_is_told() -> None:
    report = verdict.Report(100, 1)
    report.bounded("inside", 3, 0.01, 100)
    assert not report.broken
    report.bounded("beyond", 9, 0.01, 100)
    assert report.broken == ["beyond: 9.00 ± 2.86 %, bound 1 %"]


def test_figures_replace_what_stands_between_the_markers_only() -> None:
    before, rest = TEXT.split(verdict.BEGIN)
    assert rest.count(verdict.END) == 1
    assert "### Sources" in rest.split(verdict.END)[1]
    assert before.rstrip().endswith("`--write`.")
