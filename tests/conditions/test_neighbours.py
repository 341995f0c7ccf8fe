"""What hostile neighbours may cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.conditions.alerting import Measured
from bench.conditions.hostile import CONDITIONS
from bench.conditions.trial import Trial

QUIET = Measured(90.0, (0.02, 0.02, 0.2))
HOSTILE = next(c for c in CONDITIONS if c.after)


def fault(
    here: Measured | None, *, way: str = "drip", end: str = "Held", reason: str = "NoData"
) -> str:
    measured: dict[str, Any] = {HOSTILE.after: QUIET} | ({HOSTILE.name: here} if here else {})
    world = SimpleNamespace(measured=measured)
    trial = SimpleNamespace(condition=HOSTILE, world=world, way=way)
    trial.end, trial.canary = lambda: end, {"reason": reason}
    return HOSTILE.check(cast("Trial", trial))


def test_little_more_is_fine() -> None:
    assert fault(Measured(150.0, (0.03, 0.03, 0.25))) == ""


def test_on_a_slow_machine_the_ratio_counts() -> None:
    assert fault(Measured(90.0, (0.02, 0.02, 0.39))) == ""


@pytest.mark.parametrize(
    ("here", "what"),
    [
        (None, "not measured"),
        (Measured(155.0, (0.02, 0.02, 0.05)), "memory"),
        (Measured(90.0, (0.02, 0.02, 0.41)), "alert late"),
        (Measured(90.0, (0.02, 0.05, 0.05)), "alert slowed"),
    ],
)
def test_each_bound_can_be_missed(here: Measured | None, what: str) -> None:
    assert fault(here) == what
    assert what in {bound.fault for bound in HOSTILE.bounds}


def test_who_is_straight_is_promoted_and_who_is_hostile_is_not() -> None:
    assert fault(QUIET, way="1s", end="Held") == "held up"
    assert fault(QUIET, way="1s", end="Promoted") == ""
    assert fault(QUIET, way="huge", end="Promoted") == "promoted blindly"
    assert fault(QUIET, way="huge", reason="CanaryReady") == "not told"
