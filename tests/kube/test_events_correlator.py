"""Repeated Events are few objects with true counts, as client-go has them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from evenkeel.kube.events_correlator import (
    BURST,
    COMBINED,
    INTERVAL,
    MESSAGE_LIMIT,
    REFILL,
    WORDINGS,
    EventsCorrelator,
    Occurrence,
    Report,
)
from evenkeel.meta.objects import Key
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def happened(
    message: str = "m", reason: str = "Failed", type_: str = "Warning", name: str = "a"
) -> Occurrence:
    return Occurrence("tests", Key("Widget", "shop", name), f"uid-{name}", type_, reason, message)


def told(report: Report | None) -> Report:
    assert report is not None
    return report


def test_what_happens_again_is_one_event_that_counts() -> None:
    correlator = EventsCorrelator()
    first = told(correlator.report(happened(), NOW))
    again = told(correlator.report(happened(), NOW + SECOND))
    assert (first.count, first.known, first.first, first.last) == (1, False, NOW, NOW)
    assert again == replace(first, count=2, known=True, last=NOW + SECOND)


def test_another_object_type_reason_or_message_is_another_event() -> None:
    correlator = EventsCorrelator()
    others = [happened(), happened("n"), happened(reason="R"), happened(type_="Normal")]
    others.append(happened(name="b"))
    others.append(happened()._replace(uid="its successor"))
    others.append(happened()._replace(source="another"))
    reports = [told(correlator.report(o, NOW)) for o in others]
    assert all(r.count == 1 and not r.known for r in reports)
    assert len({r.name for r in reports}) == len(others)


def test_a_tenth_wording_is_combined_with_those_after_it() -> None:
    correlator = EventsCorrelator()
    apart = [told(correlator.report(happened(f"m{n}"), NOW)) for n in range(WORDINGS - 1)]
    tenth = told(correlator.report(happened("m9"), NOW))
    next_ = told(correlator.report(happened("m10"), NOW + SECOND))
    assert all(r.message == f"m{n}" for n, r in enumerate(apart))
    assert (tenth.message, tenth.count, tenth.known) == (f"{COMBINED}m9", 1, False)
    later = NOW + SECOND
    assert next_ == replace(tenth, message=f"{COMBINED}m10", count=2, known=True, last=later)


def test_a_known_wording_keeps_its_event_among_many() -> None:
    correlator = EventsCorrelator()
    first, *_ = [told(correlator.report(happened(f"m{n}"), NOW)) for n in range(WORDINGS + 2)]
    again = told(correlator.report(happened("m0"), NOW))
    assert (again.name, again.message, again.count) == (first.name, "m0", 2)
    combined = told(correlator.report(happened(f"m{WORDINGS}"), NOW))
    assert combined.message == f"{COMBINED}m{WORDINGS}", "a wording once combined stays so"


def test_other_reasons_are_not_similar() -> None:
    correlator = EventsCorrelator()
    for n in range(WORDINGS):
        correlator.report(happened(f"m{n}"), NOW)
    assert told(correlator.report(happened("new", reason="Other"), NOW)).message == "new"


def test_after_a_pause_wordings_are_told_apart_again() -> None:
    correlator = EventsCorrelator()
    for n in range(WORDINGS):
        correlator.report(happened(f"m{n}"), NOW)
    within = told(correlator.report(happened("m10"), NOW + INTERVAL))
    assert within.message.startswith(COMBINED), "the interval slides"
    late = told(correlator.report(happened("m11"), NOW + 2 * INTERVAL + SECOND))
    assert late.message == "m11"


def test_an_object_may_tell_a_burst_and_then_one_a_while() -> None:
    correlator = EventsCorrelator()
    for _ in range(BURST):
        assert correlator.report(happened(), NOW)
    assert correlator.report(happened(), NOW) is None
    assert correlator.report(happened("other", reason="R"), NOW) is None
    assert correlator.report(happened(type_="Normal"), NOW), "a type of its own"
    assert correlator.report(happened(name="b"), NOW), "an object of its own"
    assert correlator.report(happened(), NOW + REFILL - SECOND) is None
    assert correlator.report(happened(), NOW + REFILL)
    assert correlator.report(happened(), NOW + REFILL) is None


def test_rest_fills_the_burst_and_no_more() -> None:
    correlator = EventsCorrelator()
    correlator.report(happened(), NOW)
    later = NOW + 1000 * REFILL
    allowed = [correlator.report(happened(), later) is not None for _ in range(BURST + 1)]
    assert allowed == [True] * BURST + [False]


def test_what_was_dropped_is_counted_by_the_next_told() -> None:
    correlator = EventsCorrelator()
    for _ in range(BURST + 5):
        correlator.report(happened(), NOW)
    assert told(correlator.report(happened(), NOW + REFILL)).count == BURST + 6


def test_an_event_whose_first_was_dropped_is_new_when_it_is_told() -> None:
    correlator = EventsCorrelator()
    for _ in range(BURST):
        correlator.report(happened(), NOW)
    assert correlator.report(happened("new"), NOW) is None
    report = told(correlator.report(happened("new"), NOW + REFILL))
    assert (report.count, report.known, report.first) == (2, False, NOW)


def test_a_clock_set_back_gives_and_takes_nothing() -> None:
    correlator = EventsCorrelator()
    for _ in range(BURST):
        correlator.report(happened(), NOW)
    assert correlator.report(happened(), NOW - INTERVAL) is None


def test_messages_and_names_fit_the_api() -> None:
    correlator = EventsCorrelator()
    long = "x" * 2000
    assert len(told(correlator.report(happened(long), NOW)).message) == MESSAGE_LIMIT
    assert told(correlator.report(happened(long + "y"), NOW)).count == 2, "they read the same"
    for n in range(WORDINGS):
        report = told(correlator.report(happened(f"{n}{long}"), NOW))
        assert len(report.message) == MESSAGE_LIMIT
    name = told(correlator.report(happened(name="a" * 241 + "." + "b" * 11), NOW)).name
    assert len(name) <= 253
    assert ".." not in name


def test_the_memory_is_bounded_by_the_least_recently_used() -> None:
    correlator = EventsCorrelator(remembered=2)
    correlator.report(happened(name="a"), NOW)
    correlator.report(happened(name="b"), NOW)
    correlator.report(happened(name="a"), NOW)
    correlator.report(happened(name="c"), NOW)
    assert told(correlator.report(happened(name="a"), NOW)).count == 3
    assert told(correlator.report(happened(name="b"), NOW)).count == 1


STEPS = st.lists(
    st.tuples(
        st.builds(
            happened,
            st.integers(0, 14).map(str),
            st.sampled_from(["R", "S"]),
            st.sampled_from(["Normal", "Warning"]),
            st.sampled_from(["a", "b"]),
        ),
        st.sampled_from([0, 1, 60, 300, 601, 4000]),
    ),
    max_size=200,
)


@given(STEPS)
def test_no_count_is_lost(steps: list[tuple[Occurrence, int]]) -> None:
    """The Events' counts sum up to what happened, but for drops that nothing told has followed."""
    correlator, now = EventsCorrelator(), NOW
    events: dict[str, Report] = {}
    recorded = dropped = 0
    for occurrence, seconds in steps:
        now += seconds * SECOND
        report = correlator.report(occurrence, now)
        recorded += 1
        if report is None:
            dropped += 1
            continue
        before = events.get(report.name)
        assert report.known == (before is not None)
        # What an Event counts beyond one more was dropped before.
        dropped -= report.count - (before.count if before else 0) - 1
        assert dropped >= 0
        assert before is None or (report.first, before.message[:9]) == (
            before.first,
            report.message[:9],
        )
        events[report.name] = report
    assert sum(e.count for e in events.values()) == recorded - dropped


@given(STEPS)
def test_the_server_is_spared(steps: list[tuple[Occurrence, int]]) -> None:
    """Of one object and type no more is told than the burst and what was refilled since."""
    correlator, now = EventsCorrelator(), NOW
    sent: dict[tuple[Key, str], int] = {}
    for occurrence, seconds in steps:
        now += seconds * SECOND
        if correlator.report(occurrence, now) is not None:
            which = (occurrence.regarding, occurrence.type)
            sent[which] = sent.get(which, 0) + 1
            assert sent[which] <= BURST + (now - NOW) // REFILL
