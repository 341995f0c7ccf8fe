"""The likeliest distribution within a distance, and what is within a finite reference."""

from __future__ import annotations

from itertools import product
from math import exp, inf, log

import numpy as np
import pytest
from evenkeel.monitoring.histogram import (
    Ball,
    distance,
    interval,
    likeliest,
    log_likelihood,
    shares,
    within,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

PARTS = 24


def grid(bins: int) -> list[tuple[float, ...]]:
    """All distributions in whole twenty-fourths."""
    heads = product(range(PARTS + 1), repeat=bins - 1)
    return [
        tuple(part / PARTS for part in (*head, PARTS - sum(head)))
        for head in heads
        if sum(head) <= PARTS
    ]


def likelihood(counts: tuple[int, ...], of: tuple[float, ...]) -> float:
    return (
        -inf
        if any(c and not s for c, s in zip(counts, of, strict=True))
        else log_likelihood(counts, of)
    )


@st.composite
def cases(draw: st.DrawFn, least: int = 2, most: int = 4) -> tuple[tuple[int, ...], Ball]:
    bins = draw(st.integers(least, most))
    some = st.lists(st.integers(0, 40), min_size=bins, max_size=bins).filter(any)
    center = shares(draw(some))
    return tuple(draw(some)), Ball(center, draw(st.integers(1, PARTS)) / PARTS)


@given(cases())
def test_no_distribution_of_a_grid_within_the_ball_is_likelier(
    case: tuple[tuple[int, ...], Ball],
) -> None:
    counts, ball = case
    best = likeliest(counts, ball)
    assert sum(best) == pytest.approx(1)
    assert min(best) >= 0
    assert distance(best, ball.center) <= ball.radius + 1e-9
    found = likelihood(counts, best)
    for other in grid(len(counts)):
        if distance(other, ball.center) <= ball.radius:
            assert likelihood(counts, other) <= found + 1e-9


@given(cases(2, 64))
def test_no_step_within_the_ball_gains(case: tuple[tuple[int, ...], Ball]) -> None:
    """The likelihood is concave: what no direction of the ball improves on is its maximum."""
    counts, ball = case
    best = np.array(likeliest(counts, ball))
    slope = np.array([c / p if c else 0.0 for c, p in zip(counts, best, strict=True)])
    bins = len(counts)
    # p = center + up - down with sum(up) = sum(down) <= radius.
    found = linprog(
        -np.concatenate([slope, -slope]),
        A_ub=[[1.0] * bins + [0.0] * bins],
        b_ub=[ball.radius],
        A_eq=[[1.0] * bins + [-1.0] * bins],
        b_eq=[0.0],
        bounds=[(0, None)] * bins + [(0, share) for share in ball.center],
    )
    gain = -found.fun + slope @ np.array(ball.center) - slope @ best
    assert gain <= 1e-6 * (1 + abs(slope).max())


def test_what_is_within_is_taken_as_it_is() -> None:
    assert likeliest((60, 40), Ball((0.5, 0.5), 0.1)) == (0.6, 0.4)
    assert likeliest((100, 0), Ball((0.5, 0.5), 0.1)) == pytest.approx((0.6, 0.4))


def test_bins_that_the_reference_lacks_get_the_radius() -> None:
    assert likeliest((0, 0, 10), Ball((0.5, 0.5, 0.0), 0.2)) == pytest.approx((0.4, 0.4, 0.2))


@pytest.mark.parametrize("counts", [(), (0, 0), (3, -1)])
def test_no_shares_are_in_no_rows(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no shares"):
        shares(counts)


@pytest.mark.parametrize("rows", [50, 1000])
@pytest.mark.parametrize("true", [(0.1,) * 10, (0.9, 0.05, 0.05), (0.01, 0.99), (0.5, 0.5)])
def test_a_finite_reference_widens_the_ball_by_enough(rows: int, true: tuple[float, ...]) -> None:
    random = np.random.default_rng(1)
    runs, miss, tolerance = 2000, 0.05, 0.03
    missed = 0
    for counts in random.multinomial(rows, true, runs):
        ball = within([int(count) for count in counts], tolerance, miss)
        # Any distribution within tolerance of the true one must be in the ball.
        missed += distance(true, ball.center) > ball.radius - tolerance
    assert missed <= runs * miss


def test_more_rows_or_fewer_bins_widen_it_less() -> None:
    widths = [within((rows,) * 10, 0.05, 1e-4).radius for rows in (100, 1000, 10000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] > 0.05
    assert within((100,) * 40, 0.05, 1e-4).radius > within((400,) * 10, 0.05, 1e-4).radius
    assert within((1,) * 3 + (0,) * 5000, 0.05, 1e-4).radius == 1


def test_two_bins_have_chernoffs_interval() -> None:
    low, high = interval(0.0, 0.01)
    assert (low, high) == pytest.approx((0, 1 - exp(-0.01)))
    low, high = interval(0.3, 0.01)
    for edge in (low, high):
        assert 0.3 * log(0.3 / edge) + 0.7 * log(0.7 / (1 - edge)) == pytest.approx(0.01)
    assert low < 0.3 < high
