"""Back-off, circuit, cooldown and budget: when the next run may start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from evenkeel.api.retrainschedule import Budget, FailurePolicy
from evenkeel.retraining.admission.budget import budget_end, within_window
from evenkeel.retraining.admission.concurrency import waits
from evenkeel.retraining.admission.cooldown import cooldown_end
from evenkeel.retraining.admission.failure_backoff import Failures, circuit_open, retry_at, streak
from evenkeel.retraining.decision import answered_by
from evenkeel.training.run_state import Outcome
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
POLICY = FailurePolicy(
    backoff_seconds=60,
    max_backoff_seconds=300,
    max_consecutive_failures=5,
    circuit_reset_seconds=7200,
)


@pytest.mark.parametrize(
    ("number", "seconds"), [(1, 60), (2, 120), (3, 240), (4, 300), (5, 7200), (500, 7200)]
)
def test_the_wait_doubles_up_to_its_limit_and_then_the_circuit_opens(
    number: int, seconds: int
) -> None:
    failures = Failures(number, NOW)
    assert retry_at(failures, POLICY) == NOW + timedelta(seconds=seconds)
    assert circuit_open(failures, POLICY, NOW) is (number >= 5)
    assert not circuit_open(failures, POLICY, NOW + timedelta(seconds=7200))


def test_without_failures_nothing_holds_back() -> None:
    assert retry_at(Failures(0, None), POLICY) is None
    assert not circuit_open(Failures(0, None), POLICY, NOW)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=20), st.randoms())
def test_the_streak_is_the_failures_since_the_last_success(results: list[bool], random) -> None:  # type: ignore[no-untyped-def]
    outcomes = [Outcome(NOW + timedelta(hours=i), ok) for i, ok in enumerate(results)]
    expected = len(results) - (max((i for i, ok in enumerate(results) if ok), default=-1) + 1)
    last = outcomes[-1].ended if expected else None
    random.shuffle(outcomes)
    assert streak(outcomes) == Failures(expected, last)


def test_cooldown_counts_from_the_newest_start() -> None:
    assert cooldown_end([], 60) is None
    assert cooldown_end([NOW, NOW - timedelta(hours=1)], 60) == NOW + timedelta(minutes=1)


@settings(deadline=None)
@given(
    ages=st.lists(st.integers(0, 10_000), max_size=30),
    runs=st.integers(1, 5),
    window=st.integers(60, 5000),
)
def test_the_budget_is_never_exceeded_nor_held_longer_than_needed(
    ages: list[int], runs: int, window: int
) -> None:
    budget = Budget(runs=runs, per_seconds=window)
    starts = [NOW - timedelta(seconds=a) for a in ages]
    used = sum(a < window for a in ages)
    end = budget_end(starts, budget, NOW)
    assert (end is None) is (used < runs)
    if end is not None:
        at_end = [s for s in starts if s > end - timedelta(seconds=window)]
        assert len(at_end) < runs
        moment = timedelta(microseconds=1)
        before = [s for s in starts if s > end - moment - timedelta(seconds=window)]
        assert len(before) >= runs
    kept = within_window({str(i): s for i, s in enumerate(starts)}, budget, NOW)
    assert budget_end(kept.values(), budget, NOW) == end


def test_only_replace_does_not_wait_for_an_active_run() -> None:
    assert [waits(p, True) for p in ("Forbid", "Queue", "Replace")] == [True, True, False]
    assert not waits("Forbid", False)


@pytest.mark.parametrize(
    ("starts_at", "answered"),
    [
        ("2026-01-31T08:59:59.123456789Z", True),
        ("2026-01-31T09:59:00+01:00", True),
        ("2026-01-31T09:00:01Z", False),
        ("yesterday", True),
        ("", True),
    ],
)
def test_a_run_answers_the_alerts_that_began_before_it(starts_at: str, answered: bool) -> None:
    assert answered_by(starts_at, NOW) is answered
