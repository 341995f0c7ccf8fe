"""The mathematics of the evidence: exact, against scipy, and by simulation with fixed seeds."""

from itertools import pairwise
from math import exp, log

import numpy as np
import pytest
from evenkeel.verdict.block import Block
from evenkeel.verdict.eprocess import HIGHER, LOWER, Grid, log_evidence, stake
from evenkeel.verdict.evidence import Evidence, EvidenceError
from evenkeel.verdict.indicator import Indicator
from evenkeel.verdict.verdict import Value, judge
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom  # type: ignore[attr-defined]

# A threshold out of reach, so that no wealth is thrown away and expectations are exact.
UNCAPPED = 1e-100


def indicator(tolerance: float = 0.5, acceptable: float = 0.005) -> Indicator:
    return Indicator("errors", tolerance, acceptable, alpha=UNCAPPED, beta=UNCAPPED)


def scipy_log_evidence(grid: Grid, hits: int, trials: int, share: float) -> float:
    """The mixture of binomial likelihood ratios, by scipy."""
    odds = share / (1 - share)
    terms = []
    for log_m, _, log_stake in grid.bets:
        betted = exp(log_m) * odds / (1 + exp(log_m) * odds)
        ratio = binom.logpmf(hits, trials, betted) - binom.logpmf(hits, trials, share)
        terms.append(log_stake + ratio)
    return float(np.logaddexp.reduce(terms))


@settings(deadline=None)
@given(
    st.integers(1, 500),
    st.integers(1, 5000),
    st.floats(0, 3),
    st.floats(0.001, 0.3),
    st.data(),
)
def test_evidence_of_one_block_is_scipys_binomial_likelihood_ratio(
    canary: int, stable: int, tolerance: float, acceptable: float, data: st.DataObject
) -> None:
    bad, stable_bad = (
        data.draw(st.integers(0, min(canary, 50))),
        data.draw(st.integers(0, min(stable, 50))),
    )
    evidence = Evidence(indicator(tolerance=tolerance, acceptable=acceptable)).fold(
        Block(bad, canary, stable_bad, stable)
    )
    at_limit = canary * (1 + tolerance)
    share = at_limit / (at_limit + stable)
    opened = log(stake(0, canary))

    def expect(found: float, grid: Grid, hits: int, trials: int, share: float) -> None:
        expected = scipy_log_evidence(grid, hits, trials, share) + opened
        if expected < 450:  # beyond that the cap bites
            assert found == pytest.approx(expected, abs=1e-5)

    expect(evidence.vs_stable.log_worse, HIGHER, bad, bad + stable_bad, share)
    # Stable's first window may begin before the canary's: it is no evidence for the canary.
    expect(evidence.vs_stable.log_better, LOWER, bad, bad, share)
    expect(evidence.vs_acceptable.log_worse, HIGHER, bad, canary, acceptable)
    expect(evidence.vs_acceptable.log_better, LOWER, bad, canary, acceptable)


def mean_e_values(
    exposure: tuple[int, int], canary_ratio: float, stable_ratio: float, judged: Indicator
) -> dict[str, float]:
    """Exact mean of what every e-value is multiplied by, over all outcomes of one block of
    independent requests; another block has opened the bets before."""
    canary, stable = exposure
    opening = Evidence(judged).fold(Block(0, 1, 0, 1))
    means = dict.fromkeys(("worse", "better", "above", "below"), 0.0)
    for bad in range(canary + 1):
        for stable_bad in range(stable + 1):
            weight = binom.pmf(bad, canary, canary_ratio) * binom.pmf(
                stable_bad, stable, stable_ratio
            )
            found = opening.fold(Block(bad, canary, stable_bad, stable))
            means["worse"] += weight * exp(found.vs_stable.log_worse)
            means["better"] += weight * exp(found.vs_stable.log_better)
            means["above"] += weight * exp(found.vs_acceptable.log_worse)
            means["below"] += weight * exp(found.vs_acceptable.log_better)
    before = {
        "worse": opening.vs_stable.log_worse,
        "better": opening.vs_stable.log_better,
        "above": opening.vs_acceptable.log_worse,
        "below": opening.vs_acceptable.log_better,
    }
    opened = stake(1, 1 + canary)
    return {name: mean / (exp(before[name]) + opened) for name, mean in means.items()}


@pytest.mark.parametrize("exposure", [(1, 1), (3, 40), (30, 30), (40, 5)])
@pytest.mark.parametrize("stable_ratio", [0.001, 0.02, 0.3])
@pytest.mark.parametrize("tolerance", [0.0, 0.5, 2.0])
def test_at_the_limit_no_e_value_is_worth_more_than_one(
    exposure: tuple[int, int], stable_ratio: float, tolerance: float
) -> None:
    limit = stable_ratio * (1 + tolerance)
    judged = indicator(tolerance=tolerance, acceptable=limit)
    means = mean_e_values(exposure, limit, stable_ratio, judged)
    assert max(means.values()) <= 1 + 1e-6
    assert means["above"] == pytest.approx(1, abs=1e-4)
    assert means["below"] == pytest.approx(1, abs=1e-4)
    if stable_ratio <= 0.001:
        assert means["worse"] > 0.9, "the bound is nearly attained when bad events are rare"


def test_within_the_limit_only_passing_pays_and_beyond_it_only_failing() -> None:
    judged = indicator(tolerance=0.5, acceptable=0.03)
    within = mean_e_values((30, 60), 0.01, 0.02, judged)
    assert within["worse"] < 1 < within["better"]
    assert within["above"] < 1 < within["below"]
    beyond = mean_e_values((30, 60), 0.09, 0.02, judged)
    assert beyond["better"] < 1 < beyond["worse"]
    assert beyond["below"] < 1 < beyond["above"]


def test_stakes_never_add_up_to_more_than_one() -> None:
    requests = [0, 1, 2, 50, 10**3, 10**6, 10**9]
    opened = [stake(before, after) for before, after in pairwise(requests)]
    assert min(opened) > 0
    assert sum(opened) <= 1
    assert sum(opened) == pytest.approx(stake(0, 10**9))
    for grid in (HIGHER, LOWER):
        assert sum(exp(log_stake) for *_, log_stake in grid.bets) == pytest.approx(1)
    with pytest.raises(ValueError, match="not add up to more than 1"):
        Grid.of({2.0: 0.6, 3.0: 0.6})


def error_share(
    judged: Indicator, value: Value, exposure: tuple[float, float], ratios: tuple[float, float]
) -> float:
    """Share of 1,500 simulated rollouts of 30 looks that ever reach `value`."""
    random = np.random.default_rng(20_261)
    runs, reached = 1500, 0
    for _ in range(runs):
        evidence = Evidence(judged)
        for _ in range(30):
            canary, stable = (int(random.poisson(mean)) for mean in exposure)
            block = Block(
                int(random.binomial(canary, ratios[0])),
                canary,
                int(random.binomial(stable, ratios[1])),
                stable,
            )
            evidence = evidence.fold(block)
            found = judge(evidence, min_requests=1, step_requests=evidence.canary_total)
            if found.value is value:
                reached += 1
                break
    return reached / runs


@pytest.mark.parametrize(
    ("tolerance", "ratios"), [(0.0, (0.01, 0.01)), (0.5, (0.3, 0.2)), (2.0, (0.6, 0.2))]
)
def test_a_canary_at_the_limit_is_falsely_failed_as_rarely_as_alpha(
    tolerance: float, ratios: tuple[float, float]
) -> None:
    judged = Indicator("errors", tolerance=tolerance, acceptable=0.0, alpha=0.05)
    assert error_share(judged, Value.FAIL, (200, 1800), ratios) <= 0.05


def test_a_canary_at_max_ratio_is_falsely_failed_as_rarely_as_alpha() -> None:
    judged = Indicator("errors", acceptable=0.0, max_ratio=0.02, alpha=0.05)
    assert error_share(judged, Value.FAIL, (200, 1800), (0.02, 0.02)) <= 0.05


def test_a_canary_at_both_limits_is_falsely_passed_as_rarely_as_beta() -> None:
    judged = Indicator("errors", tolerance=0.5, acceptable=0.015, beta=0.05)
    assert error_share(judged, Value.PASS, (200, 1800), (0.015, 0.01)) <= 0.05


def test_three_times_the_errors_are_found() -> None:
    judged = Indicator("errors", tolerance=0.0, acceptable=0.0)
    assert error_share(judged, Value.FAIL, (200, 1800), (0.03, 0.01)) >= 0.99


def test_a_shared_surge_of_errors_does_not_bias_the_comparison() -> None:
    # The error ratio rises on both sides just as the canary gets more of the traffic: pooled
    # counts would say 3.1 times stable.
    judged = Indicator("errors", tolerance=0.0, acceptable=0.0)
    evidence = Evidence(judged)
    for _ in range(20):
        evidence = evidence.fold(Block(1, 100, 99, 9900))
    for _ in range(20):
        evidence = evidence.fold(Block(250, 5000, 250, 5000))
    found = judge(evidence, min_requests=0, step_requests=1)
    assert found.value is not Value.FAIL
    assert evidence.vs_stable.log_worse < 0


def test_alternating_scrapes_lose_no_evidence() -> None:
    judged = indicator()
    together = alternating = Evidence(judged)
    for _ in range(20):
        together = together.fold(Block(3, 15, 1, 135))
        alternating = alternating.fold(Block(3, 15, 0, 0)).fold(Block(0, 0, 1, 135))
    assert alternating.vs_stable == together.vs_stable


def test_a_bad_event_that_is_seen_before_its_total_is_kept() -> None:
    judged = indicator()
    early = Evidence(judged).fold(Block(1, 0, 0, 9)).fold(Block(0, 1, 0, 0))
    on_time = Evidence(judged).fold(Block(0, 0, 0, 9)).fold(Block(1, 1, 0, 0))
    assert early == on_time


@pytest.mark.parametrize("bad_in_ten", [0, 1, 3])
def test_one_big_block_is_worth_about_as_much_as_many_small_ones(bad_in_ten: int) -> None:
    small = [(1 if request < bad_in_ten else 0, 1, 0, 9) for request in range(10)] * 10
    big = tuple(sum(column) for column in zip(*small, strict=True))
    judged = indicator()
    many = Evidence(judged)
    for block in small:
        many = many.fold(Block(*block))
    one = Evidence(judged).fold(Block(*big))

    def won(evidence: Evidence) -> list[float]:
        bounds = (evidence.vs_stable, evidence.vs_acceptable)
        return [max(0.0, log_e) for b in bounds for log_e in (b.log_worse, b.log_better)]

    assert max(won(one)) > 0.05
    assert won(many) == pytest.approx(won(one), abs=0.25)


def test_wealth_beyond_the_square_of_the_threshold_is_thrown_away() -> None:
    judged = Indicator("errors")
    evidence = Evidence(judged).fold(Block(500, 1000, 0, 9000))
    assert evidence.vs_stable.log_worse == pytest.approx(2 * log(100), abs=1e-5)


blocks = st.tuples(
    st.integers(0, 50), st.integers(0, 500), st.integers(0, 50), st.integers(0, 5000)
).map(lambda counts: Block(*counts))


@settings(max_examples=200, deadline=None)
@given(st.lists(blocks, max_size=8), blocks, st.sampled_from([None, 0.2]))
def test_evidence_survives_a_restart_exactly(
    before: list[Block], after: Block, max_ratio: float | None
) -> None:
    judged = Indicator("errors", max_ratio=max_ratio)
    evidence = Evidence(judged)
    for block in before:
        evidence = evidence.fold(block)
    status = evidence.to_status()
    assert all(type(value) in (str, int) for value in status.values())
    assert len(str(status)) < 1000
    restored = Evidence.from_status(status, judged)
    assert restored == evidence
    assert restored.fold(after) == evidence.fold(after)


@pytest.mark.parametrize(
    "damage",
    [
        {"canaryTotal": -1},
        {"canaryTotal": True},
        {"canaryTotal": None},
        {"pendingStableBad": "3"},
        {"heldBack": 1.5},
        {"stableWorse": "1 2 3"},
        {"stableWorse": 7},
        {"stableBetter": "a b c d e f"},
        {"acceptableWorse": "0 0 0 0 0 0 0 99999999999999"},
    ],
)
def test_damaged_evidence_is_refused(damage: dict[str, object]) -> None:
    judged = Indicator("errors")
    status = Evidence(judged).fold(Block(1, 10, 1, 90)).to_status()
    with pytest.raises(EvidenceError, match=f"damaged .{next(iter(damage))}=.*start new evidence"):
        Evidence.from_status(status | damage, judged)


def test_evidence_gathered_under_other_limits_is_refused() -> None:
    status = Evidence(Indicator("errors", tolerance=0.5)).to_status()
    with pytest.raises(EvidenceError, match=r"tolerance=0\.5.*now has 'tolerance=0\.2"):
        Evidence.from_status(status, Indicator("errors", tolerance=0.2))


def test_a_block_refuses_what_is_no_count() -> None:
    with pytest.raises(TypeError, match="raw counter deltas"):
        Block(1.5, 2, 0, 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="counters only grow"):
        Block(0, -2, 0, 0)


def test_an_empty_block_changes_nothing() -> None:
    evidence = Evidence(Indicator("errors")).fold(Block(1, 10, 1, 90))
    assert evidence.fold(Block(0, 0, 0, 0)) is evidence


def test_unopened_bets_are_worth_nothing() -> None:
    assert exp(log_evidence(HIGHER.unopened)) == 0
