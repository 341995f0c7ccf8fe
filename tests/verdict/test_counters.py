"""From raw counters to events: no request is counted twice, none from before the analysis."""

from __future__ import annotations

import pytest
from evenkeel.verdict.counters import Counts, Look, UnequalSeries, block_since, counts
from evenkeel.verdict.evidence import Block
from hypothesis import given
from hypothesis import strategies as st


def test_the_first_look_only_remembers() -> None:
    block, seen = block_since(None, Look({"pod=a": (100, 5)}, {"pod=s": (900, 9)}))
    assert block == Block(0, 0, 0, 0)
    assert seen == {"canary:pod=a": (100, 5), "stable:pod=s": (900, 9)}


def test_increases_count_by_side() -> None:
    _, seen = block_since(None, Look({"a": (100, 5)}, {"s": (900, 9)}))
    block, _ = block_since(seen, Look({"a": (110, 8)}, {"s": (1000, 10)}))
    assert block == Block(canary_bad=3, canary_total=10, stable_bad=1, stable_total=100)


def test_a_restarted_process_counts_from_zero() -> None:
    _, seen = block_since(None, Look({"a": (100, 5)}, {}))
    block, _ = block_since(seen, Look({"a": (7, 2)}, {}))
    assert (block.canary_total, block.canary_bad) == (7, 2)


def test_bad_events_that_fall_alone_are_no_restart() -> None:
    """They may be a difference of two counters that were scraped apart."""
    _, seen = block_since(None, Look({"a": (1000, 500)}, {}))
    block, _ = block_since(seen, Look({"a": (1001, 499)}, {}))
    assert (block.canary_total, block.canary_bad) == (1, 0)


def test_a_new_canary_pod_counts_and_a_new_stable_series_is_only_remembered() -> None:
    """The canary's pods are as old as the rollout; a stable pod may have served for months."""
    _, seen = block_since(None, Look({"a": (10, 0)}, {"s": (10, 0)}))
    block, seen = block_since(
        seen, Look({"a": (10, 0), "b": (4, 1)}, {"s": (10, 0), "t": (9999, 50)})
    )
    assert block == Block(canary_bad=1, canary_total=4, stable_bad=0, stable_total=0)
    block, _ = block_since(
        seen, Look({"a": (10, 0), "b": (4, 1)}, {"s": (10, 0), "t": (10000, 50)})
    )
    assert block == Block(0, 0, 0, 1)


def test_a_series_that_comes_back_goes_on_where_it_was() -> None:
    _, seen = block_since(None, Look({"a": (10, 1)}, {"s": (20, 2)}))
    block, seen = block_since(seen, Look({}, {}))
    assert block == Block(0, 0, 0, 0)
    block, _ = block_since(seen, Look({"a": (12, 1)}, {"s": (25, 2)}))
    assert block == Block(canary_bad=0, canary_total=2, stable_bad=0, stable_total=5)


@given(
    increases=st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda p: (sum(p), p[0])), max_size=20
    ),
    skipped=st.sets(st.integers(0, 19)),
)
def test_looks_that_are_left_out_lose_nothing(
    increases: list[tuple[int, int]], skipped: set[int]
) -> None:
    """An operator that was down, or a look that was not kept, only makes a larger block."""
    counts: Counts = (0, 0)
    _, seen = block_since(None, Look({"a": counts}, {}))
    total = bad = 0
    for index, (more, worse) in enumerate(increases):
        counts = (counts[0] + more, counts[1] + worse)
        if index in skipped:
            continue
        block, seen = block_since(seen, Look({"a": counts}, {}))
        total, bad = total + block.canary_total, bad + block.canary_bad
    block, _ = block_since(seen, Look({"a": counts}, {}))
    assert (total + block.canary_total, bad + block.canary_bad) == counts


def test_bad_events_by_series() -> None:
    assert counts({"a": 10, "b": 5}, {"a": 3}, good=False) == {"a": (10, 3), "b": (5, 0)}
    assert counts({"a": 10, "b": 5}, {"a": 7}, good=True) == {"a": (10, 3), "b": (5, 5)}


def test_more_bad_than_all_is_cut_for_that_is_a_scrape_between_two_queries() -> None:
    assert counts({"a": 10}, {"a": 12}, good=False) == {"a": (10, 10)}
    assert counts({"a": 10}, {"a": 12}, good=True) == {"a": (10, 0)}


def test_queries_that_never_meet_are_no_evidence() -> None:
    """Else errors under other labels than the requests' would all be overlooked, and pass."""
    with pytest.raises(UnequalSeries, match="code=500,pod=a"):
        counts({"pod=a": 10}, {"code=500,pod=a": 4}, good=False)
