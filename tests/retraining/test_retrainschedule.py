"""When a schedule starts a run, and that no alert is lost and no cause answered twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.retraining import (
    DRIFT,
    NOW,
    TRAINING,
    Cluster,
    Crash,
    alerts,
    nightly,
    schedule,
    told,
)

POLICIES = st.sampled_from(["Forbid", "Queue", "Replace"])


def test_ten_thousand_alerts_make_one_run_that_counts_them_all() -> None:
    cluster = Cluster(schedule())
    began = NOW - timedelta(minutes=5)
    plan = cluster.reconcile(alerts(10_000, began))
    (run,) = cluster.runs.values()
    assert run.spec.cause.alert_count == 10_000
    assert len(run.spec.cause.alerts) == 10
    assert run.spec.cause.message == (
        "alert ElecDrift (10000 alerts since 2026-01-31T08:55:00Z): inputs drifted"
    )
    assert (cluster.received, cluster.status.suppressed) == (10_000, 0)
    assert cluster.status.last_run is not None
    assert cluster.status.last_run.alert_count == 10_000
    assert cluster.status.active == (run.metadata.name,)
    assert [e.reason for e in plan.events] == ["RunCreated"]


def test_the_run_copies_the_schedule_and_is_found_by_its_labels() -> None:
    gate = {"name": "good", "metric": "accuracy", "min": "0.8"}
    cluster = Cluster(schedule(gates=[gate], approval="Manual"))
    (manifest,) = cluster.reconcile(alerts(1)).creates
    assert manifest["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "evenkeel",
        "evenkeel.dev/schedule": "elec",
        "evenkeel.dev/model": "elec",
    }
    assert manifest["metadata"]["ownerReferences"][0]["uid"] == "5c0e"
    (run,) = cluster.runs.values()
    assert run.spec.training == cluster.schedule.spec.training
    assert run.spec.gates == cluster.schedule.spec.gates
    assert (run.spec.approval, run.spec.schedule, run.spec.replaces) == ("Manual", "elec", ())


def test_forbid_counts_alerts_on_the_active_run() -> None:
    cluster = Cluster(schedule(cooldownSeconds=0))
    cluster.reconcile(alerts(3))
    cluster.pass_time(minutes=5)
    assert not cluster.reconcile(alerts(4, cluster.now)).creates
    assert cluster.status.last_run is not None
    assert cluster.status.last_run.alert_count == 7
    assert cluster.reason() == "Active"


def test_a_still_firing_alert_gets_its_run_after_the_cooldown() -> None:
    cluster = Cluster(schedule(cooldownSeconds=3600))
    cluster.reconcile(alerts(1))
    cluster.finish_active()
    cluster.pass_time(minutes=30)
    plan = cluster.reconcile(alerts(2))
    assert not plan.creates
    assert cluster.reason() == "CoolingDown"
    assert "next run not before 2026-01-31T10:00:00Z" in cluster.status.conditions[0].message
    assert cluster.status.suppressed == 2
    assert plan.requeue_after == 1800
    cluster.pass_time(minutes=30)
    assert cluster.reconcile(alerts(2)).creates


def test_queue_keeps_new_alerts_and_starts_one_run_when_it_may() -> None:
    cluster = Cluster(schedule(concurrencyPolicy="Queue", cooldownSeconds=3600))
    cluster.reconcile(alerts(1))
    cluster.pass_time(minutes=5)
    assert not cluster.reconcile(alerts(20, cluster.now)).creates
    assert not cluster.reconcile(alerts(22, cluster.now)).creates
    assert cluster.status.pending is not None
    assert cluster.status.pending.alert_count == 42
    assert len(cluster.status.pending.alerts) == 10
    cluster.finish_active()
    assert not cluster.settle().creates
    assert "42 alerts wait for the next run" in cluster.status.conditions[0].message
    cluster.pass_time(minutes=55)
    cluster.reconcile()
    second = cluster.runs[cluster.started[1]]
    assert second.spec.cause.alert_count == 42
    assert second.spec.cause.time == "2026-01-31T09:05:00Z"
    assert cluster.status.pending is None


def test_queue_counts_repeats_of_an_alert_on_the_run_that_answers_it() -> None:
    cluster = Cluster(schedule(concurrencyPolicy="Queue", cooldownSeconds=0))
    cluster.reconcile(alerts(1))
    cluster.pass_time(minutes=5)
    cluster.reconcile(alerts(1))
    assert cluster.status.pending is None
    assert cluster.status.last_run is not None
    assert cluster.status.last_run.alert_count == 2


def test_replace_stops_the_active_run_only_for_an_alert_that_began_after_it() -> None:
    cluster = Cluster(schedule(concurrencyPolicy="Replace", cooldownSeconds=0))
    cluster.reconcile(alerts(1))
    cluster.pass_time(minutes=5)
    assert not cluster.reconcile(alerts(1)).creates
    cluster.reconcile(alerts(2, cluster.now))
    assert cluster.runs[cluster.started[1]].spec.replaces == (cluster.started[0],)
    assert cluster.runs[cluster.started[1]].spec.cause.alert_count == 2


def test_suspend_counts_alerts_but_starts_nothing_even_later() -> None:
    cluster = Cluster(schedule(DRIFT, nightly("5 9 * * *"), suspend=True))
    cluster.reconcile(alerts(5))
    cluster.pass_time(minutes=10)
    plan = cluster.settle()
    assert (cluster.started, cluster.reason(), plan.requeue_after) == ([], "Suspended", None)
    assert (cluster.received, cluster.status.suppressed) == (5, 5)
    assert cluster.status.next_schedule_time is None


def test_an_exhausted_budget_holds_until_the_oldest_run_leaves_the_window() -> None:
    cluster = Cluster(
        schedule(cooldownSeconds=0, budget={"runs": 2, "perSeconds": 7200}, history={"failed": 1})
    )
    for _ in range(2):
        cluster.reconcile(alerts(1, cluster.now))
        cluster.finish_active()
        cluster.pass_time(minutes=30)
    cluster.runs.clear()
    plan = cluster.reconcile(alerts(1, cluster.now))
    assert (cluster.reason(), plan.requeue_after) == ("BudgetExhausted", 3600)
    cluster.pass_time(hours=1)
    assert cluster.reconcile(alerts(1, cluster.now)).creates


def test_failures_back_off_then_open_the_circuit_which_one_trial_closes() -> None:
    policy = {
        "backoffSeconds": 60,
        "maxBackoffSeconds": 100,
        "maxConsecutiveFailures": 3,
        "circuitResetSeconds": 86400,
    }
    history = {"succeeded": 1, "failed": 1}
    cluster = Cluster(schedule(cooldownSeconds=0, failurePolicy=policy, history=history))
    for wait in (60, 100, 86400):
        cluster.reconcile(alerts(1, cluster.now))
        cluster.finish_active("TrainerFailed")
        plan = cluster.reconcile(alerts(1, cluster.now))
        assert (plan.creates, plan.requeue_after) == ((), wait)
        assert cluster.settle().requeue_after == wait
        if wait == 86400:
            break
        assert cluster.reason() == "BackingOff"
        cluster.pass_time(seconds=wait)
    ready, stalled = cluster.status.conditions
    assert (ready.status, ready.reason) == ("False", "CircuitOpen")
    assert (stalled.type, stalled.status) == ("Stalled", "True")
    assert cluster.status.consecutive_failures == 3
    cluster.pass_time(days=1)
    assert cluster.reconcile(alerts(1, cluster.now)).creates
    cluster.pass_time(minutes=1)
    cluster.finish_active("TimedOut")
    assert cluster.settle().requeue_after == 86400
    assert cluster.reason() == "CircuitOpen"
    cluster.pass_time(days=1)
    cluster.reconcile(alerts(1, cluster.now))
    cluster.finish_active()
    cluster.settle()
    assert (cluster.reason(), cluster.status.consecutive_failures) == ("Scheduled", 0)


def test_the_circuit_is_announced_once() -> None:
    cluster = Cluster(schedule(failurePolicy={"maxConsecutiveFailures": 1}))
    cluster.reconcile(alerts(1))
    cluster.finish_active("TrainerFailed")
    assert [e.reason for e in cluster.reconcile().events] == ["CircuitOpen"]
    assert cluster.reconcile().events == ()


def test_deleting_the_failed_runs_closes_the_circuit() -> None:
    cluster = Cluster(schedule(cooldownSeconds=0, failurePolicy={"maxConsecutiveFailures": 1}))
    cluster.reconcile(alerts(1))
    cluster.finish_active("TrainerFailed")
    cluster.pass_time(minutes=2)
    cluster.settle()
    cluster.runs.clear()
    assert cluster.reconcile(alerts(1)).creates


def test_history_keeps_the_limits_the_active_and_the_newest() -> None:
    cluster = Cluster(schedule(cooldownSeconds=0, history={"succeeded": 2, "failed": 1}))
    for reason in ("Succeeded", "TrainerFailed", "TrainerFailed") + ("Succeeded",) * 3:
        cluster.pass_time(hours=2)
        cluster.reconcile(alerts(1, cluster.now))
        cluster.finish_active(reason)
    cluster.pass_time(hours=2)
    cluster.reconcile(alerts(1, cluster.now))
    cluster.settle()
    started = cluster.started
    assert list(cluster.runs) == [started[2], started[4], started[5], started[6]]


@pytest.mark.parametrize(
    ("trigger", "problem"),
    [
        (nightly("0 3 * * 5-1"), "cron expression '0 3 * * 5-1'"),
        (nightly("0 0 31 2 *"), "cron expression '0 0 31 2 *'"),
        (nightly(timeZone="Mars/Olympus"), "time zone 'Mars/Olympus' is unknown"),
        (
            {"name": "re", "alert": {"matchers": [{"name": "a", "operator": "=~", "value": "("}]}},
            "'(' is not an RE2 regular expression: missing )",
        ),
    ],
)
def test_a_faulty_trigger_stalls_visibly_and_leaves_the_others_working(
    trigger: dict[str, object], problem: str
) -> None:
    cluster = Cluster(schedule(trigger, DRIFT))
    assert cluster.reconcile(alerts(1)).creates
    ready = cluster.status.conditions[0]
    assert (ready.status, ready.reason) == ("False", "InvalidTrigger")
    assert f"trigger {trigger['name']}: {problem}" in ready.message
    assert cluster.status.conditions[1].type == "Stalled"


def test_an_unusable_template_starts_nothing_and_says_why() -> None:
    cluster = Cluster(schedule(training={**TRAINING, "parameters": {"1st": "x"}}))
    assert not cluster.reconcile(alerts(1)).creates
    assert cluster.reason() == "InvalidTemplate"
    assert "'1st' cannot be an environment variable" in cluster.status.conditions[0].message


def test_alerts_of_a_trigger_that_is_gone_start_nothing() -> None:
    cluster = Cluster(schedule())
    assert not cluster.reconcile(alerts(1, trigger="old")).creates


@pytest.mark.parametrize("more", [0, 2])
@pytest.mark.parametrize("policy", ["Forbid", "Queue", "Replace"])
def test_a_refused_status_after_the_creation_counts_no_alert_twice(policy: str, more: int) -> None:
    cluster = Cluster(schedule(DRIFT, concurrencyPolicy=policy, cooldownSeconds=0))
    storm = told(7)
    with pytest.raises(Crash):
        cluster.reconcile(storm, writes=1)
    (run,) = cluster.started
    cluster.reconcile([*storm, *told(more, first=7)])
    assert cluster.started == [run]
    assert cluster.received == cluster.accounted == 7 + more


def test_what_is_sent_again_counts_once_and_starts_nothing() -> None:
    cluster = Cluster(schedule(DRIFT, cooldownSeconds=0))
    cluster.reconcile(told(3))
    cluster.finish_active()
    for seconds in (1, 20, 20):
        cluster.pass_time(seconds=seconds)
        cluster.reconcile(told(3, arrived=cluster.now))
        assert len(cluster.started) == 1
    cluster.reconcile(told(4, arrived=cluster.now))
    assert len(cluster.started) == 2, "a fourth has joined the group"
    assert cluster.received == cluster.accounted == 4


def test_an_alert_that_still_fires_counts_again_only_where_it_starts_a_run() -> None:
    cluster = Cluster(schedule(DRIFT, cooldownSeconds=3600))
    cluster.reconcile(told(2))
    cluster.finish_active()
    for minutes, runs, received in ((10, 1, 2), (10, 1, 2), (50, 2, 4), (5, 2, 4)):
        cluster.pass_time(minutes=minutes)
        cluster.reconcile(told(2, arrived=cluster.now))
        assert (len(cluster.started), cluster.received) == (runs, received)
        assert cluster.received == cluster.accounted


@pytest.mark.parametrize("number", [10_000, 1_500])
def test_a_storm_of_any_size_that_is_sent_again_counts_once(number: int) -> None:
    cluster = Cluster(schedule(DRIFT))
    cluster.reconcile(told(number))
    cluster.pass_time(minutes=10)
    cluster.reconcile(told(number, arrived=cluster.now))
    assert cluster.received == cluster.accounted == number


@pytest.mark.parametrize("seconds", [0, 1, 60])
def test_the_memory_of_counted_alerts_is_bounded(seconds: int) -> None:
    cluster = Cluster(schedule(DRIFT))
    for n in range(150):
        cluster.reconcile(told(100, first=100 * n, arrived=cluster.now))
        cluster.pass_time(seconds=seconds)
    counted = cluster.status.counted
    assert sum(len(e.alerts) for e in counted) == 8 * 1024
    assert sum(len(e.deliveries) for e in counted) == 8 * 64
    assert len(counted) <= 64
    before = cluster.received
    cluster.reconcile(told(1000, first=14_000, arrived=cluster.now))
    assert cluster.received == before


@pytest.mark.parametrize("policy", ["Forbid", "Queue", "Replace"])
def test_alerts_of_a_run_that_is_refused_wait_for_it(policy: str) -> None:
    cluster = Cluster(schedule(DRIFT, nightly(), concurrencyPolicy=policy))
    for _ in range(3):
        cluster.refuse(told(7, arrived=cluster.now))
        cluster.pass_time(minutes=1)
    assert cluster.status.pending is not None
    assert cluster.status.pending.alert_count == cluster.received == cluster.accounted == 7
    cluster.reconcile()
    (run,) = cluster.runs.values()
    assert run.spec.cause.alert_count == 7
    assert cluster.received == cluster.accounted == 7


@pytest.mark.parametrize("policy", ["Forbid", "Queue", "Replace"])
@pytest.mark.parametrize("stale", [False, True])
def test_a_crash_after_the_creation_and_a_retried_webhook_give_the_same_run(
    policy: str, stale: bool
) -> None:
    cluster = Cluster(schedule(concurrencyPolicy=policy, cooldownSeconds=0))
    with pytest.raises(Crash):
        cluster.reconcile(alerts(100), writes=1)
    assert cluster.status.last_run is None
    cluster.pass_time(seconds=5)
    cluster.reconcile(alerts(100), stale=stale)
    cluster.settle()
    assert len(cluster.started) == 1
    assert cluster.received == cluster.accounted


def test_a_retry_within_the_second_of_the_run_s_creation_queues_no_second_run() -> None:
    cluster = Cluster(schedule(concurrencyPolicy="Queue"), now=NOW + timedelta(seconds=0.9))
    storm = alerts(3, NOW + timedelta(seconds=0.5))
    with pytest.raises(Crash):
        cluster.reconcile(storm, writes=1)
    cluster.reconcile(storm)
    assert cluster.status.pending is None
    assert cluster.received == cluster.accounted == 6


def test_a_schedule_that_is_being_deleted_starts_nothing() -> None:
    cluster = Cluster(schedule())
    meta = cluster.schedule.metadata.model_copy(
        update={"deletion_timestamp": "2026-01-31T09:00:00Z"}
    )
    cluster.schedule = cluster.schedule.model_copy(update={"metadata": meta})
    assert not cluster.reconcile(alerts(1)).creates


def test_a_run_that_no_status_records_is_entered_without_its_webhook() -> None:
    cluster = Cluster(schedule())
    with pytest.raises(Crash):
        cluster.reconcile(alerts(100), writes=1)
    cluster.settle()
    assert cluster.received == 100
    assert cluster.status.last_run is not None
    assert cluster.status.last_run.name == cluster.started[0]


def test_a_recorded_run_that_is_not_seen_yet_counts_as_active_for_a_minute() -> None:
    cluster = Cluster(schedule(cooldownSeconds=0))
    cluster.reconcile(alerts(1))
    cluster.pass_time(seconds=20)
    plan = cluster.reconcile(alerts(1, cluster.now), stale=True)
    assert (plan.creates, plan.requeue_after) == ((), 40)
    cluster.pass_time(seconds=40)
    cluster.runs.clear()
    assert cluster.reconcile(alerts(1, cluster.now)).creates


def test_of_two_leaders_the_second_arrives_at_the_same_run() -> None:
    cluster = Cluster(schedule(), now=NOW)
    other = Cluster(schedule(), now=NOW + timedelta(seconds=3))
    first = cluster.reconcile(alerts(3))
    second = other.reconcile(alerts(8))
    assert first.creates[0]["metadata"]["name"] == second.creates[0]["metadata"]["name"]


def test_runs_of_schedules_with_one_name_differ() -> None:
    old, new = Cluster(schedule()), Cluster(schedule())
    meta = new.schedule.metadata.model_copy(update={"uid": "another"})
    new.schedule = new.schedule.model_copy(update={"metadata": meta})
    old.reconcile(alerts(1))
    new.reconcile(alerts(1))
    assert old.started != new.started


def test_cron_starts_at_its_time_and_wakes_for_it() -> None:
    cluster = Cluster(schedule(nightly("5 9 * * *")))
    plan = cluster.settle()
    assert plan.requeue_after == 300
    assert cluster.status.next_schedule_time == "2026-01-31T09:05:00Z"
    cluster.pass_time(seconds=300)
    cluster.reconcile()
    (run,) = cluster.runs.values()
    assert (run.spec.cause.type, run.spec.cause.time) == ("Cron", "2026-01-31T09:05:00Z")
    cluster.settle()
    assert len(cluster.started) == 1


def test_a_cron_run_that_no_status_records_is_entered_even_after_its_deadline() -> None:
    cluster = Cluster(schedule(DRIFT, nightly("5 9 * * *", startingDeadlineSeconds=600)))
    cluster.settle()
    cluster.pass_time(minutes=5)
    with pytest.raises(Crash):
        cluster.reconcile(alerts(3, cluster.now), writes=1)
    cluster.pass_time(hours=2)
    plan = cluster.reconcile()
    assert (plan.creates, plan.events) == ((), ())
    assert cluster.status.last_run is not None
    assert cluster.status.last_run.name == cluster.started[0]
    assert cluster.received == cluster.accounted == 3


def test_only_the_newest_missed_time_runs_within_the_deadline() -> None:
    trigger = nightly("*/10 * * * *", startingDeadlineSeconds=300)
    cluster = Cluster(schedule(trigger, cooldownSeconds=0))
    cluster.settle()
    cluster.finish_active()
    cluster.pass_time(hours=5, minutes=4)
    cluster.settle()
    assert cluster.cron_times == [NOW, NOW + timedelta(hours=5)]


def test_a_time_past_its_deadline_is_reported_once_and_not_made_up_for() -> None:
    cluster = Cluster(schedule(nightly("0 10 * * *", startingDeadlineSeconds=300)))
    cluster.settle()
    cluster.pass_time(hours=2)
    plan = cluster.reconcile()
    assert [e.reason for e in plan.events] == ["MissedSchedule"]
    assert cluster.settle().events == ()
    assert cluster.started == []


def test_a_cron_time_during_an_active_run_waits_within_its_deadline() -> None:
    cluster = Cluster(schedule(DRIFT, nightly("5 9 * * *"), cooldownSeconds=0))
    cluster.reconcile(alerts(1))
    cluster.pass_time(minutes=10)
    assert not cluster.settle().creates
    cluster.finish_active()
    cluster.reconcile()
    assert [r.spec.cause.type for r in cluster.runs.values()] == ["Alert", "Cron"]


def test_a_new_schedule_or_trigger_does_not_make_up_for_times_before_it() -> None:
    cluster = Cluster(schedule(nightly("30 8 * * *")))
    cluster.settle()
    cluster.edit(triggers=[nightly("30 8 * * *"), {**nightly("45 8 * * *"), "name": "second"}])
    cluster.settle()
    assert cluster.started == []


def test_a_first_reconcile_after_downtime_still_runs_the_time_since_creation() -> None:
    cluster = Cluster(schedule(nightly("5 9 * * *")))
    cluster.pass_time(minutes=20)
    cluster.reconcile()
    assert len(cluster.started) == 1


def test_cron_and_alerts_at_once_share_a_run() -> None:
    cluster = Cluster(schedule(DRIFT, nightly("5 9 * * *")))
    cluster.settle()
    cluster.pass_time(minutes=5)
    cluster.reconcile(alerts(12, cluster.now))
    (run,) = cluster.runs.values()
    assert (run.spec.cause.type, run.spec.cause.alert_count) == ("Cron", 12)


STEP = st.one_of(
    st.tuples(st.just("alerts"), st.integers(1, 30), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.integers(1, 4000), st.just(0)),
    st.tuples(st.just("finish"), st.sampled_from(["Succeeded", "TrainerFailed"]), st.just(0)),
    st.tuples(st.just("suspend"), st.booleans(), st.just(0)),
)


@settings(deadline=None)
@given(policy=POLICIES, cooldown=st.sampled_from([0, 60, 3600]), steps=st.lists(STEP, max_size=25))
def test_no_alert_is_lost_whatever_happens(
    policy: str, cooldown: int, steps: list[tuple[str, object, int]]
) -> None:
    """`alerts` with n in 0..2 crashes after n writes, and Alertmanager then repeats them."""
    cluster = Cluster(
        schedule(
            DRIFT,
            nightly("*/20 * * * *"),
            concurrencyPolicy=policy,
            cooldownSeconds=cooldown,
            budget={"runs": 5, "perSeconds": 7200},
        )
    )
    sent = 0
    for kind, value, crash in steps:
        if kind == "alerts":
            assert isinstance(value, int)
            inbox = alerts(value, cluster.now)
            runs = len(cluster.started)
            try:
                cluster.reconcile(inbox, writes=crash if crash < 3 else None)
            except Crash:
                cluster.reconcile(inbox)
                # The retry neither starts nor queues another run for the same alerts.
                assert len(cluster.started) <= runs + 1
                assert len(cluster.started) == runs or cluster.status.pending is None
            sent += value
        elif kind == "wait":
            cluster.pass_time(seconds=float(str(value)))
            cluster.reconcile()
        elif kind == "suspend":
            cluster.edit(suspend=value)
            cluster.reconcile()
        else:
            cluster.finish_active(str(value))
            cluster.reconcile()
        assert cluster.received == cluster.accounted >= sent
        assert policy == "Replace" or len(cluster.active) <= 1


@settings(deadline=None)
@given(
    policy=POLICIES,
    before=st.integers(0, 3),
    crash=st.integers(0, 2),
    stale=st.booleans(),
)
def test_replay_after_a_crash_between_any_two_writes_gives_one_run_for_one_cause(
    policy: str, before: int, crash: int, stale: bool
) -> None:
    cluster = Cluster(schedule(concurrencyPolicy=policy, cooldownSeconds=0))
    for _ in range(before):
        cluster.reconcile(alerts(1, cluster.now))
        cluster.pass_time(minutes=10)
        cluster.finish_active()
        cluster.reconcile()
    storm = alerts(50, cluster.now)
    try:
        cluster.reconcile(storm, writes=crash)
    except Crash:
        cluster.pass_time(seconds=10)
        cluster.reconcile(storm, stale=stale)
    cluster.settle()
    cluster.finish_active()
    cluster.settle()
    assert len(cluster.started) == before + 1
    assert cluster.received == cluster.accounted


@settings(deadline=None)
@given(
    zone=st.sampled_from(["Etc/UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    expression=st.sampled_from(["30 2 * * *", "0 * * * *", "*/30 1-3 * * *", "15 1,2 * * 0"]),
    start=st.sampled_from([(2026, 3, 7), (2026, 3, 28), (2026, 4, 4), (2026, 10, 24)]),
    naps=st.lists(
        st.tuples(st.integers(60, 20_000), st.sampled_from([None, 0, 1])), min_size=1, max_size=30
    ),
)
def test_cron_times_never_run_twice_and_none_is_lost_within_its_deadline(
    zone: str, expression: str, start: tuple[int, int, int], naps: list[tuple[int, int | None]]
) -> None:
    begin = datetime(*start, 12, tzinfo=UTC)
    trigger = nightly(expression, timeZone=zone, startingDeadlineSeconds=600)
    cluster = Cluster(schedule(trigger, cooldownSeconds=0), now=begin)
    meta = cluster.schedule.metadata.model_copy(
        update={"creation_timestamp": begin.strftime("%Y-%m-%dT%H:%M:%SZ")}
    )
    cluster.schedule = cluster.schedule.model_copy(update={"metadata": meta})
    end = begin + timedelta(seconds=sum(n for n, _ in naps))
    looks: list[datetime] = []
    while cluster.now <= end and len(looks) < 400:
        plan = cluster.reconcile()
        looks.append(cluster.now)
        cluster.finish_active()
        plan = cluster.settle()
        assert plan.requeue_after is not None
        if naps and len(looks) % 5 == 0:
            nap, crash = naps.pop()
            cluster.pass_time(seconds=nap)
            try:
                cluster.reconcile(writes=crash)
            except Crash:
                cluster.reconcile()
            cluster.finish_active()
            looks.append(cluster.now)
        else:
            cluster.pass_time(seconds=plan.requeue_after)
    assert len(set(cluster.started)) == len(cluster.started)
    ran = cluster.cron_times
    assert len(set(ran)) == len(ran)
    expected = set()
    for before, look in zip([begin, *looks], looks, strict=False):
        newest = occurrence(expression, zone, before, look)
        if newest is not None and look - newest <= timedelta(seconds=600):
            expected.add(newest)
    assert expected <= set(ran)


def occurrence(expression: str, zone: str, after: datetime, until: datetime) -> datetime | None:
    """The newest cron time in (after, until]."""
    newest = None
    for time in CronSim(expression, (after - timedelta(days=2)).astimezone(ZoneInfo(zone))):
        moment = time.astimezone(UTC)
        if moment > until:
            return newest
        if moment > after:
            newest = moment
    return newest
