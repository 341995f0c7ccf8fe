"""One block's evidence: worth at most 1 on average, as far as can be enumerated."""

from __future__ import annotations

from itertools import product
from math import exp, log, prod

import pytest
from evenkeel.monitoring.evidence import MOST_REMEMBERED, Null, remember
from evenkeel.monitoring.histogram import Ball, distance
from hypothesis import assume, given, settings
from hypothesis import strategies as st


def mean_e(null: Null, rows: list[tuple[float, ...]], memory: tuple[int, ...]) -> float:
    """The likelihood ratio's mean over all that rows of such distributions may be."""
    bins = len(memory)
    chances: dict[tuple[int, ...], float] = {}
    for each in product(range(bins), repeat=len(rows)):
        counts = tuple(each.count(at) for at in range(bins))
        chance = prod(row[at] for row, at in zip(rows, each, strict=True))
        chances[counts] = chances.get(counts, 0.0) + chance
    return sum(p * exp(null.log_ratio(counts, memory)) for counts, p in chances.items() if p > 0)


@st.composite
def distributions(draw: st.DrawFn, bins: int) -> tuple[float, ...]:
    parts = draw(st.lists(st.integers(0, 12), min_size=bins, max_size=bins).filter(any))
    return tuple(part / sum(parts) for part in parts)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(2, 3), st.integers(1, 6))
def test_no_rows_within_tolerance_on_average_are_worth_more_than_one(
    data: st.DataObject, bins: int, number: int
) -> None:
    """Each row has a distribution of its own; their average is in the ball, at its edge or not."""
    rows = [data.draw(distributions(bins)) for _ in range(number)]
    average = tuple(sum(row[at] for row in rows) / number for at in range(bins))
    reference = data.draw(st.lists(st.integers(0, 50), min_size=bins, max_size=bins).filter(any))
    center = tuple(count / sum(reference) for count in reference)
    radius = distance(average, center) + data.draw(st.sampled_from([1e-9, 0.05, 0.3]))
    memory = tuple(data.draw(st.lists(st.integers(0, 30), min_size=bins, max_size=bins)))
    null = Null.of(reference, Ball(center, radius))
    assert mean_e(null, rows, memory) <= 1 + 1e-6


@given(st.lists(st.integers(0, 30), min_size=3, max_size=3).filter(any), st.booleans())
def test_an_e_value_is_the_ratio_and_a_half_at_most_within_tolerance(
    counts: list[int], known: bool
) -> None:
    null = Null.of((10, 20, 30), Ball((1 / 6, 1 / 3, 1 / 2), 0.1))
    memory = (4, 5, 6) if known else (0, 0, 0)
    found, ratio = null.log_e(counts, memory), null.log_ratio(counts, memory)
    seen = [count / sum(counts) for count in counts]
    if distance(seen, null.ball.center) <= null.ball.radius:
        assert found == min(ratio, log(0.5))
    else:
        assert found == ratio


def test_rows_beyond_tolerance_are_worth_more_than_one() -> None:
    null = Null.of((50, 50), Ball((0.5, 0.5), 0.1))
    assert mean_e(null, [(0.95, 0.05)] * 8, (0, 0)) > 1.2


def test_dependent_rows_may_be_worth_more() -> None:
    """What the claim leaves out: one draw that counts eight times."""
    null = Null.of((50, 50), Ball((0.5, 0.5), 0.1))
    mean = sum(exp(null.log_e(counts, (0, 0))) / 2 for counts in ((8, 0), (0, 8)))
    assert mean > 1


def test_what_was_seen_before_is_better_evidence_when_it_comes_again() -> None:
    null = Null.of((500, 500, 0), Ball((0.5, 0.5, 0.0), 0.05))
    counts = (300, 600, 100)
    assert null.log_e(counts, counts) > null.log_e(counts, (0, 0, 0)) + 1


@given(st.lists(st.integers(0, 10**9), min_size=3, max_size=3), st.integers(1, 6))
def test_what_is_remembered_is_bounded_and_nearly_what_was_seen(
    counts: list[int], blocks: int
) -> None:
    assume(sum(counts) >= 1000)
    memory: tuple[int, ...] = (0, 0, 0)
    for _ in range(blocks):
        memory = remember(memory, counts)
        assert sum(memory) <= MOST_REMEMBERED
    found = tuple(part / sum(memory) for part in memory)
    assert found == pytest.approx([count / sum(counts) for count in counts], abs=0.01)
