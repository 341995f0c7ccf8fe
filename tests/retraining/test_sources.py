"""Triggers that poll: another revision of the data makes one run, whatever else happens."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from evenkeel.api.data import DataRevision
from evenkeel.meta.conditions import Condition, find
from evenkeel.meta.plan import Plan
from evenkeel.outside.git import GitQuestion, TrackedData
from evenkeel.outside.poll import Failure, Poll, Sighting
from evenkeel.outside.s3 import ObjectSet
from evenkeel.retraining.sources import polls
from evenkeel.training.environment import environment
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.retraining import DRIFT, NOW, Cluster, Crash, alerts, nightly, schedule

REPO = "https://git.example/ml/data.git"
DATA = {"name": "data", "gitData": {"repo": REPO, "path": "data/train"}}


def found(rev: str, data: str, **more: Any) -> TrackedData:
    return TrackedData(rev, f"md5:{data}", head=rev, **more)


class World(Cluster):
    """A cluster with the trigger `data`."""

    def __init__(self, *triggers: dict[str, Any], **spec: Any) -> None:
        super().__init__(schedule(*(triggers or (DATA,)), **{"cooldownSeconds": 0, **spec}))

    def see(self, rev: str, data: str, **more: Any) -> None:
        self.sightings["data"] = Sighting(found(rev, data, **more), self.now, self.now)

    def fail(self, reason: str = "SourceUnavailable", message: str = "git.example: down") -> None:
        before = self.sightings.get("data", Sighting())
        failure = Failure(reason, message, self.now)
        self.sightings["data"] = Sighting(before.answer, before.since, before.asked, failure)

    def turn(self, rev: str, data: str) -> Plan:
        """Time passes, the source is seen, all that follows is done and the run ends."""
        self.pass_time(minutes=5)
        self.see(rev, data)
        plan = self.settle()
        self.finish_active()
        return plan

    @property
    def trained(self) -> list[tuple[str, str]]:
        """Revisions of all runs that ever began, in order."""
        causes = [self.runs[name].spec.cause for name in self.started]
        return [(c.data.rev, c.data.digest.removeprefix("md5:")) for c in causes if c.data]

    @property
    def sources(self) -> Condition | None:
        return find(self.status.conditions, "SourcesRead")


@pytest.fixture
def world() -> World:
    return World(history={"succeeded": 100, "failed": 100})


def test_what_is_asked() -> None:
    assert polls(schedule(DATA, DRIFT)) == {
        "data": Poll("git", REPO, GitQuestion("main", "data/train"), 60.0, "")
    }
    other = {**DATA["gitData"], "branch": "b", "secretName": "git", "intervalSeconds": 300}  # type: ignore[dict-item]
    assert polls(schedule({"name": "data", "gitData": other})) == {
        "data": Poll("git", REPO, GitQuestion("b", "data/train"), 300.0, "git")
    }
    assert polls(schedule(DATA, suspend=True)) == {}
    ssh = {"name": "data", "gitData": {"repo": "git@git.example:ml", "path": "data"}}
    assert polls(schedule(ssh)) == {}


def test_the_first_revision_is_where_changes_count_from(world: World) -> None:
    world.settle()
    assert world.status.triggers[0].last_revision is None
    world.turn("c1", "a")
    assert world.trained == []
    known = world.status.triggers[0].last_revision
    assert known is not None
    assert (known.revision, known.digest, known.change) == ("c1", "md5:a", 0)
    assert world.reason() == "Scheduled"


def test_another_hash_makes_one_run_with_its_cause(world: World) -> None:
    world.turn("c1", "a")
    world.pass_time(minutes=5)
    world.see("c2", "b.dir", size=12, files=3)
    world.settle()
    (run,) = world.runs.values()
    cause = run.spec.cause
    assert (cause.type, cause.trigger, cause.change) == ("Data", "data", 1)
    assert cause.time == "2026-01-31T09:10:00Z"
    assert cause.data == DataRevision(
        repo=REPO, rev="c2", path="data/train", digest="md5:b.dir", size=12, files=3
    )
    assert cause.message == "data data: data/train at c2 (md5:b.dir, 12 bytes in 3 files)"
    known = world.status.triggers[0].last_revision
    assert known is not None
    assert (known.revision, known.digest, known.change) == ("c2", "md5:b.dir", 1)
    given = {e["name"]: e["value"] for e in environment(run, None, [])}
    assert given["EVENKEEL_DATA_REPO"] == REPO
    assert given["EVENKEEL_DATA_REV"] == "c2"
    assert given["EVENKEEL_DATA_PATH"] == "data/train"
    assert given["EVENKEEL_DATA_DIGEST"] == "md5:b.dir"
    assert '"rev":"c2"' in given["EVENKEEL_CAUSE"]
    for _ in range(3):
        world.turn("c2", "b.dir")
    assert len(world.started) == 1


def test_another_commit_with_the_same_data_makes_none(world: World) -> None:
    for rev in ("c1", "c2", "c3"):
        world.turn(rev, "a")
    assert world.started == []


def test_data_that_come_back_in_a_new_commit_are_trained_again(world: World) -> None:
    for rev, data in (("c1", "a"), ("c2", "b"), ("c3", "a"), ("c4", "b")):
        world.turn(rev, data)
    assert world.trained == [("c2", "b"), ("c3", "a"), ("c4", "b")]


def test_a_revision_that_comes_back_itself_is_not(world: World) -> None:
    """As when a push is undone by force, or a replica of the server lags behind."""
    for rev, data in (("c1", "a"), ("c2", "b"), ("c1", "a"), ("c2", "b"), ("c3", "c"), ("c2", "b")):
        world.turn(rev, data)
    assert world.trained == [("c2", "b"), ("c3", "c")]


def test_many_revisions_are_remembered_within_a_bound(world: World) -> None:
    for n in range(80):
        world.turn(f"c{n}", f"{n}")
    known = world.status.triggers[0].last_revision
    assert known is not None
    assert len(known.earlier) == 512
    assert known.change == 79
    assert len(set(world.started)) == 79


def test_a_change_waits_as_long_as_it_is_held_back_and_the_newest_counts() -> None:
    world = World(cooldownSeconds=3600)
    for rev, data in (("c1", "a"), ("c2", "b"), ("c3", "c"), ("c4", "d")):
        world.turn(rev, data)
    assert world.trained == [("c2", "b")]
    world.pass_time(days=3)
    world.settle()
    assert world.trained == [("c2", "b"), ("c4", "d")]


def test_a_change_that_is_taken_back_while_it_waits_makes_no_run() -> None:
    world = World(cooldownSeconds=3600)
    for rev, data in (("c1", "a"), ("c2", "b"), ("c3", "c"), ("c4", "b")):
        world.turn(rev, data)
    world.pass_time(days=1)
    world.settle()
    assert world.trained == [("c2", "b")]


def test_an_active_run_is_waited_for(world: World) -> None:
    world.turn("c1", "a")
    world.see("c2", "b")
    world.settle()
    world.see("c3", "c")
    world.settle()
    assert world.reason() == "Active"
    assert world.trained == [("c2", "b")]
    world.finish_active()
    world.settle()
    assert world.trained == [("c2", "b"), ("c3", "c")]


def test_replace_stops_the_run_for_data_that_are_no_more() -> None:
    world = World(concurrencyPolicy="Replace")
    world.turn("c1", "a")
    world.see("c2", "b")
    world.settle()
    world.see("c3", "c")
    world.settle()
    first, second = world.started
    assert world.runs[second].spec.replaces == (first,)


MORE = {"name": "more", "gitData": {"repo": REPO, "path": "data/more"}}


def two_sources(*others: dict[str, Any]) -> World:
    """Under Replace, with a change of both sources; the first has its run."""
    world = World(DATA, MORE, *others, concurrencyPolicy="Replace")
    for rev, data in (("c1", "a"), ("c2", "b")):
        world.pass_time(minutes=5)
        world.see(rev, data)
        world.sightings["more"] = Sighting(found(rev, f"more-{data}"), world.now, world.now)
        world.settle()
    assert world.trained == [("c2", "b")]
    return world


def test_replace_never_stops_a_run_for_the_data_of_another_source() -> None:
    world = two_sources()
    (ready, *_) = world.status.conditions
    assert ready.reason == "Active"
    more = world.status.triggers[1].last_revision
    assert more is not None
    assert more.digest == "md5:more-a", "it waits and is not settled"
    world.finish_active()
    world.settle()
    assert world.trained == [("c2", "b"), ("c2", "more-b")]
    assert all(not run.spec.replaces for run in world.runs.values())


def test_replace_stops_it_for_newer_data_of_its_own_source_while_another_waits() -> None:
    world = two_sources()
    world.see("c3", "c")
    world.settle()
    assert world.trained == [("c2", "b"), ("c3", "c")]
    assert world.runs[world.started[1]].spec.replaces == (world.started[0],)
    world.finish_active()
    world.settle()
    assert world.trained[2:] == [("c2", "more-b")]


def test_replace_stops_it_neither_for_alerts_nor_for_a_time() -> None:
    world = two_sources(DRIFT, nightly("10 9 * * *"))
    world.pass_time(minutes=5)
    world.reconcile(alerts(2, world.now))
    assert len(world.started) == 1
    assert world.received == world.accounted == 2
    world.finish_active()
    for _ in range(2):
        world.settle()
        world.finish_active()
    causes = [world.runs[name].spec.cause.type for name in world.started]
    assert sorted(causes) == ["Cron", "Data", "Data"]


def test_a_time_that_a_run_for_data_held_back_too_long_is_told_why() -> None:
    world = two_sources(nightly("10 9 * * *", startingDeadlineSeconds=60))
    world.pass_time(minutes=5)
    plan = world.reconcile()
    (missed,) = (e for e in plan.events if e.reason == "MissedSchedule")
    assert "is active for a revision of trigger data" in missed.message


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_crash_between_two_sources_under_replace_loses_neither(writes: int) -> None:
    world = World(DATA, MORE, concurrencyPolicy="Replace")
    for data in ("a", "b"):
        world.see(data, data)
        world.sightings["more"] = Sighting(found(data, f"more-{data}"), world.now, world.now)
        with suppress(Crash):
            world.reconcile(writes=writes if data == "b" else None)
    for _ in range(3):
        world.settle()
        world.finish_active()
    assert sorted(world.trained) == [("b", "b"), ("b", "more-b")]
    assert all(not run.spec.replaces for run in world.runs.values())


def test_alerts_and_a_change_that_meet_share_a_run() -> None:
    world = World(DATA, DRIFT)
    world.turn("c1", "a")
    world.see("c2", "b")
    world.reconcile(alerts(3, world.now))
    (run,) = world.runs.values()
    assert (run.spec.cause.type, run.spec.cause.alert_count) == ("Data", 3)
    assert run.spec.cause.message.startswith("data data: data/train at c2 (md5:b), 3 alerts")
    world.settle()
    assert world.received == world.accounted == 3


def test_a_suspended_schedule_trains_on_what_is_there_when_it_goes_on(world: World) -> None:
    world.turn("c1", "a")
    world.edit(suspend=True)
    world.turn("c2", "b")
    assert world.started == []
    assert world.sources is None
    world.edit(suspend=False)
    world.turn("c3", "c")
    assert world.trained == [("c3", "c")]


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_crash_trains_once_even_if_the_branch_moves_on(world: World, writes: int) -> None:
    world.turn("c1", "a")
    world.see("c2", "b")
    with pytest.raises(Crash):
        world.reconcile(writes=writes)
    world.pass_time(minutes=1)
    # The new leader finds the same data in a later commit.
    world.see("c2b", "b")
    world.settle()
    assert [data for _, data in world.trained] == ["b"]
    known = world.status.triggers[0].last_revision
    assert known is not None
    assert (known.digest, known.change) == ("md5:b", 1)
    world.finish_active()
    world.turn("c3", "c")
    assert [data for _, data in world.trained] == ["b", "c"]


def test_a_run_that_the_api_server_refuses_is_tried_again(world: World) -> None:
    world.turn("c1", "a")
    world.see("c2", "b")
    world.refuse()
    known = world.status.triggers[0].last_revision
    assert known is not None
    assert known.digest == "md5:a"
    world.settle()
    assert world.trained == [("c2", "b")]


@pytest.mark.parametrize("runs_come_back", [True, False])
def test_a_restore_trains_nothing_again(world: World, runs_come_back: bool) -> None:
    for rev, data in (("c1", "a"), ("c2", "b")):
        world.turn(rev, data)
    before = list(world.started)
    world.pass_time(days=1)
    world.sightings.clear()
    world.restore(runs=None if runs_come_back else ())
    world.settle()
    world.see("c3", "b")
    world.settle()
    world.pass_time(minutes=20)
    world.settle()
    assert world.started == before
    known = world.status.triggers[0].last_revision
    assert known is not None
    assert known.revision == "c2"
    world.see("c4", "c")
    world.settle()
    assert len(world.started) == len(before) + 1, "what changed meanwhile is trained"


def test_without_a_record_a_restore_counts_from_what_is_there(world: World) -> None:
    for rev, data in (("c1", "a"), ("c2", "b")):
        world.turn(rev, data)
    world.restore(runs=(), records=False)
    world.turn("c3", "c")
    world.pass_time(minutes=20)
    world.settle()
    assert len(world.started) == 1


def test_a_source_that_cannot_be_read_is_told_and_the_others_go_on() -> None:
    world = World(DATA, nightly("*/10 * * * *"))
    world.settle()
    assert world.sources is not None
    assert (world.sources.status, world.sources.reason) == ("Unknown", "NotReadYet")
    world.fail("SourceAccessDenied", "git.example answered 401: no; correct the Secret")
    plan = world.settle()
    assert world.sources is not None
    assert (world.sources.status, world.sources.reason) == ("False", "SourceAccessDenied")
    assert world.sources.message == (
        "trigger data: git.example answered 401: no; correct the Secret; the other triggers work"
    )
    assert world.status.triggers[0].failure.startswith("SourceAccessDenied: git.example answered")
    world.pass_time(minutes=15)
    world.settle()
    assert [r.spec.cause.type for r in world.runs.values()] == ["Cron"]
    assert not plan.events, "it was told once"
    world.see("c1", "a")
    world.settle()
    assert world.sources is not None
    assert (world.sources.status, world.sources.reason) == ("True", "Read")
    assert world.status.triggers[0].failure == ""


def test_an_event_tells_when_a_source_begins_to_fail_and_why() -> None:
    world = World()
    world.settle()
    world.fail()
    (event,) = world.reconcile().events
    assert (event.type, event.reason) == ("Warning", "SourceUnavailable")
    assert event.message == "trigger data: git.example: down"
    world.fail("SourceNotFound", "no branch main")
    (event,) = world.reconcile().events
    assert event.reason == "SourceNotFound"
    assert world.reconcile().events == ()


def test_what_was_last_read_counts_while_the_source_fails(world: World) -> None:
    world.turn("c1", "a")
    world.see("c2", "b")
    world.fail()
    world.settle()
    assert world.trained == [("c2", "b")]


def test_a_restart_of_the_operator_writes_nothing(world: World) -> None:
    world.turn("c1", "a")
    world.fail()
    world.settle()
    before = world.status
    world.sightings.clear()
    world.pass_time(minutes=1)
    world.reconcile()
    assert world.status == before


def test_other_data_in_the_same_trigger_fire(world: World) -> None:
    world.turn("c1", "a")
    world.edit(triggers=[{"name": "data", "gitData": {"repo": REPO, "path": "data/other"}}])
    world.sightings.clear()
    world.settle()
    world.turn("c1", "other")
    assert world.trained == [("c1", "other")]


def test_an_address_that_is_not_supported_is_an_invalid_trigger() -> None:
    world = World({"name": "data", "gitData": {"repo": "git@git.example:ml", "path": "d"}}, DRIFT)
    world.settle()
    ready = world.status.conditions[0]
    assert (ready.status, ready.reason) == ("False", "InvalidTrigger")
    assert "write an https:// or http:// address" in ready.message
    assert world.sources is None


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["same", "other data", "other commit", "back", "nothing"]),
            st.sampled_from([None, None, 0, 1, 2, 3]),
            st.booleans(),
            st.sampled_from([0, 30, 4000]),
        ),
        max_size=25,
    ),
    st.sampled_from([0, 3600]),
    st.sampled_from(["Forbid", "Queue", "Replace"]),
)
def test_each_revision_is_trained_at_most_once_and_the_newest_in_the_end(
    steps: list[tuple[str, int | None, bool, int]], cooldown: int, policy: str
) -> None:
    """Whatever the branch does, and whenever the operator dies."""
    world = World(
        cooldownSeconds=cooldown,
        concurrencyPolicy=policy,
        history={"succeeded": 100, "failed": 100},
    )
    world.turn("c0", "d0")
    commits, head, newest_data = [("c0", "d0")], ("c0", "d0"), 0
    for what, writes, ends, seconds in steps:
        match what:
            case "other data":
                newest_data += 1
                head = (f"c{len(commits)}", f"d{newest_data}")
                commits.append(head)
            case "other commit":
                head = (f"c{len(commits)}", head[1])
                commits.append(head)
            case "back":
                head = commits[len(commits) // 2]
            case "nothing":
                world.sightings.clear()
        if what != "nothing":
            world.see(*head)
        world.pass_time(seconds=seconds)
        with suppress(Crash):
            world.reconcile(writes=writes)
        if ends:
            world.finish_active()
    assert len(set(world.trained)) == len(world.trained)
    data = ["d0", *(data for _, data in world.trained)]
    assert all(one != following for one, following in pairwise(data)), "each had another hash"
    assert ("c0", "d0") not in world.trained
    newest_data += 1
    world.see("last", f"d{newest_data}")
    for _ in range(3):
        world.finish_active()
        world.pass_time(seconds=4000)
        world.settle()
    assert world.trained[-1] == ("last", f"d{newest_data}")
    assert world.trained.count(world.trained[-1]) == 1


def test_the_time_of_a_change_is_when_it_was_first_seen(world: World) -> None:
    world.turn("c1", "a")
    first = world.now
    world.sightings["data"] = Sighting(found("c2", "b"), first, first + timedelta(hours=1))
    world.pass_time(hours=1)
    world.settle()
    (run,) = world.runs.values()
    assert run.spec.cause.time == (NOW + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_trigger_that_comes_back_finds_no_news_in_runs_of_its_past() -> None:
    world = World(DATA, DRIFT, cooldownSeconds=3600, concurrencyPolicy="Queue")
    for rev, data in (("c1", "a"), ("c2", "b"), ("c3", "c")):
        world.turn(rev, data)
        world.pass_time(hours=2)
    world.edit(triggers=[DRIFT])
    world.settle()
    world.reconcile(alerts(1))
    world.finish_active()
    last = world.status.last_run
    world.reconcile(alerts(3, began=world.now))
    assert world.status.pending is not None, "the cooldown holds them back"
    world.edit(triggers=[DATA, DRIFT])
    world.turn("c4", "d")
    assert world.status.last_run == last
    assert world.received == world.accounted == 4
    known = next(t.last_revision for t in world.status.triggers if t.name == "data")
    assert known is not None
    assert (known.revision, known.change) == ("c4", 2)
    world.pass_time(hours=2)
    world.turn("c5", "e")
    assert world.trained[-1] == ("c5", "e")
    assert world.received == world.accounted == 4


OBJECTS = {"name": "data", "objects": {"uri": "s3://lake/sales/"}}


def listed(digest: str) -> ObjectSet:
    return ObjectSet(digest=f"sha256:{digest}", newest="2026-01-31T09:00:00Z", objects=1, size=1)


def test_a_trigger_of_another_kind_under_the_same_name_counts_from_what_it_finds() -> None:
    world = World(cooldownSeconds=0)
    world.turn("c1", "a")
    world.turn("c2", "b")
    assert world.trained == [("c2", "b")]
    world.edit(triggers=[OBJECTS])
    world.pass_time(minutes=5)
    world.sightings["data"] = Sighting(listed("1"), world.now, world.now)
    world.settle()
    assert len(world.started) == 1, "nothing of its own has changed"
    (known,) = world.status.triggers
    assert (known.kind, known.last_revision and known.last_revision.digest) == (
        "objects",
        "sha256:1",
    )
    world.pass_time(minutes=5)
    world.sightings["data"] = Sighting(listed("2"), world.now, world.now)
    world.settle()
    assert len(world.started) == 2
