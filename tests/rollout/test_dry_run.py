"""An indicator on a dry run is looked at and shown, and decides nothing."""

from __future__ import annotations

from typing import Any

from evenkeel.api.analysis import Analysis
from evenkeel.verdict.tally import limits

from tests.rollout.test_rollout import A, B, canary, condition, outcome, stable, started, world
from tests.support.rollout_world import INDICATORS, World, run

JSON = dict[str, Any]
SLOW = {"name": "slow", "total": "l", "bad": "w", "dryRun": True}


def analysis(*indicators: JSON) -> JSON:
    return {"indicators": [*INDICATORS, *indicators], "minRequests": 50}


def on_trial(indicator: JSON) -> World:
    """B is on trial, slower than A by what only the indicator counts."""
    w = world(analysis=analysis(indicator))
    w.late = frozenset({indicator["name"]})
    started(w, B)
    return w


def slower(w: World, seconds: int) -> World:
    """Time passes, in which half of B's answers are slow and none of A's."""
    for _ in range(0, seconds, 5):
        for revision, uri in w.uris().items():
            total, bad = w.labels.get(revision, (0, 0))
            w.labels[revision] = total + 500, bad + (250 if uri == B else 0)
        run(w, 5)
    return w


def shown(w: World, name: str) -> JSON:
    found = canary(w)
    assert found is not None
    told: JSON = next(i for i in found["indicators"] if i["name"] == name)
    return told


def test_a_canary_that_fails_on_a_dry_run_is_promoted_and_the_history_says_so() -> None:
    w = slower(on_trial(SLOW), 10)
    told = shown(w, "slow")
    assert (told["value"], told["dryRun"]) == ("Fail", True)
    assert told["message"].startswith("on a dry run, would roll the canary back: canary ")
    slower(w, 40)
    assert (stable(w), outcome(w)) == (B, "Promoted")
    (dry,) = w.status["history"][0]["dryRuns"]
    assert (dry["name"], dry["value"]) == ("slow", "Fail")
    message = condition(w, "RolloutHealthy")["message"]
    assert message.endswith("on a dry run, would have rolled it back: slow")


def test_the_same_indicator_takes_it_back_once_it_decides() -> None:
    w = slower(on_trial({**SLOW, "dryRun": False}), 50)
    assert (stable(w), outcome(w)) == (A, "RolledBack")
    assert w.status["history"][0]["dryRuns"] == []


def test_what_a_dry_run_saw_decides_nothing_after_it() -> None:
    """Whoever has seen it fail could choose to let it decide: that would be no error bound."""
    w = world([{"weight": 20, "pauseSeconds": 600}], analysis=analysis(SLOW))
    w.late = frozenset({"slow"})
    slower(started(w, B), 20)
    before = shown(w, "slow")["evidence"]
    assert shown(w, "slow")["value"] == "Fail"
    w.edit(analysis=analysis({**SLOW, "dryRun": False}))
    w.settle()
    told = shown(w, "slow")
    assert (told["value"], told["anew"], stable(w)) == ("Undecided", True, A)
    assert told["evidence"]["canaryTotal"] < before["canaryTotal"]


def test_a_dry_run_that_cannot_be_looked_at_holds_nobody_up() -> None:
    dry = {**INDICATORS[1], "dryRun": True}
    w = world(analysis={"indicators": [INDICATORS[0], dry], "minRequests": 50})
    w.answers = "half"
    run(started(w, B), 60)
    assert (stable(w), outcome(w)) == (B, "Promoted")


def test_a_dry_run_of_an_unknown_indicator_keeps_no_revision_from_starting() -> None:
    w = world(analysis=analysis({"name": "nobody-counts-this", "dryRun": True}))
    assert canary(started(w, B)) is not None


def test_with_dry_runs_alone_nothing_is_passed() -> None:
    w = world(analysis={"indicators": [SLOW], "minRequests": 50})
    run(started(w, B), 60)
    found = canary(w)
    assert found is not None
    assert found["reason"] == "NoIndicators"


def test_a_dry_run_takes_no_share_of_alpha() -> None:
    plain, beside = (Analysis.model_validate(analysis(*dry)) for dry in ((), (SLOW,)))
    assert limits(plain.indicators[0], plain) == limits(beside.indicators[0], beside)
    three = Analysis.model_validate(analysis({**SLOW, "dryRun": False}))
    # It is shown as what it would be if it decided.
    assert limits(beside.indicators[2], beside).alpha == limits(three.indicators[2], three).alpha
