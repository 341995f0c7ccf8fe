"""What the verdict on a canary says, and when."""

from typing import Any

import pytest
from evenkeel.verdict.verdict import (
    Block,
    Evidence,
    Indicator,
    Value,
    Verdict,
    alpha_per_indicator,
    combine,
    judge,
)
from hypothesis import given, settings
from hypothesis import strategies as st

ERRORS = Indicator("errors")


def gather(blocks: list[tuple[int, int, int, int]], indicator: Indicator = ERRORS) -> Evidence:
    evidence = Evidence(indicator)
    for block in blocks:
        evidence = evidence.fold(Block(*block))
    return evidence


def verdict(
    *blocks: tuple[int, int, int, int], indicator: Indicator = ERRORS, min_requests: int = 0
) -> Verdict:
    evidence = gather(list(blocks), indicator)
    return judge(evidence, min_requests=min_requests, step_requests=evidence.canary_total)


def test_no_data_is_undecided() -> None:
    assert verdict() == Verdict(
        Value.UNDECIDED,
        "NoData",
        "canary 0/0 bad, stable 0/0; the canary has had no requests",
        "errors",
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.just(0), st.just(0), st.integers(0, 9), st.integers(0, 10**6))))
def test_stable_traffic_alone_never_passes_nor_fails(
    blocks: list[tuple[int, int, int, int]],
) -> None:
    assert verdict(*blocks).value is Value.UNDECIDED


def test_evidence_from_earlier_steps_does_not_pass_a_step_without_requests() -> None:
    evidence = gather([(0, 5000, 0, 45000)])
    assert judge(evidence, min_requests=0, step_requests=5000).value is Value.PASS
    idle = judge(evidence, min_requests=0, step_requests=0)
    assert (idle.value, idle.reason) == (Value.UNDECIDED, "NoData")


def test_a_broken_canary_fails_within_twenty_requests() -> None:
    broken = verdict(*[(second % 2, 1, 0, 9) for second in range(20)])
    assert (broken.value, broken.reason) == (Value.FAIL, "WorseThanStable")
    assert broken.message.startswith("canary 10/20 bad, stable 0/180; e=")
    assert broken.message.endswith(">= 100")


def test_a_broken_canary_fails_before_the_minimum_of_requests() -> None:
    assert verdict((10, 20, 0, 180), min_requests=1000).value is Value.FAIL


def test_a_faultless_canary_passes_after_about_a_thousand_requests() -> None:
    assert verdict(*[(0, 1, 0, 9)] * 700).value is Value.UNDECIDED
    healthy = verdict(*[(0, 1, 0, 9)] * 1050)
    assert (healthy.value, healthy.reason) == (Value.PASS, "WithinAcceptable")


def test_a_faultless_canary_waits_for_the_minimum_of_requests() -> None:
    few = verdict((0, 2000, 0, 18000), min_requests=2001)
    assert (few.value, few.reason) == (Value.UNDECIDED, "TooFewRequests")
    assert "2000 of 2001 canary requests" in few.message


OPENING = (0, 1, 0, 9)
"""Bets on better begin after stable's events of the first block."""


def test_as_bad_as_stable_passes_by_comparison() -> None:
    same = verdict(OPENING, (2000, 100_000, 18_000, 900_000))
    assert (same.value, same.reason) == (Value.PASS, "NoWorseThanStable")


def test_worse_than_stable_but_acceptable_does_not_fail() -> None:
    assert verdict((40, 20_000, 18, 180_000)).value is Value.PASS


def test_the_message_gives_counts_and_ratio() -> None:
    worse = verdict((12, 400, 18, 3600))
    assert "canary 12/400 bad, stable 18/3600; 6.0 times stable; e=" in worse.message


def test_without_stable_traffic_a_bad_canary_does_not_fail() -> None:
    alone = verdict((50, 100, 0, 0))
    assert (alone.value, alone.reason) == (Value.UNDECIDED, "NoStableTraffic")


def test_without_stable_traffic_a_faultless_canary_passes() -> None:
    assert verdict((0, 5000, 0, 0)).value is Value.PASS


def test_max_ratio_fails_a_canary_that_is_as_bad_as_stable() -> None:
    both_bad = (3000, 10_000, 27_000, 90_000)
    assert verdict(OPENING, both_bad).value is Value.PASS
    bounded = verdict(OPENING, both_bad, indicator=Indicator("errors", max_ratio=0.2))
    assert (bounded.value, bounded.reason) == (Value.FAIL, "AboveMaxRatio")


def test_a_canary_at_max_ratio_does_not_pass_by_comparison() -> None:
    at_the_limit = (2000, 10_000, 18_000, 90_000)
    assert verdict(OPENING, at_the_limit).value is Value.PASS
    bounded = verdict(OPENING, at_the_limit, indicator=Indicator("errors", max_ratio=0.2))
    assert bounded.value is Value.UNDECIDED


def test_more_bad_events_than_events_is_a_fault_of_the_queries() -> None:
    for block in [(300, 200, 0, 1800), (0, 2000, 30, 20), (0, 2000, 30, 0)]:
        wrong = verdict(block)
        assert (wrong.value, wrong.reason) == (Value.UNDECIDED, "InconsistentCounts")


@settings(deadline=None)
@given(
    st.integers(1, 3000),
    st.integers(0, 30_000),
    st.data(),
)
def test_one_more_bad_event_never_helps_the_canary(
    canary: int, stable: int, data: st.DataObject
) -> None:
    order = [Value.PASS, Value.UNDECIDED, Value.FAIL]
    bad = data.draw(st.integers(0, canary - 1))
    stable_bad = data.draw(st.integers(0, stable))
    fewer = verdict((bad, canary, stable_bad, stable))
    more = verdict((bad + 1, canary, stable_bad, stable))
    assert order.index(fewer.value) <= order.index(more.value)


def test_a_canary_that_breaks_after_an_hour_of_good_service_fails_within_fifty_requests() -> None:
    evidence = gather([(0, 1, second % 2, 9) for second in range(3600)])
    for request in range(50):
        evidence = evidence.fold(Block(request % 2, 1, 0, 9))
    assert judge(evidence, min_requests=0, step_requests=50).value is Value.FAIL


def test_a_pass_is_lost_when_the_canary_turns_bad() -> None:
    evidence = gather([(0, 60, 5, 540)] * 60)
    assert judge(evidence, min_requests=0, step_requests=60).value is Value.PASS
    for _ in range(8):
        evidence = evidence.fold(Block(1, 10, 1, 90))
    assert judge(evidence, min_requests=0, step_requests=80).value is not Value.PASS


CONFIRMED = Indicator("errors", confirmations=2)


def test_an_incident_that_shows_on_the_canary_first_does_not_fail_a_confirmed_verdict() -> None:
    healthy = [(0, 15, 0, 135)] * 10
    canary_first = [*healthy, (7, 15, 0, 135)]
    assert verdict(*canary_first).value is Value.FAIL
    waiting = verdict(*canary_first, indicator=CONFIRMED)
    assert (waiting.value, waiting.reason) == (Value.UNDECIDED, "AwaitingConfirmation")
    assert "in 1 of 2 comparisons" in waiting.message
    assert verdict(*canary_first, (15, 15, 135, 135), indicator=CONFIRMED).value is not Value.FAIL
    assert verdict(*canary_first, (15, 15, 0, 135), indicator=CONFIRMED).value is Value.FAIL


def test_an_incident_that_shows_on_stable_first_does_not_pass_a_confirmed_verdict() -> None:
    stable_first = [OPENING, (0, 15, 70, 135)]
    assert verdict(*stable_first).value is Value.PASS
    assert verdict(*stable_first, indicator=CONFIRMED).value is Value.UNDECIDED
    later = verdict(*stable_first, (15, 15, 135, 135), indicator=CONFIRMED)
    assert later.value is Value.UNDECIDED
    assert verdict(*stable_first, (0, 15, 135, 135), indicator=CONFIRMED).value is Value.PASS


PASSED = Verdict(Value.PASS, "WithinAcceptable", "fine", "latency")
FAILED = Verdict(Value.FAIL, "WorseThanStable", "broken", "errors")
OPEN = Verdict(Value.UNDECIDED, "NoData", "nothing yet", "drift")


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], Verdict(Value.UNDECIDED, "NoIndicators", "there is no indicator to judge by")),
        (
            [OPEN, PASSED, FAILED],
            Verdict(Value.FAIL, "WorseThanStable", "errors: broken", "errors"),
        ),
        ([PASSED, OPEN], Verdict(Value.UNDECIDED, "NoData", "drift: nothing yet", "drift")),
        (
            [PASSED, PASSED],
            Verdict(Value.PASS, "AllIndicatorsPass", "latency: fine; latency: fine", "latency"),
        ),
    ],
)
def test_combining(verdicts: list[Verdict], expected: Verdict) -> None:
    assert combine(verdicts) == expected


def test_alpha_is_shared_over_the_indicators() -> None:
    assert alpha_per_indicator(0.01, 4) == 0.0025
    with pytest.raises(ValueError, match="at least one indicator"):
        alpha_per_indicator(0.01, 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tolerance": -0.1}, "tolerance must be 0 or more"),
        ({"tolerance": float("nan")}, "tolerance must be 0 or more"),
        ({"acceptable": 1.0}, "acceptable must be a ratio"),
        ({"acceptable": 0.1, "max_ratio": 0.05}, "maxRatio must be from acceptable"),
        ({"alpha": 0.0}, "alpha must be between 0 and 1"),
        ({"beta": 1.0}, "beta must be between 0 and 1"),
        ({"confirmations": 0}, "confirmations must be 1 or more"),
    ],
)
def test_an_indicator_out_of_range_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Indicator("errors", **values)
