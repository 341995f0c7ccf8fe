"""Evidence on requests that both sides answered: exact expectations, error shares, restarts."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log

import numpy as np
import pytest
from evenkeel.verdict import excess
from evenkeel.verdict.block import Block
from evenkeel.verdict.eprocess import HIGHER, LOWER, Grid, Wealth, log_evidence, stake
from evenkeel.verdict.evidence import Evidence
from evenkeel.verdict.indicator import Indicator
from evenkeel.verdict.verdict import Value, Verdict, judge
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom  # type: ignore[attr-defined]

UNCAPPED = 1e-100
PAIRED = Indicator("errors", paired=True)


def block(against: int, beside: int, pairs: int) -> Block:
    return Block(against, pairs, beside, pairs)


def verdict(*counts: tuple[int, int, int], indicator: Indicator = PAIRED) -> Verdict:
    evidence = Evidence(indicator)
    for one in counts:
        evidence = evidence.fold(block(*one))
    return judge(evidence, min_requests=0, step_requests=evidence.canary_total)


pairs = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 3000)).map(
    lambda c: (c[0], c[1], sum(c))
)


@settings(deadline=None)
@given(pairs, st.floats(0, 3))
def test_discordant_pairs_are_scipys_binomial_likelihood_ratio(
    counts: tuple[int, int, int], tolerance: float
) -> None:
    """However many pairs agreed: McNemar's test, its half widened by the tolerance."""
    against, beside, total = counts
    judged = Indicator("errors", tolerance=tolerance, alpha=UNCAPPED, beta=UNCAPPED, paired=True)
    evidence = Evidence(judged).fold(block(*counts))
    share = (1 + tolerance) / (2 + tolerance)
    for grid, found in (
        (HIGHER, evidence.vs_stable.log_worse),
        (LOWER, evidence.vs_stable.log_better),
    ):
        terms = []
        for log_m, _, log_stake in grid.bets:
            odds = exp(log_m) * share / (1 - share)
            ratio = binom.logpmf(against, against + beside, odds / (1 + odds))
            ratio -= binom.logpmf(against, against + beside, share)
            terms.append(log_stake + ratio)
        expected = float(np.logaddexp.reduce(terms)) + (log(stake(0, total)) if total else -inf)
        if total and expected < 450:
            assert found == pytest.approx(expected, abs=1e-5)


@given(
    st.floats(0, 0.3),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from([(excess.on_worse, excess.WORSE, 1), (excess.on_better, excess.BETTER, -1)]),
)
def test_no_bet_on_the_excess_pays_on_average_within_its_limit(
    limit: float, discordant: float, lean: float, side: tuple[Callable[..., Wealth], Grid, int]
) -> None:
    pay, grid, sign = side
    against, beside = discordant * lean, discordant * (1 - lean)
    mean = against - beside
    open_wealth = (0,) * len(grid.bets)
    outcomes = {(1, 0): against, (0, 1): beside, (0, 0): 1 - discordant}
    for index in range(len(grid.bets)):
        paid = sum(
            chance * exp(pay(open_wealth, 0.0, *counts, 1, limit)[index] / 1e6)
            for counts, chance in outcomes.items()
        )
        beyond = sign * (mean - limit)
        assert paid <= 1 + 1e-6 if beyond <= 0 else paid >= 1 - 1e-5


def test_no_difference_at_all_passes_after_about_a_thousand_pairs() -> None:
    assert verdict((0, 0, 700)).value is Value.UNDECIDED
    same = verdict(*[(0, 0, 50)] * 21)
    assert (same.value, same.reason) == (Value.PASS, "WithinAcceptable")
    assert same.message.startswith(
        "bad on the canary alone 0, on stable alone 0, of 1050 pairs; e="
    )


def test_pairs_that_all_speak_against_the_canary_fail_it_at_once() -> None:
    found = verdict(*[(1, 0, 1)] * 15)
    assert (found.value, found.reason) == (Value.FAIL, "WorseThanStable")


def test_pairs_that_speak_against_both_alike_pass_by_their_excess() -> None:
    """Two of a hundred differ: as many against the canary as `acceptable` allows twice over."""
    assert verdict(*[(1, 1, 100)] * 200).value is Value.PASS


def test_more_than_its_share_within_what_is_acceptable_does_not_fail() -> None:
    assert verdict((120, 40, 40_000)).value is Value.PASS


def test_an_excess_within_the_tolerance_does_not_fail() -> None:
    """1.2 times as many against the canary, and 2 % of all pairs beyond stable's."""
    assert verdict((12_000, 10_000, 100_000)).value is not Value.FAIL


def test_a_canary_that_is_worse_fails_though_most_pairs_agree() -> None:
    assert verdict(*[(7, 1, 400)] * 4).value is Value.UNDECIDED
    assert verdict(*[(7, 1, 400)] * 12).value is Value.FAIL


def test_no_pairs_are_no_evidence() -> None:
    assert verdict().reason == "NoData"
    assert verdict((0, 0, 0)).reason == "NoData"


def test_a_discordant_pair_that_is_seen_before_its_pair_waits_for_it() -> None:
    early = Evidence(PAIRED).fold(Block(1, 0, 0, 0)).fold(Block(0, 1, 0, 1))
    assert early == Evidence(PAIRED).fold(Block(1, 1, 0, 1))


@settings(max_examples=100, deadline=None)
@given(st.lists(pairs, max_size=6), pairs)
def test_evidence_survives_a_restart_exactly(
    before: list[tuple[int, int, int]], after: tuple[int, int, int]
) -> None:
    evidence = Evidence(PAIRED)
    for counts in before:
        evidence = evidence.fold(block(*counts))
    restored = Evidence.from_status(evidence.to_status(), PAIRED)
    assert restored == evidence
    assert restored.fold(block(*after)) == evidence.fold(block(*after))


def test_evidence_of_unpaired_requests_is_not_taken_over() -> None:
    assert Indicator("errors").terms != PAIRED.terms


def error_share(judged: Indicator, value: Value, against: float, beside: float) -> float:
    """How many of some rollouts ever say so, looked at 60 times after 100 pairs each."""
    random, runs, reached = np.random.default_rng(1), 800, 0
    for _ in range(runs):
        evidence = Evidence(judged)
        for _ in range(60):
            c, b, _ = random.multinomial(100, (against, beside, 1 - against - beside)).tolist()
            evidence = evidence.fold(block(c, b, 100))
            found = judge(evidence, min_requests=0, step_requests=evidence.canary_total)
            if found.value is value:
                reached += 1
                break
    return reached / runs


@pytest.mark.parametrize(
    ("tolerance", "acceptable", "against", "beside"),
    [(0.0, 0.0, 0.01, 0.01), (0.25, 0.0, 0.05, 0.04), (0.0, 0.005, 0.015, 0.01)],
)
def test_a_canary_at_a_limit_is_falsely_failed_as_rarely_as_alpha(
    tolerance: float, acceptable: float, against: float, beside: float
) -> None:
    judged = Indicator("errors", tolerance, acceptable, alpha=0.05, paired=True)
    assert error_share(judged, Value.FAIL, against, beside) <= 0.05


@pytest.mark.parametrize(("against", "beside"), [(0.005, 0.0), (0.025, 0.02)])
def test_a_canary_at_both_limits_is_falsely_passed_as_rarely_as_beta(
    against: float, beside: float
) -> None:
    assert error_share(PAIRED, Value.PASS, against, beside) <= 0.05


def test_wealth_beyond_the_square_of_the_threshold_is_thrown_away() -> None:
    evidence = Evidence(PAIRED).fold(block(500, 0, 1000))
    for bound in (evidence.vs_stable, evidence.vs_acceptable):
        assert bound.log_worse == pytest.approx(2 * log(100), abs=1e-5)


def test_the_grids_stake_no_more_than_all() -> None:
    for grid in (excess.WORSE, excess.BETTER):
        opened = tuple(round(1e6 * log_stake) for _, _, log_stake in grid.bets)
        assert log_evidence(opened) == pytest.approx(0, abs=1e-5)
