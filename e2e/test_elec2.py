"""The data set that the demo downloads: what the literature says of it must hold."""

from __future__ import annotations

import pytest

from demo.data import elec2


def test_has_the_published_size_and_class_balance(data: elec2.Elec2) -> None:
    assert data.features.shape == (45_312, 6)
    assert data.up.mean() == pytest.approx(0.4245, abs=0.0005)
    assert set(data.up.tolist()) == {0, 1}


def test_periods_run_through_the_days_in_order(data: elec2.Elec2) -> None:
    period = (data.features[:, 0] * 47).round().astype(int)
    assert (period == [record % 48 for record in range(len(data))]).all()


def test_victorias_columns_are_constant_until_the_market_changes(data: elec2.Elec2) -> None:
    for name in ("vicprice", "vicdemand", "transfer"):
        column = data.features[:, elec2.FEATURES.index(name)]
        assert len(set(column[: elec2.MARKET_CHANGE].tolist())) == 1
        assert column[elec2.MARKET_CHANGE] != column[0]
    assert elec2.moment(elec2.MARKET_CHANGE).isoformat() == "1997-05-05T00:00:00"
