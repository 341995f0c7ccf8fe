"""A schedule that was restored keeps what bounds its costs: budget, cooldown, circuit, times."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from evenkeel.api.record import RECORD
from evenkeel.api.retrainschedule import RecentRun
from evenkeel.meta.times import parse, timestamp
from evenkeel.training.restored import created
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.retraining import DRIFT, NOW, Cluster, alerts, nightly, schedule, told

BUDGET = {"runs": 2, "perSeconds": 86400}


def after_runs(cluster: Cluster, *ends: str, gap: float = 61) -> Cluster:
    """One run after another, each by an alert."""
    for end in ends:
        cluster.reconcile(alerts(1, cluster.now))
        cluster.finish_active(end)
        cluster.settle()
        cluster.pass_time(seconds=gap)
    return cluster


@pytest.mark.parametrize("records", [True, False])
def test_cooldown_and_budget_go_on(records: bool) -> None:
    cluster = Cluster(schedule(cooldownSeconds=60, budget=BUDGET))
    after_runs(cluster, "Succeeded", "Succeeded")
    cluster.pass_time(minutes=11)  # Younger runs are known by their records alone.
    cluster.restore(records=records)
    assert not cluster.reconcile(alerts(3, cluster.now)).creates
    assert cluster.reason() == "BudgetExhausted"
    cluster.pass_time(days=1)
    assert cluster.reconcile(alerts(1, cluster.now)).creates


def test_the_budget_remembers_runs_that_are_gone() -> None:
    cluster = Cluster(schedule(cooldownSeconds=60, budget=BUDGET))
    after_runs(cluster, "Succeeded", "Succeeded")
    cluster.restore(runs=())
    cluster.pass_time(minutes=11)
    assert not cluster.reconcile(alerts(3, cluster.now)).creates
    assert cluster.reason() == "BudgetExhausted"


def test_an_open_circuit_stays_open() -> None:
    policy = {"maxConsecutiveFailures": 2, "backoffSeconds": 0, "maxBackoffSeconds": 0}
    cluster = Cluster(schedule(cooldownSeconds=0, failurePolicy=policy))
    after_runs(cluster, "TrainerFailed", "TrainerFailed")
    cluster.restore()
    assert not cluster.reconcile(alerts(1, cluster.now)).creates
    assert cluster.reason() == "CircuitOpen"


def test_it_waits_for_the_runs_that_count_its_failures() -> None:
    policy = {"maxConsecutiveFailures": 2, "backoffSeconds": 0, "maxBackoffSeconds": 0}
    cluster = Cluster(schedule(cooldownSeconds=0, failurePolicy=policy))
    after_runs(cluster, "TrainerFailed", "TrainerFailed")
    runs = dict(cluster.runs)
    cluster.restore(runs=())
    plan = cluster.reconcile(alerts(1, cluster.now))
    assert not plan.creates
    assert cluster.reason() == "Restoring"
    assert plan.requeue_after == pytest.approx(600)
    cluster.runs = runs
    cluster.reconcile()
    assert cluster.reason() == "CircuitOpen"
    cluster.runs = {}
    cluster.pass_time(minutes=10)
    assert cluster.reconcile(alerts(1, cluster.now)).creates, "they do not come back"


def test_cron_times_before_the_restore_are_not_made_up_for() -> None:
    cluster = Cluster(schedule(nightly(), cooldownSeconds=0))
    cluster.pass_time(hours=18, minutes=1)
    cluster.settle()
    cluster.finish_active()
    assert len(cluster.cron_times) == 1
    cluster.pass_time(days=9, minutes=20)
    cluster.restore()
    cluster.settle()
    assert len(cluster.cron_times) == 1
    cluster.pass_time(days=1)
    cluster.settle()
    assert len(cluster.cron_times) == 2


def test_alerts_that_a_run_has_answered_are_not_counted_again() -> None:
    cluster = Cluster(schedule(cooldownSeconds=60))
    cluster.reconcile(alerts(5, cluster.now))
    cluster.finish_active()
    cluster.settle()
    cluster.restore()
    cluster.settle()
    assert cluster.received == 5 == cluster.accounted


def test_repeats_of_alerts_that_a_run_has_answered_start_no_other() -> None:
    cluster = Cluster(schedule(cooldownSeconds=3600, concurrencyPolicy="Queue"))
    cluster.reconcile(told(5))
    cluster.finish_active()
    cluster.settle()
    cluster.pass_time(minutes=11)  # The run is as old as its record says, and back.
    cluster.restore()
    cluster.reconcile(told(5, arrived=cluster.now))
    assert cluster.status.pending is None
    cluster.pass_time(hours=1)
    cluster.settle()
    assert len(cluster.started) == 1
    assert cluster.received == 5 == cluster.accounted


@pytest.mark.parametrize("replaced", [False, True])
def test_alerts_that_waited_when_the_status_was_lost_wait_again(replaced: bool) -> None:
    """What no run has answered may not count as answered: the record is as of the last run."""
    cluster = Cluster(schedule(cooldownSeconds=3600, concurrencyPolicy="Queue"))
    cluster.reconcile(told(1))
    cluster.finish_active()
    cluster.pass_time(minutes=11)
    cluster.reconcile(told(2, first=1, arrived=cluster.now))
    if replaced:
        cluster.schedule.metadata.annotations.clear()
        cluster.reconcile()
    cluster.restore()
    cluster.reconcile(told(2, first=1, arrived=cluster.now))
    cluster.pass_time(hours=1)
    cluster.settle()
    assert len(cluster.started) == 2
    assert cluster.counted[cluster.started[-1]] == 2


def test_a_record_has_its_bounds() -> None:
    """The API server takes 256 KiB of annotations from an object."""
    cluster = Cluster(schedule(cooldownSeconds=0, budget={"runs": 1000, "perSeconds": 31536000}))
    meta = cluster.schedule.metadata.model_copy(update={"name": "x" * 63})
    cluster.schedule = cluster.schedule.model_copy(update={"metadata": meta})
    recent = tuple(
        RecentRun(name=f"{'x' * 52}-{n:010}", time=timestamp(cluster.now)) for n in range(999)
    )
    status = cluster.status.model_copy(update={"recent_runs": recent})
    cluster.schedule = cluster.schedule.model_copy(update={"status": status})
    for second in range(64):
        cluster.reconcile(told(400, first=400 * second, arrived=cluster.now))
        cluster.finish_active()
        cluster.pass_time(seconds=1)
    assert len(cluster.status.recent_runs) > 900
    assert sum(len(c.alerts) for c in cluster.status.counted) == 8 * 1024
    assert len(cluster.schedule.metadata.annotations[RECORD]) < 2**17


def test_alerts_do_not_write_the_record_again() -> None:
    cluster = Cluster(schedule(cooldownSeconds=60))
    cluster.reconcile(alerts(1, cluster.now))
    before = cluster.schedule.metadata.annotations[RECORD]
    cluster.pass_time(seconds=10)
    assert not cluster.reconcile(alerts(5, cluster.now)).annotations
    cluster.schedule.metadata.annotations.clear()
    assert set(cluster.reconcile().annotations) == {RECORD}, "kubectl replace drops it"
    assert before


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["alert", "restore", "restore without records", "fail", "succeed"]),
            st.integers(1, 4000),
        ),
        max_size=24,
    )
)
def test_no_restore_makes_runs_come_sooner(steps: list[tuple[str, int]]) -> None:
    cluster = Cluster(schedule(DRIFT, nightly("*/30 * * * *"), cooldownSeconds=600, budget=BUDGET))
    starts = []
    for what, seconds in steps:
        cluster.pass_time(seconds=seconds + (600 if what == "restore without records" else 0))
        if what.startswith("restore"):
            cluster.restore(records=what == "restore")
        elif what == "fail":
            cluster.finish_active("TrainerFailed")
        elif what == "succeed":
            cluster.finish_active()
        inbox = alerts(1, cluster.now) if what == "alert" else ()
        if cluster.reconcile(inbox).creates:
            starts.append(cluster.now)
    for before, after in itertools.pairwise(starts):
        assert after - before >= timedelta(seconds=600)
    for first, third in zip(starts, starts[2:], strict=False):
        assert third - first >= timedelta(days=1)
    for run in cluster.runs.values():
        assert created(run) <= max(starts, default=NOW)
        assert parse(run.metadata.creation_timestamp) >= created(run)
