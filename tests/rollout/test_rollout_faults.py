"""Rollouts that something odd befalls: edits, restarts of long ago, growing load, a long pause."""

from __future__ import annotations

from tests.rollout.test_rollout import (
    B,
    run,
    stable,
    started,
    world,
)

STEPS = [{"weight": 10, "analysis": False, "pauseSeconds": 20},
         {"weight": 50, "analysis": False, "pauseSeconds": 20}]  # fmt: skip


def test_steps_taken_away_during_the_warm_up_are_not_missed() -> None:
    w = world(STEPS)
    w.edit_rollout(warmUpSeconds=30)
    started(w, B)
    assert w.status["canary"]["stage"] == "WarmingUp"
    w.edit_rollout(steps=[])
    run(w, 60)
    assert stable(w) == B
