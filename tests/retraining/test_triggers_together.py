"""Triggers of all kinds at once: each event, revision and occasion has its one run."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

from evenkeel.outside.poll import Sighting
from evenkeel.retraining.counted import digest
from evenkeel.retraining.triggers import Matched
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.retraining.test_cloud_events import UPLOADED, event
from tests.retraining.test_sources import DATA, found
from tests.retraining.test_version_age import AGED, NO_FAILURE_WAITS, version
from tests.support.retraining import DRIFT, NOW, Cluster, Crash, nightly, schedule, told

OTHER = {"name": "other", "gitData": {**DATA["gitData"], "branch": "next"}}  # type: ignore[dict-item]


class World(Cluster):
    """A cluster with every kind; events are sent again until they are taken."""

    def __init__(self, policy: str) -> None:
        defaults: dict[str, Any] = {
            "cooldownSeconds": 0,
            "concurrencyPolicy": policy,
            "failurePolicy": NO_FAILURE_WAITS,
            "history": {"succeeded": 100, "failed": 100},
        }
        triggers = (DRIFT, nightly("*/7 * * * *"), DATA, OTHER, UPLOADED, AGED)
        super().__init__(schedule(*triggers, **defaults))
        self.champion = version("v1", NOW - timedelta(days=6, hours=23))
        self.sent: list[int] = []
        self.unanswered: list[int] = []
        self.revisions = {"data": 0, "other": 0}

    def happen(self, what: str) -> None:
        if what == "event":
            self.sent.append(len(self.sent))
            self.unanswered.append(self.sent[-1])
        elif what in self.revisions:
            self.revisions[what] += 1
            self.look(what)
        elif what == "promotion":
            self.champion = version(f"v{self.now.timestamp():.0f}", self.now - timedelta(days=7))

    def look(self, trigger: str) -> None:
        number = self.revisions[trigger]
        answer = found(f"{trigger}{number}", f"{trigger}{number}")
        self.sightings[trigger] = Sighting(answer, self.now, self.now)

    def inbox(self) -> list[Matched]:
        ids = [digest(("/buckets/ml", f"e{n}")) for n in self.unanswered]
        whole = digest(sorted(ids))
        return [
            Matched("uploaded", event(n), one, whole, self.now)
            for n, one in zip(self.unanswered, ids, strict=True)
        ]

    def step(self, number: int, alerts: int, writes: int | None) -> None:
        fired = told(alerts, first=number * 10, arrived=self.now)
        with suppress(Crash):
            self.reconcile([*self.inbox(), *fired], writes=writes)
            self.unanswered.clear()

    def reason_of(self, name: str) -> str:
        conditions = self.runs[name].status.conditions
        return conditions[0].reason if conditions else ""

    def count_runs_that_gave_way_at_once(self) -> None:
        """Runs that were known after a crash only, and that no status called the last."""
        for name in self.started:
            self.counted.setdefault(name, self.runs[name].spec.cause.alert_count)

    def replace(self) -> None:
        """Runs stop those that they replace."""
        for run in list(self.runs.values()):
            for name in run.spec.replaces:
                if name in self.active:
                    self.finish(name, "Replaced")


STEP = st.tuples(
    st.sampled_from([0, 1, 60, 600, 3600, 86400]),
    st.sampled_from(["event", "event", "data", "other", "promotion", ""]),
    st.sampled_from([0, 0, 0, 2]),
    st.sampled_from([None, None, 0, 1, 2]),
    st.sampled_from(["", "", "Succeeded", "TrainerFailed"]),
)


def test_two_runs_in_a_row_whose_statuses_were_never_written_are_both_known() -> None:
    world = World("Forbid")
    world.pass_time(minutes=7)
    for number in range(3):
        # The first is of a cron time, so that the next is named after it.
        world.happen("event")
        world.step(number, 0, 1)
        world.finish_active("TrainerFailed")
        world.pass_time(seconds=1)
    world.step(3, 0, None)
    events = [e.id for name in world.started for e in world.runs[name].spec.cause.events]
    assert events == ["e0", "e1", "e2"]


@settings(max_examples=60)
@given(st.lists(STEP, max_size=25), st.sampled_from(["Forbid", "Queue", "Replace"]))
def test_nothing_is_lost_or_trained_twice(
    steps: list[tuple[int, str, int, int | None, str]], policy: str
) -> None:
    world = World(policy)
    world.look("data")
    world.look("other")
    world.settle()
    for number, (seconds, what, alerts, writes, end) in enumerate(steps):
        world.pass_time(seconds=seconds)
        world.happen(what)
        world.step(number, alerts, writes)
        world.replace()
        if end:
            world.finish_active(end)
    world.step(len(steps), 0, None)
    for _ in range(8):
        world.settle()
        world.replace()
        world.finish_active()
    kept = [name for name in world.started if world.reason_of(name) != "Replaced"]
    events = Counter(e.id for name in kept for e in world.runs[name].spec.cause.events)
    assert events == {f"e{n}": 1 for n in world.sent}
    causes = [world.runs[name].spec.cause for name in world.started]
    data = [(c.trigger, c.data.rev) for c in causes if c.data]
    assert len(set(data)) == len(data)
    for trigger, number in world.revisions.items():
        assert number == 0 or (trigger, f"{trigger}{number}") in data
    met = [(c.champion.name, c.champion.occasion, c.champion.attempt) for c in causes if c.champion]
    assert len(set(met)) == len(met)
    world.count_runs_that_gave_way_at_once()
    assert world.received == world.accounted
