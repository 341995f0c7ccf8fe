"""docs/conditions.md lists the conditions as they are."""

from __future__ import annotations

from bench.conditions.__main__ import BELOW, PAGE, table
from dev.paths import ROOT


def test_the_page_has_the_table() -> None:
    text = (ROOT / PAGE).read_text()
    assert text.split(BELOW)[1].strip() == table(), "run python -m bench.conditions --write"
