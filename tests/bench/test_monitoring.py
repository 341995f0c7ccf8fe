"""What `python -m bench.monitoring` simulates, and what it says of bounds."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from evenkeel.monitoring.histogram import distance, shares
from scipy.stats import ks_2samp, wasserstein_distance

from bench import drift_lives as lives
from bench import drift_scenes as made
from bench import monitoring
from bench.drift_rules import Rules
from bench.drift_scenes import Change, Scene


def test_upper_bounds_are_exact() -> None:
    assert monitoring.upper(0, 1) == pytest.approx(3.689, abs=1e-3)
    assert monitoring.upper(3, 100) == pytest.approx(0.0877, abs=1e-4)


@pytest.mark.parametrize("scene", monitoring.SCENES, ids=lambda scene: scene.name)
def test_scenes_that_the_claim_covers_are_within_the_tolerance_on_most_days(scene: Scene) -> None:
    """And the others are not what the claim is about: like rows, or days that are off."""
    random = np.random.default_rng(1)
    scene = replace(scene, features=1, rows=10_000, reference=max(10_000, scene.reference))
    profile = scene.profile(random)
    off = 0
    for counts, _ in islice(scene.counted(profile, random), 90):
        moved = distance(shares(counts.features[0]), shares(profile.counts.features[0]))
        off += moved > lives.SETTINGS.tolerance + 0.03
    named = "thirtieth" in scene.name
    assert off == (3 if named else 0) if scene.covered else off > 0 or "20 like" in scene.name


def test_counts_are_the_same_with_and_without_single_values() -> None:
    change = Change("all of it", 0.5, 2, missing=0.2, unseen=0.1, bad=0.4)
    scene = Scene("both", features=2, rows=200_000)
    profile = scene.profile(np.random.default_rng(1))
    random = np.random.default_rng(2)
    day = list(islice(scene.days(random, change, 1), 2))[1]
    drawn = made.binned(profile.edges, day)
    fast, labels = list(islice(scene.counted(profile, random, change, 1), 2))[1]
    for one, other in zip(drawn.features, fast.features, strict=True):
        assert shares(one) == pytest.approx(shares(other), abs=0.006)
    assert drawn.missing[0] == pytest.approx(fast.missing[0], rel=0.03)
    assert shares(drawn.categories) == pytest.approx(shares(fast.categories), abs=0.006)
    assert labels.total == day.labels.total


def test_bursts_count_many_times_unless_spaced() -> None:
    random = np.random.default_rng(1)
    scene = Scene("bursts", features=1, rows=20_000, burst=20)
    profile = scene.profile(random)
    counts, _ = next(scene.counted(profile, random))
    assert all(count % 20 == 0 for count in counts.features[0])
    assert sum(counts.predictions) == 20_000
    spaced, _ = next(replace(scene, spaced=True).counted(profile, random))
    assert sum(spaced.predictions) == 1000
    values = next(scene.days(random)).values[0]
    assert len(values) == 20 * len(np.unique(values))


def test_ties_have_fewer_bins() -> None:
    edges = made.tenths_of(made.tied(np.random.default_rng(1), 10_000, 1)[:, 0])
    assert edges[0] == 0
    assert len(edges) < 6


def test_the_rules_say_what_their_tests_say() -> None:
    random = np.random.default_rng(1)
    scene = Scene("rules", features=3, rows=1000)
    profile = scene.profile(random)
    rules = Rules(profile)
    day = next(scene.days(random, Change("", 0.3, 1)))
    for at, values in enumerate(day.values):
        known = profile.sample.values[at]
        exact = ks_2samp(known, values, method="asymp").pvalue
        assert rules._p(at, values) == pytest.approx(exact, rel=0.2, abs=1e-3)
        moved = wasserstein_distance(known, values) / known.std()
        assert rules._wasserstein(at, values) == pytest.approx(moved, abs=0.01)


def test_rules_see_what_is_gross_and_nothing_where_nothing_is() -> None:
    random = np.random.default_rng(1)
    scene = Scene("rules", features=3, rows=5000)
    profile = scene.profile(random)
    rules = Rules(profile)
    gross = next(scene.days(random, Change("", 2.0, 3)))
    assert rules.alarms(gross, made.binned(profile.edges, gross)) == (True, True, True)
    calm = next(scene.days(random))
    found = rules.alarms(calm, made.binned(profile.edges, calm))
    assert (found.psi, found.share) == (False, False)


def test_a_life_without_drift_is_calm_and_one_with_drift_alarms() -> None:
    scene = Scene("a life", features=2)
    assert lives.year(scene, (1, 1), rules=False) == (0, 0, None)
    assert lives.delay(scene, Change("", 1.0, 1), (1, 2), rules=True).found in (2, 3)
    assert lives.delay(scene, made.NONE, (1, 3), rules=False).found is None


def test_delays_are_told_by_median_and_ninth_of_ten() -> None:
    assert monitoring.quantiles([1] * 5 + [2] * 4 + [9]) == "1 to 2"
    assert monitoring.quantiles([None] * 3) == "–"
    assert monitoring.quantiles([3, None, None]) == "later to later (1 of 3)"
    assert monitoring.ninth([3] * 9 + [None]) == 3
    assert monitoring.ninth([3] * 8 + [None] * 2) == float("inf")


def test_bounds_missed_are_told() -> None:
    report = monitoring.Report()
    assert report.bound(True) == ""
    assert "MISSED" in report.bound(False)
    assert report.tried == [True, False]


def test_figures_are_written_and_one_missed_bound_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{monitoring.BEGIN}old\n{monitoring.END}after\n")
    monkeypatch.setattr(monitoring, "PAGE", page)
    monkeypatch.setattr(monitoring, "SCENES", (Scene("one scene", features=1),))
    monkeypatch.setattr(monitoring, "CHANGES", (Change("one change", 0.5, 1, within=(30, 30, 30)),))
    monkeypatch.setattr(monitoring, "DELAYED", Scene("delays", features=1))
    monkeypatch.setattr(sys, "argv", ["monitoring", "--years", "1", "--runs", "1", "--write"])
    assert monitoring.main() == 1, "one year cannot show a bound of a tenth"
    assert capsys.readouterr().out.splitlines()[-1] == "3 bounds held of 4 tried"
    text = page.read_text()
    assert text.startswith(f"before\n{monitoring.BEGIN}**What")
    assert text.endswith(f"{monitoring.END}after\n")
    assert "| one scene | 0.00 (< 3.69) **MISSED** |" in text
    assert "\nold\n" not in text
