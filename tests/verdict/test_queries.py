"""One query about many canaries, and what its answer says of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from evenkeel.verdict.indicators import Queries
from evenkeel.verdict.queries import (
    MOST_PROCESSES,
    MOST_SERIES,
    PART,
    Moment,
    Question,
    Series,
    by_part,
    joined,
    process_key,
    seen,
)
from evenkeel.verdict.sample_times import well_formed
from evenkeel.verdict.samples import Look, Reading, Unobserved
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_700_000_000.0
CANARY, STABLE = "fraud-aaaa", "fraud-bbbb"


def question(id_: str = "q1", *, own: bool = False, **counted: str) -> Question:
    counted = counted or {"good": "sum by (pod) (g)"}
    sides = (
        Queries("errors", "sum by (pod) (t)", **counted, revision=revision)
        for revision in (CANARY, STABLE)
    )
    return Question(id_, *sides, own=own)


def pod(revision: str, name: str = "aaaaa") -> str:
    return f"{revision}-7d9f-{name}"


def of(part: str, value: float, **labels: str) -> Series:
    return {PART: part, **labels}, value


def answer(*series: Series, asked: Question | None = None, **pods: float) -> Look | Unobserved:
    return seen(asked or question(), by_part(series), Moment(NOW), pods)


def look(*series: Series, asked: Question | None = None) -> Look:
    found = answer(*series, asked=asked)
    assert isinstance(found, Look), found
    return found


def void(*series: Series, asked: Question | None = None) -> Unobserved:
    found = answer(*series, asked=asked)
    assert isinstance(found, Unobserved), found
    return found


C, S = pod(CANARY), pod(STABLE)
BOTH = (
    of("q1.cn", 100, pod=C),
    of("q1.ck", 97, pod=C),
    of("q1.cnt", NOW - 3, pod=C),
    of("q1.ckt", NOW - 3.5, pod=C),
    of("q1.sn", 900, pod=S),
    of("q1.sk", 890, pod=S),
)


def without(part: str) -> tuple[Series, ...]:
    return tuple(one for one in BOTH if one[0][PART] != part)


def changed(part: str, value: float, **labels: str) -> tuple[Series, ...]:
    known = next(one[0] for one in BOTH if one[0][PART] == part)
    return (*without(part), ({**known, **labels}, value))


def test_all_parts_are_asked_for_in_one_query() -> None:
    text = question().text()
    for part in ("cn", "ck", "cnt", "ckt", "sn", "sk", "snt", "skt"):
        assert f', "{PART}", "q1.{part}", "", "")' in text
    assert text.count("timestamp(") == 4
    assert "topk" not in text
    assert well_formed(text)


def test_times_can_be_left_out() -> None:
    text = question().text(times=False)
    assert "timestamp" not in text
    assert text.count("label_replace") == 4


def test_a_comment_in_a_query_ends_with_its_line() -> None:
    text = question(good="sum by (pod) (g) # ok").text()
    assert "# ok\n" in text
    assert well_formed(text)


def test_a_tenants_own_queries_are_bounded() -> None:
    assert question(own=True).text().count(f"topk({MOST_SERIES + 1}, ") == 8


@given(st.integers(1, 70))
def test_questions_are_joined_as_a_balanced_tree(number: int) -> None:
    text = joined([f"q{n}" for n in range(number)])
    assert [w for w in text.replace("(", " ").replace(")", " ").split() if w != "or"] == [
        f"q{n}" for n in range(number)
    ]
    depth = most = 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        most = max(most, depth)
    assert most <= math.ceil(math.log2(number)) if number > 1 else most == 0


def test_readings_of_both_sides_with_their_times() -> None:
    assert look(*BOTH) == Look(
        {f"pod={C}": Reading(100, 97, NOW - 3, NOW - 3.5)}, {f"pod={S}": Reading(900, 890)}, NOW
    )


def test_the_answer_about_another_canary_is_none_of_this_one() -> None:
    found = look(*BOTH, of("q11.cn", 5, pod="other-1-aaaaa"), of("q1.xx", 5), of("", 7))
    assert found.canary.keys() == {f"pod={C}"}


def test_what_has_not_been_counted_is_told_from_nothing_counted() -> None:
    assert look(*without("q1.ck")).canary[f"pod={C}"].counted is None


def test_series_of_one_pod_are_one_process() -> None:
    found = look(
        *without("q1.cn"),
        of("q1.cn", 60, pod=C, code="200"),
        of("q1.cn", 40, pod=C, code="500"),
    )
    assert found.canary == {f"pod={C}": Reading(100, 97, NOW - 3, NOW - 3.5)}


def test_the_oldest_of_a_pods_samples_counts() -> None:
    found = look(*BOTH, of("q1.cnt", NOW - 9, pod=C, code="500"))
    assert found.canary[f"pod={C}"].time == NOW - 9


@pytest.mark.parametrize("time", [NOW - 3601, NOW + 61, 0.0, math.nan, math.inf])
def test_a_time_that_cannot_be_true_is_none(time: float) -> None:
    assert look(*changed("q1.cnt", time)).canary[f"pod={C}"].time is None


def test_times_are_told_by_the_operators_clock() -> None:
    found = seen(question(), by_part(BOTH), Moment(NOW, ahead=1.5), {})
    assert isinstance(found, Look)
    assert found.canary[f"pod={C}"][2:4] == (NOW - 1.5, NOW - 2)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 1.1e15, 1e300])
@pytest.mark.parametrize(
    ("part", "query"),
    [
        ("q1.cn", "total of canary"),
        ("q1.ck", "good of canary"),
        ("q1.sn", "total of stable"),
        ("q1.sk", "good of stable"),
    ],
)
def test_a_value_that_is_no_count_voids_the_look(value: float, part: str, query: str) -> None:
    found = void(*changed(part, value))
    assert found.reason == "NotANumber"
    assert found.message.startswith(f"{query} is {value:g} for {{pod=")


def test_series_of_a_process_that_add_up_to_no_count_void_the_look() -> None:
    found = void(
        *BOTH,
        *(of("q1.cn", 6e14, pod=pod(CANARY, "more"), code=code) for code in ("200", "500")),
    )
    assert found.reason == "NotANumber"


def test_a_large_count_is_taken() -> None:
    assert look(*changed("q1.cn", 1e15)).canary[f"pod={C}"].total == 10**15


def test_good_events_of_a_process_without_total_void_the_look() -> None:
    found = void(*BOTH, of("q1.ck", 1, pod=pod(CANARY, "other")))
    assert found.reason == "InconsistentCounts"
    assert "sum by (pod)" in found.message


def test_a_series_that_comes_twice_voids_the_look() -> None:
    assert void(*BOTH, of("q1.cn", 3, pod=C)).reason == "InconsistentCounts"


def test_two_metrics_of_one_selector_are_no_duplicates() -> None:
    found = look(
        *without("q1.cn"),
        of("q1.cn", 60, pod=C, __name__="ok"),
        of("q1.cn", 40, pod=C, __name__="failed"),
    )
    assert found.canary[f"pod={C}"].total == 100


def many(number: int, **labels: str) -> list[Series]:
    return [of("q1.cn", 1, **{"pod": f"{CANARY}-x-{n:05}", **labels}) for n in range(number)]


def test_as_many_processes_as_a_status_holds() -> None:
    assert len(look(*many(MOST_PROCESSES)).canary) == MOST_PROCESSES
    assert void(*many(MOST_PROCESSES + 1)).reason == "TooManyProcesses"


def test_series_that_may_have_been_cut_off_void_the_look() -> None:
    series = [of("q1.cn", 1, pod=C, path=str(n)) for n in range(MOST_SERIES + 1)]
    assert void(*series).reason == "TooManyProcesses"
    assert look(*series[1:]).canary[f"pod={C}"].total == MOST_SERIES


def test_nothing_on_either_side_is_no_data_and_says_what_may_be_the_matter() -> None:
    found = void()
    assert found.reason == "NoData"
    assert "is not scraped" in found.message
    assert "native histogram" not in found.message


@pytest.mark.parametrize("query", ["sum by (pod) (x_seconds_count)", 'x_bucket{le="0.1"}'])
def test_histograms_that_may_be_native_only_are_named(query: str) -> None:
    sides = (Queries("latency", query, good=query, revision=r) for r in (CANARY, STABLE))
    found = void(asked=Question("q1", *sides))
    assert found.reason == "NoData"
    assert "always_scrape_classic_histograms" in found.message


NONE_COUNTED = (of("q1.cn", 9, pod=C), of("q1.sn", 9, pod=S))


def test_good_events_that_nobody_has_are_a_wrong_query() -> None:
    """They would make both sides look entirely bad, and so equally good."""
    found = void(*NONE_COUNTED)
    assert found.reason == "NoData"
    assert found.message.startswith("good has no series on either side")


def test_bad_events_that_nobody_has_are_odd_only() -> None:
    found = look(*NONE_COUNTED, asked=question(bad="sum by (pod) (b)"))
    assert "bad has never had a series" in found.warning
    assert look(*BOTH, asked=question(bad="sum by (pod) (b)")).warning == ""


def test_what_the_cluster_tells_of_pods() -> None:
    found = seen(question(), by_part(BOTH), Moment(NOW), {C: NOW - 60, "gone": None})
    assert isinstance(found, Look)
    assert found.canary[f"pod={C}"].started == NOW - 60
    assert found.stable[f"pod={S}"].started is None
    assert found.pods == {C, "gone"}


def test_a_gateways_pods_are_not_taken_for_the_revisions() -> None:
    found = seen(
        question(),
        by_part([of("q1.cn", 1, pod="traefik-5b-aaaaa"), of("q1.ck", 1, pod="traefik-5b-aaaaa")]),
        Moment(NOW),
        {C: None},
    )
    assert isinstance(found, Look)
    assert found.pods is None


@pytest.mark.parametrize(
    ("labels", "key"),
    [
        ({"pod": "a", "code": "200"}, "pod=a"),
        ({"instance": "1:80", "code": "200"}, "code=200,instance=1:80"),
        ({"pod": "", "a": "b"}, "a=b,pod="),
        ({"__name__": "x"}, ""),
    ],
)
def test_what_tells_processes_apart(labels: Mapping[str, str], key: str) -> None:
    assert process_key(labels) == key


def test_long_labels_stay_apart_and_fit() -> None:
    keys = {process_key({"path": "x" * 600 + end}) for end in "ab"}
    assert len(keys) == 2
    assert all(len(key) <= 480 for key in keys)


@given(
    st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from([PART, "pod", "code", "__name__", "x"]),
                st.sampled_from(["q1.cn", "q1.ck", "q1.cnt", "q1.sn", "a", "b", ""]),
            ),
            st.floats(),
        ),
        max_size=12,
    )
)
def test_whatever_is_answered_gives_counts_or_a_reason(series: list[Any]) -> None:
    found = answer(*series)
    if isinstance(found, Look):
        for reading in (*found.canary.values(), *found.stable.values()):
            assert reading.total >= 0
            assert reading.counted is None or reading.counted >= 0
            assert reading.time is None or NOW - 3600 <= reading.time <= NOW + 60


@pytest.mark.parametrize(("kind", "canary", "stable"), [("good", 91, 90), ("bad", 90, 91)])
def test_parts_of_events_speak_for_the_canary(kind: str, canary: int, stable: int) -> None:
    asked = question(**{kind: "sum by (pod) (g)"})
    parts = (of("q1.cn", 100, pod=C), of("q1.ck", 90.25, pod=C))
    found = look(*parts, of("q1.sn", 100, pod=S), of("q1.sk", 90.25, pod=S), asked=asked)
    assert found.canary[f"pod={C}"].counted == canary
    assert found.stable[f"pod={S}"].counted == stable


@given(st.lists(st.floats(0, 1), max_size=50), st.integers(1, 50))
def test_sums_of_losses_never_show_more_bad_ones_than_there_were(
    losses: list[float], every: int
) -> None:
    good = bad = 0.0
    shown = 0
    for number, loss in enumerate(losses):
        good, bad = good + 1 - loss, bad + loss
        if number % every:
            continue
        found = look(of("q1.cn", good + bad, pod=C), of("q1.ck", good, pod=C))
        reading = found.canary[f"pod={C}"]
        assert reading.total == number + 1
        assert shown <= reading.level <= min(bad + 1e-6, reading.total)
        shown = reading.level
    assert not losses or bad - shown < 1 + every
