"""What `python -m bench.pairs` simulates, and what it says of bounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evenkeel.verdict.verdict import Value

from bench import pairs
from bench.pairs import PAIRED, STRICT, Median, Scene


def test_scenes_have_the_ratios_that_they_say() -> None:
    scene = pairs.worse(0.1, 1.5)
    assert scene.canary == pytest.approx(0.115)
    assert scene.against + scene.beside == pytest.approx(pairs.DIFFER)
    random = np.random.default_rng(1)
    both = pairs.paired(scene, random, 100_000)
    assert (both.canary_bad - both.stable_bad) / 100_000 == pytest.approx(0.015, abs=0.001)
    apart = pairs.halved(scene, random, 200_000)
    assert apart.canary_bad / apart.canary_total == pytest.approx(0.115, abs=0.005)
    assert apart.stable_bad / apart.stable_total == pytest.approx(0.1, abs=0.005)


def test_pairs_find_sooner_what_is_worse() -> None:
    scene = pairs.worse(0.1, 2.0)
    random = np.random.default_rng(1)
    soon = pairs.until(Value.FAIL, pairs.paired, scene, PAIRED, random)
    assert soon * pairs.TENTH < pairs.until(Value.FAIL, pairs.halved, scene, STRICT, random)


def test_no_difference_is_never_a_failure() -> None:
    random = np.random.default_rng(1)
    assert not pairs.ever(Value.FAIL, Scene(0.1, 0.0, 0.0), PAIRED, random)
    assert pairs.ever(Value.PASS, Scene(0.1, 0.0, 0.0), PAIRED, random)


def test_a_median_stands_within_its_interval() -> None:
    assert Median.of([5, 1, 4, 2, 3]) == (1, 3, 5)
    found = Median.of(list(range(101)))
    assert found.median == 50
    assert found.low < 45 < 55 < found.high
    assert str(Median.of([pairs.MOST] * 5)) == "none within 100,000"


@pytest.mark.parametrize(
    ("bound", "status", "said"),
    [(1, 0, "1 bounds held of 1 tried"), (9999, 1, "0 bounds held of 1 tried")],
)
def test_figures_are_written_and_a_missed_bound_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    bound: int,
    status: int,
    said: str,
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{pairs.BEGIN}old\n{pairs.END}after\n")
    monkeypatch.setattr(pairs, "PAGE", page)
    monkeypatch.setattr(pairs, "TENTH", bound)
    monkeypatch.setattr(pairs, "MOST", 3000)

    def one(report: pairs.Report) -> None:
        judged = (PAIRED, STRICT)
        scene = pairs.worse(0.1, 2.0, 0.02)
        report.table(
            pairs.HEAD,
            [pairs._row(report, "a line", Value.FAIL, scene, judged, claimed=True)],
        )

    monkeypatch.setattr(pairs, "TABLES", (one,))
    assert pairs.main(["--runs", "5", "--write"]) == status
    assert capsys.readouterr().out.splitlines()[-1] == said
    text = page.read_text()
    assert text.startswith(f"before\n{pairs.BEGIN}")
    assert text.endswith(f"{pairs.END}after\n")
    assert ("**MISSED**" in text) == (status == 1)
    assert "| a line |" in text
    assert "\nold\n" not in text
