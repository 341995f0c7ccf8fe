"""Times as others may write them, such as senders of alerts and stores of objects."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from evenkeel.meta.times import parse, timestamp


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_beyond_all_years_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="beyond all years"):
        parse(text)


def test_the_zero_time_of_go_comes_back_as_it_was() -> None:
    assert timestamp(parse("0001-01-01T00:00:00Z")) == "0001-01-01T00:00:00Z"


def test_fractions_are_cut_off() -> None:
    moment = datetime(2026, 1, 31, 9, 0, 0, 999_999, UTC)
    assert timestamp(moment) == "2026-01-31T09:00:00Z"
