"""A vote meets what else may happen to its trial."""

from __future__ import annotations

from tests.rollout.test_group import condition, just_decided, just_voted
from tests.support.group_world import GOOD, NAMES, OLD, Groups


def asked_again(g: Groups) -> None:
    g["geo"].edit_rollout(restart={"revision": g["geo"].status["canary"]["revision"]})
    g["geo"].settle()


def test_a_restart_after_the_vote_leaves_no_half() -> None:
    g = just_voted()
    g.keep_late("fraud", "geo")
    asked_again(g)
    g["fraud"].reconcile()
    assert [d.outcome for d in g.decided()] == ["Promote"] * 3
    g.settle()
    assert [g.serves(name) for name in NAMES] == [GOOD] * 3


def test_a_restart_after_the_vote_begins_a_trial_that_the_others_wait_for() -> None:
    g = just_voted()
    asked_again(g)
    began = g["geo"].status["canary"]["startTime"]
    told = condition(g, "geo", "RolloutHealthy")["message"]
    assert "begins again as soon as the group has agreed" in told
    g.run(5)
    trial = g["geo"].status["canary"]
    assert trial["startTime"] > began
    assert [g.serves(name) for name in NAMES] == [OLD] * 3
    assert g.outcomes("geo") == [], "it is the same trial, begun again"
    g.run(120)
    assert [g.serves(name) for name in NAMES] == [GOOD] * 3


def test_pods_that_are_lost_after_the_decision_are_waited_for() -> None:
    g = just_decided()
    w = g["geo"]
    w.pods_ready(w.status["canary"]["revision"], ready=False)
    w.settle()
    assert g.serves("geo") == OLD, "whose pods answer"
    assert "0 of 2 pods are ready" in condition(g, "geo", "RolloutHealthy")["message"]
    for name in ("fraud", "price"):
        g[name].settle()
        assert g.serves(name) == GOOD
    w.pods_ready()
    w.settle()
    assert g.serves("geo") == GOOD


def test_pairs_of_who_waits_are_still_judged() -> None:
    """Its copies go on while it waits."""
    mirrored = {"steps": [{"mirror": {"percent": 50}}]}
    pairs = {"indicators": [{"name": "paired-errors", "source": "Pairs"}], "minRequests": 50}
    g = Groups(**mirrored)
    for name in NAMES:
        g[name].edit(monitoring={}, analysis=pairs)
    g.run(30)
    g["price"].edit_rollout(paused=True)
    g.release("2")
    g.run(200)
    assert [g.standing(name) for name in NAMES] == ["Ready", "Ready", "OnTrial"]
    g["geo"].quality[GOOD] = 0.5
    g.run(200)
    assert g.outcomes("geo")[0] == "RolledBack WorseThanStable"
