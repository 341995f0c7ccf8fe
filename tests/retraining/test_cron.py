"""Cron times: the next, the newest that is due, and changes of the clock."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from evenkeel.api.trigger import CronTrigger
from evenkeel.retraining.triggers.cron import InvalidCron, check, deadline, due_time, next_time
from hypothesis import given, settings
from hypothesis import strategies as st


def trigger(schedule: str, zone: str = "Etc/UTC") -> CronTrigger:
    return CronTrigger.model_construct(
        schedule=schedule, time_zone=zone, starting_deadline_seconds=600
    )


def utc(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0
) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "zone", "expected"),
    [
        ("0 3 * * *", "Etc/UTC", utc(2026, 2, 1, 3)),
        ("0 3 * * *", "Europe/Berlin", utc(2026, 2, 1, 2)),
        ("0 3 * * *", "America/New_York", utc(2026, 1, 31, 8)),
        ("*/15 * * * *", "Asia/Kathmandu", utc(2026, 1, 31, 7, 15)),
        ("0 0 29 2 *", "Etc/UTC", utc(2028, 2, 29)),
        ("0 0 * * MON", "Etc/UTC", utc(2026, 2, 2)),
        ("@hourly", "Etc/UTC", utc(2026, 1, 31, 8)),
        ("@daily", "Europe/Berlin", utc(2026, 1, 31, 23)),
        (" @Midnight ", "Etc/UTC", utc(2026, 2, 1)),
        ("@weekly", "Etc/UTC", utc(2026, 2, 1)),
        ("@monthly", "Asia/Kathmandu", utc(2026, 1, 31, 18, 15)),
        ("@yearly", "Etc/UTC", utc(2027, 1, 1)),
        ("@annually", "Etc/UTC", utc(2027, 1, 1)),
    ],
)
def test_next_time(schedule: str, zone: str, expected: datetime) -> None:
    assert next_time(trigger(schedule, zone), utc(2026, 1, 31, 7)) == expected


def test_a_time_that_the_clock_skips_runs_after_the_gap_and_one_that_comes_twice_once() -> None:
    berlin = trigger("30 2 * * *", "Europe/Berlin")
    assert next_time(berlin, utc(2026, 3, 28, 12)) == utc(2026, 3, 29, 1)
    first = next_time(berlin, utc(2026, 10, 24, 12))
    assert first == utc(2026, 10, 25, 0, 30)
    assert next_time(berlin, first) == utc(2026, 10, 26, 1, 30)
    second_pass = utc(2026, 10, 25, 1, 10)
    assert next_time(berlin, second_pass) == utc(2026, 10, 26, 1, 30)


def test_due_is_the_newest_time_after_the_handled_one() -> None:
    hourly = trigger("0 * * * *")
    now = utc(2026, 1, 31, 9, 30)
    assert due_time(hourly, utc(2026, 1, 31, 5), now) == utc(2026, 1, 31, 9)
    assert due_time(hourly, utc(2026, 1, 31, 9), now) is None
    assert due_time(hourly, utc(2026, 1, 31, 8, 59, 59), utc(2026, 1, 31, 9)) is not None
    assert due_time(hourly, utc(2026, 2, 1), now) is None
    assert deadline(hourly, now) == utc(2026, 1, 31, 9, 40)


@pytest.mark.parametrize("schedule", ["* * * * *", "0 3 * * *", "0 0 1 * *", "0 0 1 1 *"])
def test_due_after_a_long_downtime_is_found(schedule: str) -> None:
    now = utc(2026, 6, 15, 12)
    found = due_time(trigger(schedule), utc(2020, 1, 1), now)
    assert found is not None
    assert next_time(trigger(schedule), found) > now


@settings(deadline=None)
@given(
    zone=st.sampled_from(["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe"]),
    schedule=st.sampled_from(["30 2 * * *", "*/20 * * * *", "0 0-3 * * *", "45 1 * * 6,0"]),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    earlier=st.integers(0, 200_000),
)
def test_a_time_has_one_identity_wherever_the_search_begins(
    zone: str, schedule: str, start: datetime, earlier: int
) -> None:
    cron, after = trigger(schedule, zone), start.replace(tzinfo=UTC)
    expected = next_time(cron, after)
    time = after - timedelta(seconds=earlier)
    while (time := next_time(cron, time)) <= after:
        pass
    assert time == expected
    assert due_time(cron, after, expected) == expected
    assert due_time(cron, expected, expected) is None


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        (trigger("0 3 * *"), "expected minute, hour, day of month, month, day of week"),
        (trigger("0 0 3 * * *"), "needs five fields"),
        (trigger("@every 6h"), "needs five fields"),
        (trigger("61 3 * * *"), "Bad minute"),
        (trigger("0 3 * * 5-1"), "Bad day-of-week"),
        (trigger("0 3 L/2-1 * *"), "cron expression"),
        (trigger("0 3 * * 1#9"), "Bad day-of-week"),
        (trigger("0 0 31 2 *"), "Bad day-of-month"),
        (trigger("0 0 * 2 1#5,2#5/0"), "cron expression"),
        (trigger("0 3 * * *", "Europe"), "time zone 'Europe' is unknown"),
        (trigger("0 3 * * *", "../etc/passwd"), "use an IANA name"),
        (trigger("0 3 * * *", ""), "use an IANA name"),
        (trigger("0 3 * * *", "Europe/Bérlin"), "use an IANA name"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_cause(cron: CronTrigger, message: str) -> None:
    with pytest.raises(InvalidCron) as refused:
        check(cron)
    assert message in str(refused.value)


@settings(deadline=None)
@given(st.text(alphabet="0123456789*/,-#LWJANMO ", max_size=30))
def test_no_expression_raises_anything_else(schedule: str) -> None:
    with contextlib.suppress(InvalidCron):
        check(trigger(schedule))
