"""Rollouts that something odd befalls: edits, restarts of long ago, growing load, a long pause."""

from __future__ import annotations

from tests.rollout.test_rollout import A, B, model, outcome, run, stable, started, world

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


def test_going_back_to_a_revision_with_old_crashes_is_a_fresh_trial() -> None:
    w = world([])
    w.edit_rollout(scaleDownDelaySeconds=300)
    w.pods[w.wanted()].crashes = 5
    for uri in (B, A):
        w.edit(model=model(uri))
        run(w, 10)
        assert stable(w) == uri, "no pod has crashed since the trial began"


def test_stables_crashes_of_long_ago_do_not_excuse_the_canary() -> None:
    w = world([{"weight": 50, "analysis": False, "pauseSeconds": 600}])
    w.pods[w.wanted()].crashes = 20
    started(w, B)
    for _ in range(3):
        w.pass_time(100)
        w.pods[w.wanted()].crashes += 1
        w.settle()
    assert (outcome(w), w.status["history"][0]["reason"]) == ("RolledBack", "CanaryCrashing")
