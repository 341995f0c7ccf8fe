"""A block in which the canary's share of the requests changed blames nobody for an incident."""

from __future__ import annotations

from math import isclose

import pytest
from evenkeel.verdict.shares import EFFECT, IN_A_ROW, KEPT, UNDIVIDED, Between, Shares
from evenkeel.verdict.tally import Tally
from evenkeel.verdict.verdict import Value, judge
from hypothesis import given
from hypothesis import strategies as st

from tests.verdict.test_tally import look, tally

SHARES = st.floats(0.0, 1.0, allow_nan=False)


def test_a_share_that_stays_is_no_change() -> None:
    shares = UNDIVIDED.divided(0.3, 100.0, 90.0).divided(0.3, 200.0, 90.0)
    assert shares.between(150.0, 300.0) is None
    assert shares.between(50.0, 95.0) == Between(0.0, 0.3)


def test_a_change_lies_between_the_two_times_at_which_it_was_seen() -> None:
    shares = UNDIVIDED.divided(0.1, 0.0, 0.0).divided(0.1, 100.0, 0.0).divided(0.5, 104.0, 0.0)
    assert shares.between(50.0, 100.0) is None
    assert shares.between(50.0, 101.0) == Between(0.1, 0.5)
    assert shares.between(104.0 + EFFECT, 200.0) is None


@given(st.lists(st.tuples(SHARES, st.floats(0.0, 60.0)), min_size=1, max_size=3 * KEPT))
def test_no_share_is_forgotten(steps: list[tuple[float, float]]) -> None:
    shares, now = Shares(), 0.0
    for share, seconds in steps:
        now += seconds
        shares = shares.divided(share, now, 0.0)
    assert len(shares.changes) <= KEPT
    known = shares.between(-1.0, now + 1.0)
    values = {share for share, _ in steps}
    if values != {0.0}:
        assert known is not None
        assert isclose(known.most, max(values))
        assert known.least <= min(values)


@pytest.mark.parametrize(
    ("least", "most", "steady"),
    [
        (0.0, 0.0, True),
        (0.0, 0.01, False),
        (0.10, 0.105, True),
        (0.10, 0.2, False),
        (0.95, 0.99, False),
        (0.99, 1.0, False),
        (0.5, 0.5, True),
    ],
)
def test_small_changes_are_none_for_either_side(least: float, most: float, steady: bool) -> None:
    assert Between(least, most).steady is steady


def incident(before: float, after: float, at: float, *, told: bool = True) -> Tally:
    """An incident for both sides from 60 s to 70 s, scrapes each 30 s, and shares that change."""
    known, share, latest = tally(), before, (0.0, 0, 0)
    sides = {"canary": [0.0, 0.0], "stable": [0.0, 0.0]}
    for second in range(120):
        share = after if second >= at else before
        errors = 0.3 if 60 <= second < 70 else 0.001
        for name, part in (("canary", share), ("stable", 1 - share)):
            sides[name][0] += 1000 * part
            sides[name][1] += 1000 * part * errors
        if told:
            known = known.divided(share, second, 0.0)
        if second % 30 == 0:
            latest = (float(second), *map(round, sides["stable"]))
        if second % 30 == 9:
            canary = (float(second), *map(round, sides["canary"]))
            known = known.take(look(second, {"c": canary}, {"s": latest}))
    return known


def value(of: Tally) -> Value:
    total = of.evidence.canary_total
    return judge(of.evidence, min_requests=1, step_requests=total).value


def test_an_incident_as_the_weight_rises_is_not_the_canarys() -> None:
    assert value(incident(0.1, 0.5, 57)) is not Value.FAIL


def test_it_would_be_if_the_change_were_not_known() -> None:
    assert value(incident(0.1, 0.5, 57, told=False)) is Value.FAIL


def block(known: Tally, at: float, canary: tuple[int, int], stable: tuple[int, int]) -> Tally:
    return known.take(look(at, {"c": (at, *canary)}, {"s": (at, *stable)}))


def steady(share: float = 0.1) -> Tally:
    """A tally with two blocks of a good canary."""
    known = tally().divided(share, 0.0, -100.0)
    for number in range(3):
        known = block(known, 10.0 * number, (100 * number, 0), (900 * number, 0))
    return known


def test_what_was_set_aside_counts_as_requests_and_against_fixed_limits() -> None:
    known = steady()
    after = block(known.divided(0.5, 25.0, 0.0), 30.0, (700, 500), (2200, 400))
    assert after.evidence.canary_bad == 500
    assert after.evidence.vs_stable == known.evidence.vs_stable
    assert after.evidence.vs_acceptable != known.evidence.vs_acceptable


def test_blocks_are_not_set_aside_for_ever() -> None:
    known = steady()
    for number in range(IN_A_ROW + 1):
        at = 30.0 + 10 * number
        known = known.divided(0.1 if number % 2 else 0.5, at - 5, 0.0)
        known = block(known, at, (300 + 300 * number, 0), (2700 + 300 * number, 0))
    assert known.evidence.vs_stable != steady().evidence.vs_stable


def test_bad_from_the_first_request_on_fails_as_soon_as_before() -> None:
    known = tally().divided(0.0, 0.0, 0.0)
    known = block(known, 0.0, (0, 0), (1000, 0)).divided(0.34, 9.0, 0.0)
    known = block(known, 10.0, (50, 25), (2000, 0))
    known = block(known, 20.0, (100, 50), (3000, 0))
    assert value(known) is Value.FAIL


def first_block(before: tuple[int, int]) -> Tally:
    """An incident that begins with the canary's first sample, as long as its first block.

    before: what stable's pod had counted in its life.
    """
    total, bad = before
    known = tally().divided(0.34, 0.0, 0.0)
    known = known.take(look(0.0, {}, {"s": (0.0, total, bad)}))
    known = known.take(look(9.0, {"c": (9.0, 300, 0)}, {"s": (0.0, total, bad)}))
    known = known.take(look(15.0, {"c": (9.0, 300, 0)}, {"s": (15.0, total + 3000, bad + 360)}))
    known = known.take(look(24.0, {"c": (24.0, 1800, 450)}, {"s": (15.0, total + 3000, bad + 360)}))
    return known.take(look(30.0, {"c": (24.0, 1800, 450)}, {"s": (30.0, total + 6000, bad + 900)}))


@pytest.mark.parametrize("before", [(100_000, 100), (0, 0)])
def test_an_incident_at_the_very_start_is_not_the_canarys(before: tuple[int, int]) -> None:
    assert value(first_block(before)) is not Value.FAIL
