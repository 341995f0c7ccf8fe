"""Objects of a store as a trigger: one run for each new set, or for each new set of folders."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from evenkeel.api.cause import cause_text
from evenkeel.api.data import DataObjects
from evenkeel.api.trainingrun import TrainingResult
from evenkeel.meta.conditions import Condition
from evenkeel.meta.plan import Plan
from evenkeel.meta.times import timestamp
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.outside.s3 import Bucket, Look, ObjectSet
from evenkeel.retraining.sources import polls
from evenkeel.training.environment import environment
from evenkeel.training.record import version_record
from evenkeel.training.snapshot import RunSnapshot
from hypothesis import given
from hypothesis import strategies as st

from tests.support.retraining import NOW, Cluster, Crash, schedule

URI = "s3://lake/days/"
EVERY: dict[str, Any] = {"name": "data", "objects": {"uri": URI}}
MARKED: dict[str, Any] = {"name": "data", "objects": {"uri": URI, "marker": "_SUCCESS"}}
EMPTY = ObjectSet(objects=0, size=0)
NONE_COMPLETE = ObjectSet()


def objects(digest: str, second: int = 0, number: int = 3) -> ObjectSet:
    """A set without a marker."""
    newest = timestamp(NOW + timedelta(seconds=second))
    return ObjectSet(f"sha256:{digest}", newest, objects=number, size=100 * number)


def folder(name: str, second: int = 0) -> ObjectSet:
    """The folder that was completed last."""
    newest = timestamp(NOW + timedelta(seconds=second))
    return ObjectSet(f"sha256:{name}-{second}", newest, name)


class World(Cluster):
    """A cluster with the trigger `data`."""

    def __init__(self, trigger: dict[str, Any], **spec: Any) -> None:
        super().__init__(schedule(trigger, **{"cooldownSeconds": 0, **spec}))

    def see(self, answer: ObjectSet, since: datetime | None = None) -> None:
        self.sightings["data"] = Sighting(answer, since or self.now, self.now)

    def turn(self, answer: ObjectSet) -> Plan:
        """Time passes, the store is listed, all that follows is done and the run ends."""
        self.pass_time(minutes=5)
        self.see(answer)
        plan = self.settle()
        self.finish_active()
        return plan

    @property
    def trained(self) -> list[str]:
        """Digests of all runs that ever began, in order."""
        causes = [self.runs[name].spec.cause for name in self.started]
        return [c.objects.digest.removeprefix("sha256:") for c in causes if c.objects]


def test_what_is_asked() -> None:
    spec = {**MARKED["objects"], "region": "eu-1", "secretName": "s3", "intervalSeconds": 60}
    look = Look(Bucket("lake", "eu-1", False), "days/", "_SUCCESS")
    asked = polls(schedule({"name": "data", "objects": spec}))
    assert asked == {"data": Poll("s3", "https://lake.s3.eu-1.amazonaws.com", look, 60.0, "s3")}
    at_hand = {"uri": "s3://lake/", "endpoint": "http://minio:9000"}
    asked = polls(schedule({"name": "data", "objects": at_hand}))
    assert asked == {"data": Poll("s3", "http://minio:9000", Look(Bucket("lake"), ""), 300.0)}


def test_what_is_there_at_first_fires_nothing() -> None:
    world = World(EVERY)
    world.turn(objects("a"))
    world.turn(objects("a"))
    assert world.trained == []
    found = world.status.triggers[0].last_revision
    assert found is not None
    assert (found.digest, found.change) == ("sha256:a", 0)


def test_another_set_makes_one_run_with_its_cause() -> None:
    world = World(EVERY)
    for digest, second in (("a", 0), ("b", 9), ("b", 9), ("b", 11)):
        world.turn(objects(digest, second))
    (run,) = world.runs.values()
    cause = run.spec.cause
    assert (cause.type, cause.trigger, cause.change) == ("Data", "data", 1)
    assert cause.objects == DataObjects(
        uri=URI, time="2026-01-31T09:00:09Z", digest="sha256:b", objects=3, size=300
    )
    assert cause_text(cause) == (
        f"data data: {URI} of 2026-01-31T09:00:09Z (sha256:b, 300 bytes in 3 objects)"
    )
    given_ = {e["name"]: e["value"] for e in environment(run, None, [])}
    assert given_["EVENKEEL_DATA_URI"] == URI
    assert given_["EVENKEEL_DATA_DIGEST"] == "sha256:b"
    assert given_["EVENKEEL_DATA_PARTITION"] == ""
    assert "EVENKEEL_DATA_REPO" not in given_


@pytest.mark.parametrize(("trigger", "empty"), [(EVERY, EMPTY), (MARKED, NONE_COMPLETE)])
def test_the_first_data_below_an_empty_prefix_fire(
    trigger: dict[str, Any], empty: ObjectSet
) -> None:
    world = World(trigger)
    world.turn(empty)
    world.turn(folder("01"))
    assert world.trained == ["01-0"]
    world.turn(empty)
    assert world.trained == ["01-0"], "there is nothing to train on"
    world.turn(folder("01"))
    assert world.trained == ["01-0"], "it has had its run"


def test_what_comes_back_as_it_was_is_not_trained_again() -> None:
    world = World(EVERY)
    for digest in ("a", "b", "a", "b"):
        world.turn(objects(digest))
    assert world.trained == ["b"]
    world.turn(objects("a", second=99))
    assert world.trained == ["b", "a"], "the same contents, written again"


def test_a_folder_that_is_complete_makes_one_run() -> None:
    world = World(MARKED)
    for name, second in (("01", 1), ("01", 1), ("02", 2), ("02", 2), ("02", 2)):
        world.turn(folder(name, second))
    (run,) = world.runs.values()
    assert run.spec.cause.objects is not None
    assert run.spec.cause.objects.partition == "02"
    assert cause_text(run.spec.cause) == (
        f"data data: {URI} partition 02 of 2026-01-31T09:00:02Z (sha256:02-2)"
    )
    given_ = {e["name"]: e["value"] for e in environment(run, None, [])}
    assert given_["EVENKEEL_DATA_PARTITION"] == "02"


def test_folders_that_are_completed_between_two_looks_make_one_run() -> None:
    world = World(MARKED, cooldownSeconds=3600)
    for name, second in (("01", 1), ("02", 2), ("03", 3), ("05", 5)):
        world.turn(folder(name, second))
    world.pass_time(hours=1)
    world.settle()
    assert world.trained == ["02-2", "05-5"], "of those that wait the newest counts"


def test_a_marker_that_goes_leaves_no_news_behind() -> None:
    world = World(MARKED)
    world.turn(folder("03", 3))
    world.turn(folder("02", 2))
    world.turn(folder("03", 3))
    assert world.trained == []
    world.turn(folder("03", 9))
    assert world.trained == ["03-9"], "it was written anew"
    world.turn(folder("01", 10))
    assert world.trained == ["03-9", "01-10"], "a late folder counts, whatever its name"


def test_two_folders_of_one_second_are_both_seen() -> None:
    world = World(MARKED)
    world.turn(folder("01", 1))
    world.turn(folder("02", 2))
    both = ObjectSet("sha256:both", folder("02", 2).newest, "02")
    world.turn(both)
    assert world.trained == ["02-2", "both"]


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_crash_trains_once(writes: int) -> None:
    world = World(MARKED)
    world.turn(folder("01", 1))
    world.pass_time(minutes=5)
    world.see(folder("02", 2))
    try:
        world.reconcile(writes=writes)
    except Crash:
        world.settle()
    world.finish_active()
    world.turn(folder("03", 3))
    world.turn(folder("03", 3))
    assert world.trained == ["02-2", "03-3"]


def test_the_version_keeps_the_digest() -> None:
    world = World(EVERY)
    world.turn(objects("a"))
    world.turn(objects("b"))
    (run,) = world.runs.values()
    report = TrainingResult.model_validate({"uri": "s3://m/1", "format": {"name": "sklearn"}})
    made = version_record(RunSnapshot(run, world.now), report, timestamp(NOW))
    assert made["spec"]["dataRevision"] == "sha256:b"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"uri": "gs://lake/days/"}, "write s3://BUCKET/PREFIX"),
        ({"uri": "s3:///days/"}, "write s3://BUCKET/PREFIX"),
        ({"uri": "s3://lake/days", "marker": "_SUCCESS"}, "must end with /"),
    ],
)
def test_an_address_that_is_not_supported_is_an_invalid_trigger(
    spec: dict[str, Any], says: str
) -> None:
    world = World({"name": "data", "objects": spec})
    assert polls(world.schedule) == {}
    world.reconcile()
    ready: Condition = world.status.conditions[0]
    assert (ready.status, ready.reason) == ("False", "InvalidTrigger")
    assert says in ready.message


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12))
def test_each_completion_is_trained_at_most_once_and_the_newest_in_the_end(
    steps: list[tuple[int, bool]],
) -> None:
    """Folders are completed, or lose their marker, in any order."""
    world, markers = World(MARKED, history={"succeeded": 20}), {9: 0}
    world.turn(folder("9", 0))
    for second, (name, there) in enumerate(steps, 1):
        if there:
            markers[name] = second
        else:
            markers.pop(name, None)
        newest = max(markers, key=lambda n: markers[n])
        world.turn(folder(str(newest), markers[newest]))
    assert len(set(world.trained)) == len(world.trained)
    completions = [(n, s) for s, (n, there) in enumerate(steps, 1) if there]
    assert world.trained == [f"{n}-{s}" for n, s in completions]
