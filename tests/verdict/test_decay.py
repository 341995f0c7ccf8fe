"""Evidence of a decay: windows within the limit never add up to one, whatever their requests do."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from evenkeel.verdict.decay import FRACTIONS, Decay, from_text, to_text
from evenkeel.verdict.eprocess import HIGHEST, LOWEST, MICRO, open_bets, stake
from hypothesis import given
from hypothesis import strategies as st

LIMIT, ALPHA = 0.05, 0.01


def fresh(limit: float = LIMIT) -> Decay:
    return Decay(limit, ALPHA)


def test_nothing_is_shown_by_nothing_nor_by_windows_at_the_limit() -> None:
    decay = fresh()
    assert not decay.shown
    for _ in range(5000):
        decay = decay.fold(5, 100)
    assert not decay.shown
    assert decay.log_e <= 1e-6


def test_a_ratio_above_the_limit_is_shown_sooner_the_higher_it_is() -> None:
    needed = []
    for bad in (70, 100, 200, 1000):
        decay = fresh()
        while not decay.shown:
            decay = decay.fold(bad, 1000)
        needed.append(decay.windows)
    assert needed == sorted(needed, reverse=True)
    assert needed[0] > needed[1] > needed[2] >= needed[3] >= 2


def test_one_window_alone_shows_nothing_above_a_limit_of_two_percent() -> None:
    assert not fresh(0.02).fold(1000, 1000).shown


@given(st.lists(st.integers(0, 100), max_size=40), st.sampled_from([0.01, 0.05, 0.3, 0.9]))
def test_a_bet_on_a_window_is_worth_at_most_its_stake_on_average(
    history: list[int], limit: float
) -> None:
    """All distributions on [0, 1] of a mean at the limit: payoffs are linear, so two points do."""
    decay = fresh(limit)
    for bad in history:
        decay = decay.fold(bad, 100)
    number = decay.windows
    staked = open_bets(decay.wealth, FRACTIONS, stake(number, number + 1))
    good, bad = decay.fold(0, 1), decay.fold(1, 1)
    for held, low, high in zip(staked, good.wealth, bad.wealth, strict=True):
        if max(low, high) < HIGHEST and min(low, held) > LOWEST:
            mean = (1 - limit) * exp((low - held) / MICRO) + limit * exp((high - held) / MICRO)
            assert mean <= 1 + 1e-9


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(50, 1000)), max_size=30))
def test_evidence_is_kept_in_a_text_and_goes_on(windows: list[tuple[int, int]]) -> None:
    decay = again = fresh()
    for bad, total in windows:
        decay = decay.fold(bad, total)
        kept = Decay(LIMIT, ALPHA, again.windows, from_text(to_text(again.wealth)))
        again = kept.fold(bad, total)
    assert again == decay
    assert len(to_text(decay.wealth)) <= 128


@pytest.mark.parametrize("text", ["1 2", "a b c d e", "1 2 3 4 99999999999999"])
def test_damaged_evidence_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"damaged|invalid literal"):
        from_text(text)


@pytest.mark.parametrize(("bad", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(bad: int, total: int) -> None:
    with pytest.raises(ValueError, match="no window"):
        fresh().fold(bad, total)


def test_false_alarms_stay_below_alpha_whatever_happens_within_windows() -> None:
    """Each window all bad or all good, its mean at the limit: as dependent as requests can be."""
    random = np.random.default_rng(1)
    alarms, runs = 0, 1000
    for _ in range(runs):
        decay = fresh(0.3)
        for all_bad in random.random(100) < 0.3:
            decay = decay.fold(100 if all_bad else 0, 100)
            if decay.shown:
                alarms += 1
                break
    assert alarms <= runs * ALPHA + 3 * (runs * ALPHA) ** 0.5
