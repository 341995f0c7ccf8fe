"""Members of a group are promoted together or not at all."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from tests.support.group_world import BAD, GOOD, NAMES, OLD, Groups, group
from tests.support.rollout_world import Crash

JSON = dict[str, Any]


def condition(g: Groups, name: str, type_: str = "GroupComplete") -> JSON:
    return next(c for c in g[name].status["conditions"] if c["type"] == type_)


def waiting(**kept: str) -> Groups:
    """All are on trial; those named in `kept` are paused at their step, and the rest has passed."""
    g = Groups()
    for name in kept:
        g[name].edit_rollout(paused=True)
    g.release("2", **kept)
    g.run(120)
    return g


def just_voted() -> Groups:
    """All have given their votes, and nothing is decided."""
    g = waiting(price=GOOD)
    g["price"].edit_rollout(paused=None)
    g["price"].settle()
    g["price"].pods_ready()
    g["price"].settle()
    assert [g.standing(name) for name in NAMES] == ["Ready"] * 3
    return g


def just_decided() -> Groups:
    """The group has decided to promote, and nobody has followed."""
    g = just_voted()
    g["fraud"].reconcile()
    assert [d.outcome for d in g.decided()] == ["Promote"] * 3
    return g


def test_all_are_promoted_once_the_last_has_passed() -> None:
    g = waiting(price=GOOD)
    assert {g.serves(name) for name in NAMES} == {OLD}
    assert [g.standing(name) for name in NAMES] == ["Ready", "Ready", "OnTrial"]
    healthy = condition(g, "fraud", "RolloutHealthy")
    assert (healthy["status"], healthy["reason"]) == ("True", "AwaitingGroup")
    assert "price is on trial" in healthy["message"]
    assert "price is on trial" in condition(g, "fraud", "Ready")["message"]
    assert g["fraud"].status["canary"]["stage"] == "Promoting"
    g["price"].edit_rollout(paused=None)
    g.run(60)
    assert {g.serves(name) for name in NAMES} == {GOOD}
    for name in NAMES:
        assert g.outcomes(name) == ["Promoted AllIndicatorsPass"]
        told = g[name].status["history"][0]["message"]
        assert "promoted with the group checkout: fraud, geo, price" in told
        assert g.standing(name) == "Serving"


def test_a_failing_member_takes_the_others_back() -> None:
    g = waiting(price=BAD)
    assert g.outcomes("price") == ["RolledBack WorseThanStable"], "paused does not keep it"
    for name in ("fraud", "geo"):
        assert g.outcomes(name) == ["RolledBack GroupMemberFailed"]
        last = g[name].status["history"][0]
        assert last["message"].startswith("price: WorseThanStable: ")
        assert (last["cause"], last["release"]) == ("Model", "2")
    assert {g.serves(name) for name in NAMES} == {OLD}


def test_a_member_that_fails_while_it_waits_takes_the_others_back() -> None:
    g = waiting(price=GOOD)
    assert g.told("geo")["vote"]["coordinator"] == "fraud"
    g["geo"].edit_rollout(abort=g["geo"].status["canary"]["revision"])
    g.run(20)
    assert g.outcomes("geo") == ["RolledBack Aborted"]
    assert g.outcomes("fraud") == g.outcomes("price") == ["RolledBack GroupMemberFailed"]
    assert g["fraud"].status["history"][0]["cause"] == "User"


def test_with_a_vote_it_ends_only_by_the_groups_decision() -> None:
    g = waiting(price=GOOD)
    g["geo"].edit_rollout(abort=g["geo"].status["canary"]["revision"])
    g["geo"].settle()
    assert g["geo"].status["canary"]["revision"]
    assert g.standing("geo") == "Failing"
    assert "goes back as soon as the group" in condition(g, "geo", "RolloutHealthy")["message"]
    g["geo"].edit_rollout(abort=None)
    g["geo"].settle()
    assert g.standing("geo") == "Ready", "nobody has seen the wish yet"


def test_a_decision_on_votes_that_were_read_late_holds_for_all() -> None:
    g = just_voted()
    g.keep_late("fraud", "geo")
    g["geo"].edit_rollout(abort=g["geo"].status["canary"]["revision"])
    g["geo"].settle()
    g["fraud"].reconcile()
    assert [d.outcome for d in g.decided()] == ["Promote"] * 3
    g.settle()
    assert [g.serves(name) for name in NAMES] == [GOOD] * 3


def test_after_the_decision_nobody_stays_behind() -> None:
    """Each dies at any write, others read late; and what fails in this second is promoted, too."""
    g = just_decided()
    assert g.serves("fraud") == OLD, "the decision stands before anybody follows it"
    g["geo"].edit_rollout(abort=g["geo"].status["canary"]["revision"])
    for name in NAMES:
        for write in range(4):
            with contextlib.suppress(Crash):
                g[name].reconcile(crash_after=write)
    g.settle()
    assert {g.serves(name) for name in NAMES} == {GOOD}


@pytest.mark.parametrize("leader", [True, False])
def test_a_member_deleted_after_the_decision_leaves_no_half(leader: bool) -> None:
    g = just_decided()
    g["geo"].settle()
    assert g.serves("geo") == GOOD
    g.forget("fraud" if leader else "geo")
    g["price"].settle()
    assert g.serves("price") == GOOD


def test_a_member_edited_later_is_waited_for_by_its_release() -> None:
    g = Groups()
    g.show("fraud", "2")
    g.show("geo", "2")
    g.run(120)
    assert g.standing("fraud") == "Ready"
    assert "price shows release '1', not '2'" in condition(g, "fraud", "RolloutHealthy")["message"]
    g.show("price", "2", OLD)
    g.run(10)
    assert [g.serves(name) for name in NAMES] == [GOOD, GOOD, OLD], "it serves release 2 already"


def test_without_a_release_whoever_is_on_trial_is_promoted_together() -> None:
    g = Groups(group=group(""))
    g.show("geo", "")
    g.run(120)
    assert g.serves("geo") == GOOD
    g["price"].edit_rollout(paused=True)
    g.show("fraud", "")
    g.show("price", "")
    g.run(120)
    assert g.serves("fraud") == OLD
    g["price"].edit_rollout(paused=None)
    g.run(60)
    assert [g.serves(name) for name in NAMES] == [GOOD] * 3


def test_a_new_release_tries_again_what_was_taken_back_for_anothers_sake() -> None:
    g = waiting(price=BAD)
    assert "rollout.group.release of all members" in condition(g, "geo", "Ready")["message"]
    g["price"].edit_rollout(paused=None)
    g.release("3")
    g.run(120)
    assert {g.serves(name) for name in NAMES} == {GOOD}
    assert g.outcomes("geo") == ["Promoted AllIndicatorsPass"]


def test_who_begins_after_a_failure_waits_for_another_release() -> None:
    g = Groups()
    g.show("price", "2", BAD)
    g.run(120)
    assert g.outcomes("price") == ["RolledBack WorseThanStable"]
    g.show("fraud", "2")
    g.show("geo", "2")
    g.run(120)
    assert [g.serves(name) for name in NAMES] == [OLD] * 3
    told = condition(g, "fraud", "RolloutHealthy")["message"]
    assert "price was taken back; set its rollout.retry or give the group another release" in told
    g.release("3")
    g.run(120)
    assert {g.serves(name) for name in NAMES} == {GOOD}


def test_a_newer_revision_of_one_member_is_waited_for() -> None:
    g = waiting(price=GOOD)
    g["geo"].quality["s3://m/newer"] = 0.0
    g.show("geo", "2", "s3://m/newer")
    g.run(60)
    assert g.outcomes("geo") == ["Superseded Superseded"]
    assert [g.standing(name) for name in NAMES] == ["Ready", "Ready", "OnTrial"]
    g["price"].edit_rollout(paused=None)
    g.run(60)
    assert [g.serves(name) for name in NAMES] == [GOOD, "s3://m/newer", GOOD]


def test_a_revision_withdrawn_takes_the_others_back() -> None:
    g = waiting(price=GOOD)
    g.show("geo", "2", OLD)
    g.run(20)
    assert g.outcomes("geo") == ["Superseded Superseded"]
    assert g.outcomes("fraud") == g.outcomes("price") == ["RolledBack GroupMemberFailed"]


def test_promote_is_past_the_group() -> None:
    g = waiting(price=GOOD)
    g["geo"].edit_rollout(promote=g["geo"].status["canary"]["revision"])
    g.run(10)
    assert g.serves("geo") == GOOD
    assert "past the group checkout" in g["geo"].status["history"][0]["message"]
    assert g.serves("fraud") == OLD
    g["price"].edit_rollout(paused=None)
    g.run(60)
    assert [g.serves(name) for name in NAMES] == [GOOD] * 3


def test_a_missing_member_holds_all_of_them() -> None:
    g = Groups("fraud", "geo")
    g.release("2")
    g.run(120)
    assert g.serves("fraud") == g.serves("geo") == OLD
    found = condition(g, "fraud")
    assert (found["status"], found["reason"]) == ("False", "MemberMissing")
    assert "price is not there: make it, or take it off members everywhere" in found["message"]
    for name in ("fraud", "geo"):
        g[name].edit_rollout(group=group("2", ("fraud", "geo")))
    g.run(20)
    assert condition(g, "fraud")["status"] == "True"
    assert g.serves("fraud") == g.serves("geo") == GOOD


def test_members_that_say_different_things_are_no_group() -> None:
    g = Groups()
    g["geo"].edit_rollout(group=group("1", ("fraud", "geo")))
    g.settle()
    found = condition(g, "price")
    assert (found["status"], found["reason"]) == ("False", "MembersDiffer")
    assert "geo is in a group of another name or other members" in found["message"]
    g["geo"].edit_rollout(group=None)
    g.settle()
    assert condition(g, "price")["reason"] == "MemberMissing"
    assert "group" not in g["geo"].status
    assert not [c for c in g["geo"].status["conditions"] if c["type"] == "GroupComplete"]


def test_a_long_wait_is_no_lateness() -> None:
    g = waiting(price=GOOD)
    g.run(3600, 300)
    g["geo"].pods_ready(g["geo"].status["canary"]["revision"], ready=False)
    g["geo"].settle()
    assert g["geo"].status["canary"]["stage"] == "Promoting"
    assert g.standing("geo") == "OnTrial"
    g["price"].edit_rollout(paused=None)
    g["price"].settle()
    g.run(300)
    assert [g.serves(name) for name in NAMES] == [GOOD] * 3


def test_with_its_coordinator_gone_a_failing_member_goes_back_by_itself() -> None:
    g = waiting(price=GOOD)
    g.forget("fraud")
    g["geo"].edit_rollout(abort=g["geo"].status["canary"]["revision"])
    g["geo"].settle()
    assert g.outcomes("geo") == ["RolledBack Aborted"]


def test_a_probation_follows_the_promotion_of_each() -> None:
    g = Groups(probation={"seconds": 60})
    g.release("2")
    g.run(30)
    assert {g[name].status["canary"]["stage"] for name in NAMES} == {"Probation"}
    assert {g.standing(name) for name in NAMES} == {"Serving"}
    g.run(120)
    assert {g.serves(name) for name in NAMES} == {GOOD}
