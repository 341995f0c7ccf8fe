"""docs/monitoring-statistics.md: its defaults are the shipped ones, and its figures are those."""

from __future__ import annotations

import re

from evenkeel.monitoring.evidence import CONCENTRATIONS, MOST_REMEMBERED
from evenkeel.monitoring.settings import ENDED, RARE, REFERENCE_MISS, Settings

from bench import monitoring

TEXT = monitoring.PAGE.read_text()


def test_the_table_of_parameters_says_their_defaults() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", TEXT, re.MULTILINE))
    defaults = Settings()
    assert rows["blockSeconds"] == str(defaults.block_seconds)
    assert rows["falseAlarmsPerYear"] == str(defaults.false_alarms_per_year)
    assert rows["tolerance"] == str(defaults.tolerance)
    assert rows["minRows"] == str(defaults.min_rows)
    assert rows["maxRatio"] == "none"
    assert rows["minLabels"] == str(defaults.min_labels)


def test_numbers_of_the_proofs_are_the_codes() -> None:
    assert (RARE, ENDED, REFERENCE_MISS) == (0.1, 0.1, 0.01)
    assert "A tenth of it for `Missing` and `Unseen`" in TEXT
    assert "begin at `S >= T` and end at `S < T/10`" in TEXT
    assert CONCENTRATIONS == (3.0, 30.0)
    assert f"{MOST_REMEMBERED:,} rows at most" in TEXT


def test_every_scene_and_change_has_its_line_in_the_figures() -> None:
    figures = TEXT.split(monitoring.BEGIN)[1].split(monitoring.END)[0]
    for one in (*monitoring.SCENES, *monitoring.CHANGES):
        assert f"\n| {one.name} | " in figures, "run: python -m bench.monitoring --write"
    assert "MISSED" not in figures
