"""What `python -m bench scale` says of bounds."""

from __future__ import annotations

import pytest

from bench import scale
from bench.process import Row, at_most


@pytest.mark.parametrize(("value", "held", "status"), [(1.0, 2, 0), (1.01, 1, 1)])
def test_bounds_that_hold_are_counted_and_one_missed_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    value: float,
    held: int,
    status: int,
) -> None:
    rows = [at_most("a", value, 1, "s", 2), at_most("b", 0, 0, ""), Row("said", "", "", True)]
    monkeypatch.setattr(scale, "GROUPS", {"some": lambda short: rows if short else []})
    assert scale.main(["--short"]) == status
    assert capsys.readouterr().out.splitlines()[-1] == f"bounds held: {held} of 2 tried"
