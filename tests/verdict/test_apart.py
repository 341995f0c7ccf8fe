"""Total and good events that are not counted together decide nothing by their gap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.api.modeldeploymentstatus import IndicatorStatus
from evenkeel.verdict.apart import TOGETHER, Apart
from evenkeel.verdict.block import Block
from evenkeel.verdict.evidence import Evidence
from evenkeel.verdict.indicator import Indicator
from evenkeel.verdict.judgement import verdict_of
from evenkeel.verdict.process import Process, begun
from evenkeel.verdict.samples import Look, Reading
from evenkeel.verdict.tally import Tally, definition
from evenkeel.verdict.verdict import Value

from bench.scrapes import Scene, _counters, ends

SPEC = IndicatorSpec(name="errors", total="t", good="g")
ANALYSIS = Analysis(indicators=(SPEC,))
BLOCK = Block(1, 100, 9, 900)


def process(gap: Callable[[int], int], bad: float = 0.01, good: bool = True) -> Process:
    found = begun(Reading(0, 0, good=good), 0.0)
    for moment in range(1, 40):
        total, level = 100 * moment, round(100 * moment * bad) + gap(moment)
        found = found.take(Reading(total, total - level if good else level, good=good), moment)
    return found


def after(canary: Process, stable: Process, known: Apart = TOGETHER) -> Apart:
    return known.after(BLOCK, (0, 0), (canary,), (stable,))


@pytest.mark.parametrize("bad", [0.0, 0.01, 0.5])
def test_counters_that_never_fall_are_exact(bad: float) -> None:
    assert after(process(lambda _: 0, bad), process(lambda _: 0, bad)) == TOGETHER


def test_an_incident_that_ends_is_no_gap() -> None:
    assert after(process(lambda t: 50 * min(t, 5)), process(lambda t: 50 * min(t, 5))) == TOGETHER


def test_bad_events_that_are_counted_themselves_are_exact() -> None:
    assert not process(lambda t: 0 if t % 2 else 9, good=False).fell


def test_a_fall_on_either_side_speaks_for_both() -> None:
    apart, exact = process(lambda t: 9 if t % 2 else 0), process(lambda _: 0)
    assert after(apart, exact).stable > 0
    assert after(apart, exact).canary >= 9
    assert after(exact, apart).canary > 0
    assert after(exact, apart).stable >= 9


def test_a_gap_stays_known_when_its_pods_are_gone() -> None:
    exact = process(lambda _: 0)
    assert after(exact, exact, Apart(7, 80)) >= Apart(7, 80)


def folded(bad: int, stable_bad: int, apart: Apart) -> Evidence:
    gaps = {"canary_apart": apart.canary, "stable_apart": apart.stable}
    block = Block(bad, 200, stable_bad, 1800, **gaps)
    return Evidence(Indicator("errors")).fold(block).fold(block)


def test_bets_on_worse_meet_no_bad_events_of_the_canary_that_may_be_a_gap() -> None:
    worse = [folded(bad, 90, Apart(20, 0)).vs_acceptable.log_worse for bad in (0, 10, 20)]
    assert worse[0] == worse[1] < worse[2]


def test_bets_on_better_meet_all_that_are_counted() -> None:
    exact, apart = folded(9, 90, TOGETHER), folded(9, 90, Apart(20, 50))
    assert exact.vs_stable.better == apart.vs_stable.better
    assert exact.vs_acceptable.better == apart.vs_acceptable.better


def test_good_events_ahead_of_total_are_no_bad_ones_too_many() -> None:
    lead = process(lambda t: -9 if t % 2 else 0)
    assert after(lead, process(lambda _: 0), Apart(7, 80)) == Apart(led=1)


def test_bad_events_of_stable_that_may_be_a_gap_do_not_speak_against_the_canary() -> None:
    exact, apart = folded(10, 60, TOGETHER).vs_stable, folded(10, 60, Apart(0, 50)).vs_stable
    assert apart.log_worse < exact.log_worse


def test_evidence_that_met_more_than_is_counted_survives_a_restart() -> None:
    evidence = folded(0, 0, Apart(20, 20))
    assert Evidence.from_status(evidence.to_status(), evidence.indicator) == evidence


def test_why_nothing_is_decided_is_told_after_a_restart_too() -> None:
    tally = Tally.resume(SPEC, ANALYSIS, None, 0.0)
    for now in range(60):
        gap = 20 if now % 2 else 0
        sides = (
            {"pod=c": Reading(10 * now, 10 * now - gap // 10, now, now)},
            {"pod=s": Reading(90 * now, 90 * now - gap, now, now)},
        )
        tally = tally.take(Look(*sides, now))
    status = IndicatorStatus(
        name="errors",
        definition="",
        evidence=tally.to_status(),
        processes=tally.processes(),
    )
    verdict = verdict_of(tally, status, 50)
    assert verdict.value is Value.UNDECIDED
    assert f"counted apart by up to {tally.apart.canary} requests" in verdict.message
    kept = status.model_copy(update={"definition": definition(SPEC)})
    assert Tally.resume(SPEC, ANALYSIS, kept, 0.0).apart == tally.apart


@pytest.mark.parametrize("lead", [-0.5, 2.0])
@pytest.mark.parametrize("latency", [False, True])
def test_no_gap_fails_a_good_canary(lead: float, latency: bool) -> None:
    scene = Scene(5.0, rate=100, pods=(3, 9), lead=lead, latency=latency, seconds=200)
    assert all(end.value is not Value.FAIL for end in ends(scene, 5, seed=1))


def test_a_bad_canary_does_not_pass_for_requests_in_flight() -> None:
    scene = Scene(5.0, rate=100, pods=(3, 9), lead=-0.5, canary=0.05, seconds=200)
    assert all(end.value is not Value.PASS for end in ends(scene, 5, seed=1))


def test_a_simulated_lead_lasts_from_the_first_tick_to_the_last() -> None:
    scene, ticks = Scene(1.0, lead=-2.0), 800
    rate, none = np.full(ticks, 50.0), np.zeros(ticks)
    total, good = _counters(np.random.default_rng(0), scene, rate, none, 0)
    assert len(total) == len(good) == ticks
    assert min(total - good) > 50
