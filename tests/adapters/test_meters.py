"""Which bins are asked for together."""

from __future__ import annotations

from evenkeel.adapters.meters import MOST_CELLS, groups
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
