"""The harness of `make conditions` counts exactly, and calls nothing held that was not tried."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.conditions.__main__ import CONDITIONS, SHORT
from bench.conditions.chance import binomial, interval, poisson
from bench.conditions.condition import BEHIND, INTERVALS, edited, merged, usual
from bench.conditions.verdict import (
    BAD,
    GOOD,
    NEVER,
    PROMOTING,
    Ended,
    Finding,
    find,
    rows,
    summary,
)


def ended(*, promoted: int = 0, back: int = 0, held: int = 0) -> list[Ended]:
    return (
        [Ended("Promoted", "AllIndicatorsPass")] * promoted
        + [Ended("RolledBack", "WorseThanStable")] * back
        + [Ended("Held", "NoData")] * held
    )


def good(**ends: int) -> Finding:
    return find("x", GOOD, ended(**ends), planned=sum(ends.values()))


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # Published tables of Clopper and Pearson's interval.
    [(0, 50, 0.0, 0.0711), (1, 50, 0.0005, 0.1065), (3, 50, 0.0125, 0.1655), (50, 50, 0.9289, 1)],
)
def test_the_interval_is_clopper_pearsons(hits: int, trials: int, low: float, high: float) -> None:
    assert interval(hits, trials) == pytest.approx((low, high), abs=5e-5)


def test_without_trials_nothing_is_known() -> None:
    assert interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 80), st.data())
def test_the_interval_holds_the_share_and_mirrors(trials: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, trials))
    low, high = interval(hits, trials)
    assert low <= hits / trials <= high
    mirrored = interval(trials - hits, trials)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-9)


@given(st.integers(0, 2000), st.floats(0, 1), st.integers())
def test_hits_are_never_more_than_requests(number: int, share: float, seed: int) -> None:
    assert 0 <= binomial(Random(seed), number, share) <= number


def test_draws_have_their_means() -> None:
    chance = Random(5)
    hits = sum(binomial(chance, 200, 0.05) for _ in range(2000))
    assert hits / 2000 == pytest.approx(10, abs=0.35)
    for mean in (0.3, 20.0, 300.0):
        requests = sum(poisson(chance, mean) for _ in range(2000)) / 2000
        assert requests == pytest.approx(mean, rel=0.1)


def test_two_of_fifty_good_ones_may_go_back_and_three_may_not() -> None:
    assert good(promoted=48, back=2).held
    assert not good(promoted=47, back=3).held


def test_good_ones_may_not_be_stuck() -> None:
    assert not good(promoted=40, held=10).held


def test_no_bad_one_may_be_promoted() -> None:
    assert find("x", BAD, ended(back=50), planned=50).held
    assert not find("x", BAD, ended(back=49, promoted=1), planned=50).held


def test_being_promoted_counts_as_promoted() -> None:
    going = Ended("Held", "AllIndicatorsPass", faults=frozenset({PROMOTING}))
    assert not find("x", NEVER, [*ended(held=49), going], planned=50).held


def test_what_nothing_is_known_of_may_wait() -> None:
    assert find("x", NEVER, ended(held=30, back=20), planned=50).held


def test_a_condition_with_a_silent_rollout_is_not_held() -> None:
    silent = Ended("Held", "NoData", unestablished="the canary was never scraped")
    found = find("x", NEVER, [*ended(held=49), silent], planned=50)
    assert not found.held
    assert "never scraped" in found.broken
    assert "NOT ESTABLISHED" in "\n".join(rows(found))


def test_a_condition_that_lost_rollouts_is_not_held() -> None:
    assert not find("x", NEVER, ended(held=49), planned=50).held
    assert not find("x", NEVER, [], planned=0).held


def test_the_summary_counts_what_held() -> None:
    assert summary([good(promoted=5), good(back=50)]) == "conditions held: 1 of 2 tried"


def test_the_table_has_the_reasons_and_the_words_of_what_was_wrong() -> None:
    wrong = Ended("RolledBack", "WorseThanStable", "canary 30/222 bad")
    text = "\n".join(rows(find("x", GOOD, [wrong] * 50, planned=50)))
    assert "MISSED" in text
    assert "50 RolledBack WorseThanStable" in text
    assert "canary 30/222 bad" in text


def test_conditions_have_names_of_their_own_and_known_ways() -> None:
    names = [c.name for c in CONDITIONS]
    assert len(set(names)) == len(names)
    assert all(way in BEHIND for c in CONDITIONS for way in c.ways)
    assert all(server in INTERVALS for servers in BEHIND.values() for server in servers)
    assert set(SHORT) <= set(names)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda c: c.name)
def test_an_edit_asks_for_another_version(condition: object) -> None:
    found = next(c for c in CONDITIONS if c is condition)
    spec = usual(found, "http://127.0.0.1:9")
    changed = merged(spec, merged(edited(spec, found.final), found.edit))
    assert changed["env"][0] == {"name": "SIDE", "value": found.final}
    assert changed["env"][1:] == [v for v in spec["env"] if v["name"] != "SIDE"]
    assert changed["model"]["uri"] != spec["model"]["uri"]
    assert {"stable", "canary", found.final} <= set(found.servers)


def test_a_merge_removes_by_null_and_replaces_lists() -> None:
    assert merged({"a": {"b": 1, "c": [1]}}, {"a": {"b": None, "c": [2]}}) == {"a": {"c": [2]}}


def test_figures_stand_below_the_bounds() -> None:
    found = find("x", GOOD, ended(promoted=50), planned=50, figures=("the operator had 90 MiB",))
    assert "    the operator had 90 MiB" in rows(found)


def test_a_condition_is_compared_with_one_that_is_tried_before() -> None:
    names = [c.name for c in CONDITIONS if c.alone]
    compared = [(c.after, c.name) for c in CONDITIONS if c.after]
    assert compared
    assert all(names.index(before) < names.index(name) for before, name in compared)
