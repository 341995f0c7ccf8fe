"""A served metric's decay: one run for each version, and no window lost or counted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from evenkeel.api.cause import cause_text
from evenkeel.api.decay import DecayEvidence
from evenkeel.api.modelversion import ModelVersion
from evenkeel.controllers import decays, windows
from evenkeel.meta.conditions import find
from evenkeel.meta.times import parse, timestamp
from evenkeel.outside.poll import Failure, Poll, Sighting
from evenkeel.outside.prometheus import WindowCounts, WindowQuestion
from evenkeel.retraining.plan import ScheduleSnapshot
from evenkeel.retraining.triggers import Matched
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.retraining import NOW, Cluster, Crash, schedule

DECAY: dict[str, Any] = {
    "total": 'requests_total{deployment="{{deployment}}",revision="{{ revision }}"}',
    "good": 'requests_total{deployment="{{deployment}}",revision="{{revision}}",ok="1"}',
    "maxRatio": "0.05",
}
TRIGGER = {"name": "decay", "metricDecay": DECAY}
HOUR = timedelta(hours=1)
Counts = Callable[[int], WindowCounts]


def ratio(of: float, total: int = 1000) -> Counts:
    return lambda end: WindowCounts(end, round(of * total), total)


def version(name: str) -> ModelVersion:
    made = {"name": name, "namespace": "ml", "creationTimestamp": timestamp(NOW)}
    rollouts = [
        {"deployment": "elec", "revision": f"elec-{name}", "outcome": outcome, "time": time}
        for outcome, time in (("RolledBack", "2026-01-31T10:00:00Z"), ("Promoted", timestamp(NOW)))
    ]
    spec = {"model": "elec", "uri": "s3://models/elec", "format": {"name": "sklearn"}}
    return ModelVersion.model_validate(
        {"metadata": made, "spec": spec, "status": {"rollouts": rollouts}}
    )


class World(Cluster):
    """A cluster with a Prometheus: `counts` of a window by its end."""

    def __init__(self, counts: Counts, trigger: dict[str, Any] = TRIGGER, **spec: Any) -> None:
        super().__init__(schedule(trigger, **{"cooldownSeconds": 0, **spec}))
        self.counts, self.down = counts, False
        self.champion = version("v1")
        self.asked: list[Poll] = []

    def snapshot(self, inbox: Iterable[Matched] = ()) -> ScheduleSnapshot:
        found = super().snapshot(inbox)
        made, champion, now = self.schedule, self.champion, self.now
        evidence = decays.begun(made, champion, now)
        sightings = {n: self._sight(p) for n, p in self.polls().items()}
        shown = decays.folded(made, evidence, sightings)
        return ScheduleSnapshot(
            found.schedule,
            found.runs,
            found.alerts,
            now,
            sightings=sightings,
            champion=champion,
            decays=shown,
            decays_due=decays.due(made, evidence, shown, now),
        )

    def polls(self) -> dict[str, Poll]:
        evidence = decays.begun(self.schedule, self.champion, self.now)
        return decays.polls(self.schedule, evidence, self.champion, self.now)

    def _sight(self, poll: Poll) -> Sighting[object]:
        self.asked.append(poll)
        if self.down:
            return Sighting(failure=Failure("SourceUnavailable", "prometheus: down", self.now))
        assert isinstance(poll.question, WindowQuestion)
        return Sighting(self.counts(poll.question.end), self.now, self.now)

    def follow(self, hours: float) -> None:
        """Reconciles whenever that is asked for, for so long."""
        end = self.now + timedelta(hours=hours)
        while True:
            again = self.reconcile().requeue_after
            wait = timedelta(days=365) if again is None else timedelta(seconds=again)
            if self.now + wait > end:
                self.now = end
                return
            self.now += wait

    @property
    def evidence(self) -> DecayEvidence:
        found = self.status.triggers[0].decay
        assert found is not None
        return found


def test_a_window_is_asked_for_by_where_the_version_was_promoted_once_it_is_over() -> None:
    world = World(ratio(0.01))
    plan = world.reconcile()
    assert (world.asked, plan.requeue_after) == ([], 3600 + windows.LAG)
    world.pass_time(seconds=3600 + windows.LAG)
    world.reconcile()
    (poll, *_) = world.asked
    assert isinstance(poll.question, WindowQuestion)
    assert poll.question.total == 'requests_total{deployment="elec",revision="elec-v1"}'
    assert poll.question.good
    assert poll.interval == 60, (
        "a question that failed is asked again soon, however long windows are"
    )
    assert poll.question.end == int(parse("2026-01-31T10:00:00Z").timestamp())
    seen = world.evidence
    assert (seen.version, seen.until, seen.windows) == ("v1", "2026-01-31T10:00:00Z", 1)
    assert (seen.bad, seen.total) == (10, 1000)
    assert "10 of 1000 bad in 1 windows of 3600 s" in seen.message
    condition = find(world.status.conditions, "SourcesRead")
    assert condition is not None
    assert condition.status == "True"


def test_a_decay_fires_once_for_the_version_and_asks_no_more() -> None:
    world = World(ratio(0.01))
    world.follow(100)
    assert (world.started, world.evidence.windows) == ([], 99)
    world.counts = ratio(0.2)
    world.follow(48)
    (run,) = world.runs.values()
    cause = run.spec.cause
    assert (cause.type, cause.trigger) == ("MetricDecay", "decay")
    assert cause.time == world.evidence.decayed_time
    assert cause.champion is not None
    assert (cause.champion.name, cause.champion.occasion) == ("v1", 1)
    assert cause_text(cause).startswith("metric decay decay: v1, trained 2026-01-31T09:00:00Z: ")
    assert "e=" in cause.message
    assert ">= 100" in cause.message
    windows = world.evidence.windows
    world.finish_active()
    world.follow(48)
    assert (len(world.started), world.evidence.windows) == (1, windows)


def test_another_version_begins_anew() -> None:
    world = World(ratio(0.2))
    world.follow(48)
    world.finish_active()
    world.champion = version("v2")
    world.counts = ratio(0.01)
    world.follow(48)
    assert (world.evidence.version, world.evidence.decayed_time) == ("v2", None)
    world.counts = ratio(0.2)
    world.follow(48)
    assert [r.spec.cause.champion.name for r in world.runs.values() if r.spec.cause.champion] == [
        "v1",
        "v2",
    ]


def test_a_version_that_comes_back_begins_anew_but_for_a_decay_that_had_its_run() -> None:
    world = World(ratio(0.045))
    world.follow(20)
    world.champion = version("v2")
    world.follow(2)
    world.champion = version("v1")
    world.reconcile()
    assert (world.evidence.version, world.evidence.windows) == ("v1", 0)
    world.counts = ratio(0.2)
    world.follow(48)
    world.finish_active()
    world.champion = version("v2")
    world.counts = ratio(0.01)
    world.follow(2)
    world.champion = version("v1")
    world.counts = ratio(0.2)
    world.follow(48)
    assert world.evidence.decayed_time is not None, "it is shown once more"
    assert len(world.started) == 1


def test_a_failed_run_is_made_again() -> None:
    world = World(ratio(0.2))
    world.follow(48)
    world.finish_active("TrainerFailed")
    world.follow(1)
    attempts = [r.spec.cause.champion.attempt for r in world.runs.values() if r.spec.cause.champion]
    assert attempts == [0, 1]


@pytest.mark.parametrize(
    "counts",
    [
        lambda end: WindowCounts(end, void="total is nan and good is 0: no counters"),
        lambda end: WindowCounts(end, void="good has no series"),
        ratio(1.0, total=99),
        ratio(0.0, total=0),
    ],
)
def test_what_tells_nothing_is_no_evidence(counts: Counts) -> None:
    world = World(counts)
    world.follow(50)
    seen = world.evidence
    assert (world.started, seen.windows, seen.void, seen.wealth) == ([], 0, 49, "")
    assert "tells nothing" in seen.message


def test_a_prometheus_that_is_down_loses_nothing() -> None:
    world, oracle = World(ratio(0.04)), World(ratio(0.04))
    for each in (world, oracle):
        each.follow(10)
    world.down = True
    world.follow(30)
    assert world.status.triggers[0].failure == "SourceUnavailable: prometheus: down"
    condition = find(world.status.conditions, "SourcesRead")
    assert condition is not None
    assert condition.reason == "SourceUnavailable"
    world.down = False
    world.follow(0.5)
    oracle.follow(30.5)
    assert world.evidence == oracle.evidence


def test_windows_of_long_ago_are_void() -> None:
    world = World(ratio(0.2))
    world.reconcile()
    world.edit(suspend=True)
    world.follow(24 * 30)
    assert world.asked == []
    world.edit(suspend=False)
    world.counts = ratio(0.01)
    world.follow(1)
    assert world.started == []
    assert world.evidence.void == 23 * 24


def test_an_edit_begins_anew_and_a_restart_does_not() -> None:
    world = World(ratio(0.04))
    world.follow(10)
    before = world.evidence
    world.reconcile()
    assert world.evidence == before
    world.edit(triggers=[{"name": "decay", "metricDecay": {**DECAY, "maxRatio": "0.1"}}])
    world.reconcile()
    assert (world.evidence.windows, world.evidence.wealth) == (0, "")


def test_without_a_version_in_production_the_evidence_is_kept() -> None:
    world = World(ratio(0.04))
    world.follow(10)
    before = world.evidence
    champion, world.champion = world.champion, None
    world.follow(1)
    assert world.evidence == before
    world.champion = champion
    world.follow(1)
    assert world.evidence.windows > before.windows


def test_an_unknown_placeholder_stalls_visibly() -> None:
    total = "requests_total{pod=~'{{pods}}'}"
    world = World(ratio(0.2), {"name": "decay", "metricDecay": {**DECAY, "total": total}})
    world.follow(10)
    assert (world.asked, world.started, world.reason()) == ([], [], "InvalidTrigger")
    assert "no placeholder {{pods}}" in world.status.conditions[0].message


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([None, 0, 1, 2, 3]), st.sampled_from([600, 3600, 9000])),
        max_size=30,
    ),
    st.sampled_from([0.02, 0.2]),
)
def test_dying_anywhere_counts_each_window_once(
    steps: list[tuple[int | None, int]], of: float
) -> None:
    def counts(end: int) -> WindowCounts:
        return WindowCounts(end, int(1000 * of) + end % 7, 1000)

    world, oracle = World(counts), World(counts)
    world.reconcile()
    oracle.reconcile()
    for writes, seconds in steps:
        world.pass_time(seconds=seconds)
        with suppress(Crash):
            world.reconcile(writes=writes)
    hours = (world.now - NOW) / HOUR + 60
    world.follow(60)
    oracle.follow(hours)
    assert world.evidence == oracle.evidence
    assert len(world.started) == len(oracle.started) == (1 if of > 0.05 else 0)
