"""The age of the version in production: one run for each occasion, and another after a failure."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from evenkeel.api.cause import cause_text
from evenkeel.api.modelversion import ModelVersion
from evenkeel.meta.times import timestamp
from evenkeel.training.environment import environment
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.retraining import DRIFT, NOW, Cluster, Crash, alerts, nightly, schedule, told

AGED = {"name": "aged", "versionAge": {"maxAgeDays": 7}}
NO_FAILURE_WAITS = {"backoffSeconds": 0, "maxConsecutiveFailures": 100}


def version(name: str, trained: datetime) -> ModelVersion:
    return ModelVersion.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": "ml",
                "creationTimestamp": timestamp(trained + timedelta(hours=1)),
            },
            "spec": {
                "model": "elec",
                "uri": "s3://models/elec",
                "format": {"name": "sklearn"},
                "trainedTime": timestamp(trained),
            },
        }
    )


class World(Cluster):
    """A cluster with the trigger `aged`, and v1 in production, trained now."""

    def __init__(self, *triggers: dict[str, Any], **spec: Any) -> None:
        super().__init__(schedule(*(triggers or (AGED,)), **{"cooldownSeconds": 0, **spec}))
        self.champion = version("v1", NOW)

    @property
    def met(self) -> list[tuple[str, int, int]]:
        """Version, occasion and attempt of all runs that ever began and are known, in order."""
        causes = [self.runs[name].spec.cause for name in self.started if name in self.runs]
        found = [cause.champion for cause in causes if cause.champion is not None]
        return [(c.name, c.occasion, c.attempt) for c in found]

    def end(self, reason: str = "Succeeded") -> None:
        self.settle()
        self.finish_active(reason)
        self.settle()


def test_it_fires_when_the_version_is_too_old_and_not_before() -> None:
    world = World()
    plan = world.settle()
    assert plan.requeue_after == timedelta(days=7).total_seconds()
    assert world.status.next_schedule_time == "2026-02-07T09:00:00Z"
    assert "next versionAge time 2026-02-07T09:00:00Z" in world.status.conditions[0].message
    world.pass_time(days=7, seconds=-1)
    world.settle()
    assert world.started == []
    world.pass_time(seconds=1)
    world.settle()
    (run,) = world.runs.values()
    cause = run.spec.cause
    assert (cause.type, cause.trigger, cause.time) == ("VersionAge", "aged", "2026-02-07T09:00:00Z")
    assert cause.champion is not None
    assert cause.champion.wire() == {
        "name": "v1",
        "trainedTime": "2026-01-31T09:00:00Z",
        "occasion": 1,
        "attempt": 0,
    }
    assert cause_text(cause) == "version age aged: v1, trained 2026-01-31T09:00:00Z"
    given = {e["name"]: e["value"] for e in environment(run, None, [])}
    assert '"champion":{"attempt":0,"name":"v1"' in given["EVENKEEL_CAUSE"]


def test_seconds_are_taken_too_and_a_version_of_long_ago_fires_at_once() -> None:
    world = World({"name": "aged", "versionAge": {"maxAgeSeconds": 60}})
    world.champion = version("old", NOW - timedelta(seconds=150))
    world.settle()
    assert world.met == [("old", 2, 0)]


def test_without_a_version_in_production_nothing_fires() -> None:
    world = World()
    world.champion = None
    plan = world.settle()
    assert plan.requeue_after is None
    world.pass_time(days=70)
    world.settle()
    assert (world.started, world.status.next_schedule_time) == ([], None)


def test_a_run_that_succeeded_settles_it_until_the_version_is_as_old_again() -> None:
    world = World()
    world.pass_time(days=8)
    world.end()
    world.pass_time(days=5)
    world.end()
    assert world.met == [("v1", 1, 0)]
    world.pass_time(days=1)
    world.end()
    assert world.met == [("v1", 1, 0), ("v1", 2, 0)]


def test_another_version_begins_anew_and_one_that_comes_back_does_not() -> None:
    world = World()
    world.pass_time(days=8)
    world.end()
    world.champion = version("v2", world.now)
    world.pass_time(days=5)
    world.end()
    assert world.met == [("v1", 1, 0)]
    world.pass_time(days=2)
    world.end()
    assert world.met == [("v1", 1, 0), ("v2", 1, 0)]
    world.champion = version("v1", NOW + timedelta(days=3))
    world.end()
    assert len(world.started) == 2


def test_a_failed_run_is_made_again_after_the_back_off() -> None:
    world = World(failurePolicy={"backoffSeconds": 600})
    world.pass_time(days=8)
    world.end("TrainerFailed")
    assert world.reason() == "BackingOff"
    assert world.met == [("v1", 1, 0)]
    world.pass_time(seconds=601)
    world.settle()
    assert world.met == [("v1", 1, 0), ("v1", 1, 1)]
    assert cause_text(world.runs[world.started[1]].spec.cause).endswith("Z (attempt 2)")
    world.end()
    world.pass_time(days=1)
    world.end()
    assert len(world.started) == 2


def test_whoever_deletes_the_failed_run_gets_the_next_at_once() -> None:
    world = World(failurePolicy={"maxConsecutiveFailures": 1})
    world.pass_time(days=8)
    world.end("TrainerFailed")
    assert world.reason() == "CircuitOpen"
    world.runs.clear()
    world.settle()
    assert world.met == [("v1", 1, 1)]


def test_a_run_for_another_cause_that_succeeds_after_it_answers_it() -> None:
    world = World(AGED, DRIFT)
    world.pass_time(days=7, seconds=-60)
    world.reconcile(alerts(1, world.now))
    world.pass_time(minutes=5)
    world.end()
    assert world.met == []
    world.pass_time(days=6)
    world.end()
    assert len(world.started) == 1
    world.pass_time(days=1)
    world.end()
    assert world.met == [("v1", 2, 0)]


def test_one_that_fails_does_not() -> None:
    world = World(AGED, DRIFT, failurePolicy=NO_FAILURE_WAITS)
    world.pass_time(days=7, seconds=-60)
    world.reconcile(alerts(1, world.now))
    world.pass_time(minutes=5)
    world.end("TrainerFailed")
    assert world.met == [("v1", 1, 0)]


def test_suspended_it_waits() -> None:
    world = World(suspend=True)
    world.pass_time(days=20)
    plan = world.settle()
    assert (world.started, plan.requeue_after) == ([], None)
    world.edit(suspend=False)
    world.settle()
    assert world.met == [("v1", 2, 0)]


def test_under_replace_a_newer_cause_stops_its_run_and_counts_for_it() -> None:
    world = World(AGED, nightly("5 9 * * *"), concurrencyPolicy="Replace")
    world.pass_time(days=7)
    world.settle()
    world.pass_time(minutes=5)
    world.settle()
    first, second = world.started
    assert world.runs[second].spec.replaces == (first,)
    world.finish(first, "Replaced")
    world.end()
    assert len(world.started) == 2


def test_one_that_was_stopped_by_a_run_that_failed_is_made_again() -> None:
    triggers = (AGED, nightly("5 9 * * *"))
    world = World(*triggers, concurrencyPolicy="Replace", failurePolicy=NO_FAILURE_WAITS)
    world.pass_time(days=7)
    world.settle()
    world.pass_time(minutes=5)
    world.settle()
    first, second = world.started
    world.finish(first, "Replaced")
    world.settle()
    assert len(world.started) == 2
    world.finish(second, "TrainerFailed")
    world.settle()
    assert world.met == [("v1", 1, 0), ("v1", 1, 1)]


@pytest.mark.parametrize("policy", ["Forbid", "Queue", "Replace"])
def test_the_first_run_of_all_is_known_after_a_crash_with_the_alerts_that_it_answers(
    policy: str,
) -> None:
    world = World(AGED, DRIFT, concurrencyPolicy=policy)
    world.champion = version("v1", NOW - timedelta(days=8))
    with suppress(Crash):
        world.reconcile(told(2), writes=1)
    assert len(world.started) == 1
    world.reconcile(told(2))
    assert world.status.last_run is not None
    assert (world.status.last_run.name, world.status.last_run.alert_count) == (world.started[0], 2)
    world.end()
    assert (len(world.started), world.received, world.accounted) == (1, 2, 2)
    revision = world.status.triggers[0].last_revision
    assert revision is not None
    assert (revision.digest, revision.change) == ("1.0", 1)


def test_a_run_that_failed_before_a_restore_is_made_again_after_it() -> None:
    world = World(failurePolicy=NO_FAILURE_WAITS)
    world.pass_time(days=8)
    world.settle()
    world.finish_active("TrainerFailed")
    world.restore()
    world.settle()
    world.pass_time(minutes=20)
    world.settle()
    assert world.met == [("v1", 1, 0), ("v1", 1, 1)]


@pytest.mark.parametrize("runs_come_back", [True, False])
def test_a_restore_trains_nothing_again(runs_come_back: bool) -> None:
    world = World()
    world.pass_time(days=8)
    world.end()
    world.pass_time(days=1)
    before = list(world.started)
    world.restore(runs=None if runs_come_back else ())
    for _ in range(3):
        world.end()
        world.pass_time(minutes=20)
    assert world.started == before


def test_a_trigger_that_comes_back_finds_its_run() -> None:
    world = World()
    world.pass_time(days=8)
    world.settle()
    trigger = world.schedule.spec.triggers[0].wire()
    world.edit(triggers=[DRIFT])
    world.settle()
    world.edit(triggers=[trigger])
    world.end()
    assert len(world.started) == 1
    assert world.status.last_run is not None
    assert world.status.last_run.name == world.started[0]


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 60, 3600, 86400, 5 * 86400]),
            st.sampled_from([None, None, 0, 1, 2, 3]),
            st.sampled_from(["", "", "Succeeded", "TrainerFailed"]),
            st.booleans(),
            st.integers(0, 2),
        ),
        max_size=25,
    ),
    st.sampled_from(["Forbid", "Queue", "Replace"]),
)
def test_each_attempt_has_one_run_whenever_the_operator_dies(
    steps: list[tuple[int, int | None, str, bool, int]], policy: str
) -> None:
    """Whatever is promoted, and however runs end."""
    history = {"succeeded": 100, "failed": 100}
    world = World(
        AGED,
        DRIFT,
        concurrencyPolicy=policy,
        failurePolicy=NO_FAILURE_WAITS,
        history=history,
    )
    promoted = 1
    for seconds, writes, end, promotes, number in steps:
        world.pass_time(seconds=seconds)
        inbox = alerts(number, world.now)
        with suppress(Crash):
            world.reconcile(inbox, writes=writes)
        if end:
            world.finish_active(end)
        if promotes and end == "Succeeded":
            promoted += 1
            world.champion = version(f"v{promoted}", world.now)
    assert len(set(world.met)) == len(world.met)
    ended = {world.met[i]: i for i in range(len(world.met))}
    for name, occasion, attempt in world.met:
        assert attempt == 0 or (name, occasion, attempt - 1) in ended
    while world.settle() and world.active:
        world.finish_active()
    world.champion = version("last", world.now)
    world.pass_time(days=7)
    world.settle()
    assert world.met[-1] == ("last", 1, 0)
