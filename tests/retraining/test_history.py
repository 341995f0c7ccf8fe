"""Which finished runs the history limits let go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evenkeel.api.retrainschedule import FailurePolicy, History
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.meta.times import timestamp
from evenkeel.retraining.history import expired
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.retraining import TRAINING

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


def run(
    name: str, created: int, ended: int | None, reason: str, deleted: bool = False
) -> TrainingRun:
    status = {}
    if ended is not None:
        time = timestamp(NOW + timedelta(minutes=ended))
        ready = {
            "type": "Succeeded",
            "status": "True" if reason == "Succeeded" else "False",
            "reason": reason,
            "lastTransitionTime": time,
        }
        status = {"conditions": [ready], "completionTime": time}
    meta = {
        "name": name,
        "creationTimestamp": timestamp(NOW + timedelta(minutes=created)),
        "deletionTimestamp": timestamp(NOW) if deleted else None,
    }
    return TrainingRun.model_validate(
        {"metadata": meta, "spec": {"model": "m", "training": TRAINING}, "status": status}
    )


def gone(*runs: TrainingRun, succeeded: int = 1, failed: int = 1, streak: int = 1) -> list[str]:
    policy = FailurePolicy(max_consecutive_failures=streak)
    found = expired(runs, History(succeeded=succeeded, failed=failed), policy)
    return [r.metadata.name for r in found]


def test_the_oldest_beyond_each_limit_go() -> None:
    runs = [run(f"s{i}", i, i, "Succeeded") for i in range(4)]
    assert gone(*runs, run("f", 9, 9, "TimedOut"), succeeded=2) == ["s0", "s1"]


def test_the_newest_run_stays_even_if_an_older_one_ended_later() -> None:
    assert gone(run("older", 1, 10, "Succeeded"), run("newest", 2, 5, "Succeeded")) == []


def test_failures_since_the_last_success_stay_for_the_circuit() -> None:
    failures = [run(f"f{i}", i, i, "TrainerFailed") for i in range(5)]
    assert gone(*failures, streak=3) == ["f0", "f1"]
    success = run("s", 9, 9, "Succeeded")
    assert gone(*failures, success, streak=3) == ["f0", "f1", "f2", "f3"]


def test_replaced_runs_do_not_push_failures_out() -> None:
    failures = [run(f"f{i}", i, i, "TrainerFailed") for i in range(2)]
    replaced = [run(f"r{i}", 5 + i, 5 + i, "Replaced") for i in range(3)]
    assert gone(*failures, *replaced, streak=2) == ["r0", "r1"]


def test_a_run_that_is_already_leaving_is_not_deleted_again() -> None:
    assert gone(run("a", 1, 1, "Succeeded", deleted=True), run("b", 2, 2, "Succeeded")) == []


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 50),
            st.none() | st.integers(0, 99),
            st.sampled_from(["Succeeded", "TrainerFailed", "Replaced"]),
        ),
        max_size=20,
    ),
    st.integers(1, 4),
)
def test_active_runs_and_the_limits_are_respected(
    shapes: list[tuple[int, int | None, str]], limit: int
) -> None:
    runs = [run(f"r{i}", c, e, reason) for i, (c, e, reason) in enumerate(shapes)]
    removed = set(gone(*runs, succeeded=limit, failed=limit, streak=limit))
    left = [r for r in runs if r.metadata.name not in removed]
    assert all(r.metadata.name not in removed for r in runs if not r.status.conditions)
    good = [r for r in left if r.status.conditions and r.status.conditions[0].status == "True"]
    everything = [
        r for r in runs if r.status.conditions and r.status.conditions[0].status == "True"
    ]
    assert min(limit, len(everything)) <= len(good) <= limit + 1
