"""CloudEvents as causes: each is answered by one run, also if something holds it back."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from evenkeel.api.cause import cause_text
from evenkeel.api.cloudevent import CloudEvent
from evenkeel.meta.times import timestamp
from evenkeel.retraining.counted import digest
from evenkeel.retraining.triggers import Matched, first_matches
from evenkeel.retraining.triggers.cloud_event import CLOUD_EVENT
from evenkeel.retraining.triggers.labelled import Labelled
from evenkeel.training.environment import environment
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.retraining import DRIFT, Cluster, Crash, alerts, nightly, schedule, told

UPLOADED = {"name": "uploaded", "cloudEvent": {"type": "com.example.uploaded"}}
POLICIES = ["Forbid", "Queue", "Replace"]


def event(number: int, **more: Any) -> CloudEvent:
    return CloudEvent(
        source="/buckets/ml", id=f"e{number}", type="com.example.uploaded", subject="train", **more
    )


class World(Cluster):
    """A cluster with the trigger `uploaded`; its sender sends again what it likes."""

    def __init__(self, *triggers: dict[str, Any], **spec: Any) -> None:
        history = {"succeeded": 100, "failed": 100}
        defaults = {"cooldownSeconds": 0, "history": history}
        super().__init__(schedule(*(triggers or (UPLOADED,)), **{**defaults, **spec}))

    def of(self, *numbers: int, **more: Any) -> list[Matched]:
        """A delivery of these events, now."""
        identities = [digest(("/buckets/ml", f"e{n}")) for n in numbers]
        whole = digest(sorted(identities))
        return [
            Matched("uploaded", event(n, **more), identity, whole, self.now)
            for n, identity in zip(numbers, identities, strict=True)
        ]

    @property
    def answered(self) -> list[list[str]]:
        """The ids in the causes of all runs, in order."""
        return [[e.id for e in self.runs[name].spec.cause.events] for name in self.started]


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_no_time_of_an_event_stops_the_schedule(time: str) -> None:
    world = World()
    world.reconcile(world.of(1, time=time))
    assert world.answered == [["e1"]]
    assert world.runs[world.started[0]].spec.cause.time == timestamp(world.now)


def test_an_event_makes_a_run_that_keeps_it() -> None:
    world = World()
    time = "2026-01-31T08:59:30Z"
    world.reconcile(world.of(1, time=time, data='{"rows":12}'))
    (run,) = world.runs.values()
    cause = run.spec.cause
    assert (cause.type, cause.trigger, cause.time, cause.alert_count) == (
        "CloudEvent",
        "uploaded",
        time,
        1,
    )
    assert cause.events == (event(1, time=time, data='{"rows":12}'),)
    assert cause_text(cause) == cause.message
    assert cause.message == (
        "event com.example.uploaded of /buckets/ml train (1 event since 2026-01-31T08:59:30Z)"
    )
    given = {e["name"]: e["value"] for e in environment(run, None, [])}
    assert '"data":"{\\"rows\\":12}"' in given["EVENKEEL_CAUSE"]
    assert world.received == world.accounted == 1
    assert "1 event counted" in world.status.conditions[0].message


def test_large_events_leave_the_environment_small() -> None:
    world = World()
    world.reconcile(world.of(*range(10), data="ü" * 2048))
    (run,) = world.runs.values()
    given = {e["name"]: e["value"] for e in environment(run, None, [])}
    assert len(given["EVENKEEL_CAUSE"].encode()) <= 16384
    assert '"id":"e0"' in given["EVENKEEL_CAUSE"]


@pytest.mark.parametrize("policy", ["Forbid", "Queue"])
def test_events_that_come_during_a_run_share_the_next(policy: str) -> None:
    world = World(concurrencyPolicy=policy)
    world.reconcile(world.of(1))
    for number in (2, 3):
        world.pass_time(minutes=1)
        # What happened before the run began may well have come too late for it.
        world.reconcile(world.of(number, time="2026-01-31T08:00:00Z"))
    assert len(world.started) == 1
    assert "2 events wait for the next run" in world.status.conditions[0].message
    world.finish_active()
    world.settle()
    assert world.answered == [["e1"], ["e2", "e3"]]
    assert world.received == world.accounted == 3


@pytest.mark.parametrize("policy", POLICIES)
def test_events_wait_for_whatever_holds_back(policy: str) -> None:
    world = World(cooldownSeconds=3600, concurrencyPolicy=policy)
    world.reconcile(world.of(1))
    world.finish_active()
    world.pass_time(minutes=1)
    world.reconcile(world.of(2))
    assert world.answered == [["e1"]]
    world.pass_time(hours=1)
    world.settle()
    assert world.answered == [["e1"], ["e2"]]
    assert world.received == world.accounted == 2


def test_under_replace_the_newer_run_takes_over_the_events_of_the_one_it_stops() -> None:
    world = World(UPLOADED, nightly("10 9 * * *"), concurrencyPolicy="Replace")
    world.reconcile(world.of(1))
    world.pass_time(minutes=1)
    world.reconcile(world.of(2))
    first, second = world.started
    assert world.runs[second].spec.replaces == (first,)
    world.finish(first, "Replaced")
    world.pass_time(minutes=10)
    world.settle()
    assert world.answered == [["e1"], ["e1", "e2"], ["e1", "e2"]]
    assert [r.spec.cause.alert_count for r in world.runs.values()] == [1, 1, 0]
    assert world.received == world.accounted == 2


def test_what_is_sent_again_counts_once_however_late() -> None:
    world = World()
    for wait in (timedelta(0), timedelta(seconds=50), timedelta(hours=5), timedelta(days=3)):
        world.now += wait
        world.reconcile(world.of(1))
        world.settle()
        world.finish_active()
    world.reconcile(world.of(1, 2))
    assert world.answered == [["e1"], ["e2"]]
    assert world.received == world.accounted == 2


def test_a_storm_of_alerts_lets_no_event_be_forgotten() -> None:
    world = World(UPLOADED, DRIFT)
    world.reconcile(world.of(1))
    world.reconcile(told(5000, arrived=world.now))
    world.finish_active()
    world.pass_time(minutes=5)
    world.reconcile(world.of(1))
    assert world.answered == [["e1"]]
    assert all(len(c.alerts) <= 8192 and len(c.events) <= 8192 for c in world.status.counted)


def test_the_newest_thousand_events_are_remembered() -> None:
    world = World()
    world.reconcile(world.of(*range(1100)))
    world.finish_active()
    world.pass_time(minutes=5)
    world.reconcile(world.of(1099, 500))
    assert len(world.started) == 1
    assert sum(len(c.events) for c in world.status.counted) == 8 * 1024


def test_events_that_wait_outlive_their_trigger() -> None:
    world = World()
    world.reconcile(world.of(1))
    world.reconcile(world.of(2))
    world.edit(triggers=[DRIFT])
    world.finish_active()
    world.settle()
    assert world.answered == [["e1"], ["e2"]]
    assert world.runs[world.started[1]].spec.cause.type == "CloudEvent"


def test_suspended_events_are_dropped_and_counted() -> None:
    world = World(suspend=True)
    world.reconcile(world.of(1))
    world.edit(suspend=False)
    world.settle()
    world.reconcile(world.of(1))
    assert world.started == []
    assert (world.received, world.status.suppressed) == (1, 1)


def test_alerts_and_events_share_a_run() -> None:
    world = World(UPLOADED, DRIFT)
    world.reconcile([*alerts(2, world.now), *world.of(1)])
    (run,) = world.runs.values()
    assert (run.spec.cause.type, run.spec.cause.alert_count) == ("Alert", 3)
    assert run.spec.cause.message.startswith("alert ElecDrift (3 alerts and events since")
    assert len(run.spec.cause.alerts) == 2
    assert world.answered == [["e1"]]


def test_a_restore_answers_nothing_again() -> None:
    world = World()
    world.reconcile(world.of(1))
    world.finish_active()
    world.settle()
    world.pass_time(days=1)
    world.restore()
    world.reconcile(world.of(1))
    world.settle()
    assert len(world.started) == 1


@pytest.mark.parametrize(
    ("given", "fires"),
    [
        ({"type": "a"}, True),
        ({"type": "b"}, False),
        ({"type": "a", "source": "/s"}, True),
        ({"type": "a", "source": "/t"}, False),
        ({"type": "a", "subject": "x/1.csv"}, True),
        ({"type": "a", "subject": "x"}, False),
        ({"type": "a", "matchers": [{"name": "tier", "value": "gold"}]}, True),
        ({"type": "a", "matchers": [{"name": "tier", "operator": "!=", "value": "gold"}]}, False),
        (
            {"type": "a", "matchers": [{"name": "subject", "operator": "=~", "value": "x/.*csv"}]},
            True,
        ),
        ({"type": "a", "matchers": [{"name": "other", "operator": "=~", "value": "["}]}, False),
    ],
)
def test_what_a_trigger_matches(given: dict[str, Any], fires: bool) -> None:
    told = Labelled([{"type": "a", "source": "/s", "subject": "x/1.csv", "tier": "gold"}])
    specs = CLOUD_EVENT.specs(schedule({"name": "t", "cloudEvent": given}).spec.triggers)
    assert CLOUD_EVENT.receiver is not None
    assert bool(first_matches(CLOUD_EVENT.receiver, specs, told, told.all)) == fires


def test_an_invalid_expression_stalls_visibly() -> None:
    matchers = [{"name": "subject", "operator": "=~", "value": "["}]
    world = World({"name": "uploaded", "cloudEvent": {"type": "a", "matchers": matchers}})
    world.settle()
    assert world.reason() == "InvalidTrigger"


def test_two_runs_of_a_second_that_nobody_has_noted_are_entered_in_their_order() -> None:
    world = World(concurrencyPolicy="Replace")
    for numbers in ((1,), (1, 2)):
        with pytest.raises(Crash):
            world.reconcile(world.of(*numbers), writes=1)
    world.reconcile(world.of(1, 2, 3))
    assert world.status.last_run is not None
    assert world.status.last_run.name == world.started[-1]
    assert (world.received, len(world.started)) == (3, 3)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 9), max_size=3, unique=True),
            st.sampled_from([None, None, 0, 1, 2, 3]),
            st.booleans(),
            st.sampled_from([0, 30, 4000]),
        ),
        max_size=25,
    ),
    st.sampled_from([0, 3600]),
    st.sampled_from(POLICIES),
)
def test_each_event_is_answered_once_whenever_the_operator_dies(
    steps: list[tuple[list[int], int | None, bool, int]], cooldown: int, policy: str
) -> None:
    """The sender sends until it is told that the cause was written, and now and then again."""
    world = World(UPLOADED, DRIFT, cooldownSeconds=cooldown, concurrencyPolicy=policy)
    unanswered: set[int] = set()
    sent: set[int] = set()
    for numbers, writes, ends, seconds in steps:
        unanswered |= set(numbers)
        sent |= set(numbers)
        inbox = world.of(*sorted(unanswered))
        with suppress(Crash):
            world.reconcile(inbox, writes=writes)
            unanswered.clear()
        if ends:
            world.finish_active()
        world.pass_time(seconds=seconds)
    world.reconcile(world.of(*sorted(unanswered)))
    for _ in range(4):
        world.finish_active()
        world.pass_time(seconds=4000)
        world.settle()
    assert world.received == len(sent)
    assert sum(run.spec.cause.alert_count for run in world.runs.values()) == len(sent)
    told = [id_ for ids in world.answered for id_ in ids]
    assert set(told) == {f"e{n}" for n in sent}
    assert policy == "Replace" or len(told) == len(sent)
