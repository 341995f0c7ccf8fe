"""Which bins are asked for together, and which bodies keep values from being counted."""

from __future__ import annotations

import pytest
from evenkeel.adapters.meters import MOST_CELLS, groups, uncounted
from hypothesis import given
from hypothesis import strategies as st

LABELS = st.sampled_from(["missing", "other", *map(str, range(64))])


@given(st.dictionaries(LABELS, st.integers(1, 272)))
def test_each_bin_is_asked_for_once_and_no_answer_has_too_many(cells: dict[str, float]) -> None:
    found = [group.split("|") for group in groups(cells)]
    assert sorted(label for group in found for label in group) == sorted(cells)
    assert all(sum(cells[label] for label in group) <= MOST_CELLS for group in found)


def test_a_label_that_is_no_bins_gets_into_no_query() -> None:
    assert list(groups({'0"} or vector(1)': 1, ".*": 1, "": 1, "7": 1})) == ["7"]


BODIES: list[tuple[dict[str, float], str]] = [
    ({}, ""),
    ({"counted": 0.0, "skipped": 0.0}, ""),
    ({"counted": 1.0, "skipped": 900.0}, ""),
    ({"counted": 60.0, "mismatched": 61.0, "skipped": 9000.0}, "mismatched"),
    ({"counted": 60.0, "mismatched": 59.0, "skipped": 9000.0}, ""),
    ({"counted": 60.0, "too_large": 90.0, "skipped": 9000.0}, ""),
    ({"counted": 60.0, "too_large": 9000.0, "skipped": 900.0}, "too_large"),
    ({"unknown": 3.0, "unreadable": 2.0, "counted": 0.0}, "unknown"),
    ({"unreadable": 3.0, "skipped": 2.0}, "unreadable"),
    ({"skipped": 5.0, "unknown": 4.0}, "skipped"),
    ({"surprising": 5.0}, ""),
]


@pytest.mark.parametrize(("bodies", "why"), BODIES)
def test_what_dominates_is_told_unless_values_are_counted_beside_it(
    bodies: dict[str, float], why: str
) -> None:
    """Of many rows in a short time one is counted, and the others are skipped."""
    assert uncounted(bodies) == why
