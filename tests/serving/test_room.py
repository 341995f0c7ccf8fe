"""Which pods keep their room from others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from evenkeel.meta.times import timestamp
from evenkeel.serving.processes import holds_room

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("phase", "overdue", "holds"),
    [
        ("Running", None, True),
        ("Pending", None, True),
        ("Running", -30, True),
        ("Running", 10, True),
        ("Running", 301, False),
        ("Failed", None, False),
        ("Succeeded", 10, False),
    ],
)
def test_a_pod_holds_its_room_until_it_has_ended(
    phase: str, overdue: int | None, holds: bool
) -> None:
    meta: dict[str, Any] = {"name": "p"}
    if overdue is not None:
        meta["deletionTimestamp"] = timestamp(NOW - timedelta(seconds=overdue))
    assert holds_room({"metadata": meta, "status": {"phase": phase}}, NOW) is holds
