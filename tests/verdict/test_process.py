"""One process's counters: late answers, restarts, leads; no event is counted twice."""

from __future__ import annotations

import pytest
from evenkeel.verdict.process import Point, Process, begun, begun_on_trial, newborn
from evenkeel.verdict.samples import Reading
from hypothesis import given
from hypothesis import strategies as st


def fed(*readings: tuple[float, Reading]) -> Process:
    (time, first), *others = readings
    process = begun(first, time)
    for moment, reading in others:
        process = process.take(reading, moment)
    return process


def totals(*numbers: int) -> list[tuple[float, Reading]]:
    """One reading a second, nothing bad; the cluster does not tell when the process started."""
    return [(float(t), Reading(n, 0, good=False)) for t, n in enumerate(numbers)]


def test_what_was_counted_before_the_evidence_is_left_out() -> None:
    last = fed((0, Reading(1000, 40, good=False)), (1, Reading(1010, 43, good=False))).last
    assert (last.total, last.bad) == (10, 3)


def test_a_replica_that_lags_adds_nothing() -> None:
    assert fed(*totals(1000, 990, 1010, 1000, 1005, 1010)).last.total == 10


def test_a_sample_older_than_the_last_one_is_ignored_whatever_it_says() -> None:
    ahead = begun(Reading(1000, 0), 10).take(Reading(1100, 0), 20)
    assert ahead.take(Reading(1050, 0), 15) == ahead
    assert ahead.take(Reading(5000, 0), 20) == ahead


def test_a_restart_that_the_cluster_tells_counts_from_zero() -> None:
    process = begun(Reading(1000, 10, started=0.0, good=False), 10)
    process = process.take(Reading(5, 1, started=12.0, good=False), 15)
    process = process.take(Reading(15, 1, started=12.0, good=False), 20)
    assert (process.last.total, process.last.bad) == (15, 1)


def test_a_fall_without_a_new_process_is_no_restart() -> None:
    """A label set that went missing from a sum, or a replica that lags."""
    process = begun(Reading(1000, 0, started=0.0), 10)
    for moment in range(11, 30):
        process = process.take(Reading(300 + moment, 0, started=0.0), moment)
    assert process.last.total == 0
    assert process.take(Reading(1040, 0, started=0.0), 31).last.total == 40


def test_a_start_that_becomes_known_late_makes_no_restart_of_an_old_answer() -> None:
    process = begun(Reading(1000, 0), 100)
    assert process.take(Reading(990, 0, started=20.0), 101).last.total == 0
    assert process.take(Reading(7, 0, started=103.0), 110).last.total == 7


def test_a_start_in_the_second_of_an_old_sample_is_no_restart_yet() -> None:
    """The cluster tells starts in whole seconds: 12.0 may be 12.9."""
    process = begun(Reading(1000, 0, started=0.0), 10)
    process = process.take(Reading(900, 0, started=12.0), 12.5)
    assert process.last.total == 0


def test_where_the_cluster_does_not_tell_a_restart_is_confirmed_by_growing_low_samples() -> None:
    assert fed(*totals(1000, 5)).last.total == 0
    assert fed(*totals(1000, 5, 15)).last.total == 0
    assert fed(*totals(1000, 5, 15, 25)).last.total == 25
    assert fed(*totals(1000, 5, 5, 5)).last.total == 0, "an answer that does not grow is old"


def test_a_replica_that_lags_for_long_is_no_restart() -> None:
    assert fed(*totals(1000, 800, 820, 840, 860, 880, 1100)).last.total == 100


@pytest.mark.parametrize("first", [0, 6])
def test_good_events_ahead_of_total_never_become_bad_ones(first: int) -> None:
    process = begun_on_trial(Reading(0, first), 0)
    for moment in range(1, 200):
        ahead = 6 if moment % 20 < 10 else 0
        process = process.take(Reading(10 * moment, 10 * moment + ahead), moment)
    assert process.last.bad == 0


def test_bad_events_show_through_a_lead_that_comes_in_waves() -> None:
    process = begun_on_trial(Reading(100, 215), 0)
    for moment in range(1, 100):
        ahead = 125 if moment % 6 < 3 else 10
        total = 100 + 20 * moment
        process = process.take(Reading(total, total - 2 * moment + ahead), moment)
    assert 180 <= process.last.bad <= 198


def test_on_stable_a_lead_that_shrinks_is_counted() -> None:
    """It speaks for the canary; bad events too few would speak against it."""
    process = begun(Reading(0, 6), 0).take(Reading(10, 10), 1)
    assert process.last.bad == 6


def test_requests_in_flight_count_once_at_most() -> None:
    process = begun(Reading(1000, 1000), 0)
    for moment in range(1, 200):
        in_flight = 4 if moment % 2 else 0
        process = process.take(Reading(1000 + 10 * moment, 1000 + 10 * moment - in_flight), moment)
    assert process.last.bad <= 4


def test_a_process_that_was_not_there_before_counts_in_full() -> None:
    last = newborn(Reading(7, 2, good=False), 3).last
    assert (last.total, last.bad) == (7, 2)


def test_counts_that_vanish_are_told_from_those_never_seen() -> None:
    known = begun(Reading(10, 4), 0)
    assert known.lost(Reading(20, None))
    assert not begun(Reading(10, None), 0).lost(Reading(20, None))
    assert not known.lost(Reading(3, None)), "a new process may have counted none yet"


@given(
    counts=st.lists(st.integers(0, 50), min_size=2, max_size=30),
    picks=st.lists(st.integers(0, 3), min_size=2, max_size=60),
    timed=st.booleans(),
)
def test_however_answers_lag_no_event_counts_twice(
    counts: list[int], picks: list[int], timed: bool
) -> None:
    """Each answer is at most four scrapes old. A true counter grows; there is no restart."""
    counter = [1000]
    for count in counts:
        counter.append(counter[-1] + count)
    process = begun(Reading(1000, None), 0)
    newest = 0
    for now, pick in enumerate(picks, start=1):
        scrape = max(0, min(now, len(counter) - 1) - pick)
        newest = max(newest, scrape)
        process = process.take(Reading(counter[scrape], None), scrape if timed else now)
    assert process.last.total == counter[newest] - 1000


def test_a_restart_that_has_counted_more_than_the_former_process_is_no_growth_of_it() -> None:
    former = begun(Reading(0, 0, 0.0, 0.0, -5.0), 0.0).take(
        Reading(150, 150, 60.0, 60.0, -5.0), 60.0
    )
    after = former.take(Reading(160, 60, 120.0, 120.0, 70.0), 120.0)
    assert after.last == Point(120.0, 150, 0)
    later = after.take(Reading(260, 150, 180.0, 180.0, 70.0), 180.0)
    assert later.last == Point(180.0, 250, 10)


def test_the_former_process_s_last_sample_does_not_hide_a_restart_where_times_are_unknown() -> None:
    former = begun(Reading(1000, 990, None, None, 0.0), 0.0)
    told = former.take(Reading(1010, 1000, None, None, 50.0), 55.0)
    after = told.take(Reading(20, 20, None, None, 50.0), 60.0)
    assert after.last.total == 10 + 20
