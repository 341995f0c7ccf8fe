"""Alertmanager's matchers."""

from __future__ import annotations

import time

import pytest
from evenkeel.api.trigger import Matcher, Trigger
from evenkeel.retraining.triggers import first_matches, problems
from evenkeel.retraining.triggers.alert import (
    ALERT,
    InvalidMatcher,
    check,
    matches,
)
from evenkeel.retraining.triggers.labelled import Labelled, bits, positions
from hypothesis import given, settings
from hypothesis import strategies as st


def holds(operator: str, value: str, **labels: str) -> bool:
    matcher = Matcher.model_validate({"name": "a", "operator": operator, "value": value})
    events = Labelled([labels])
    return matches([matcher], events, events.all) == 1


@pytest.mark.parametrize(
    ("operator", "value", "label", "expected"),
    [
        ("=", "x", "x", True),
        ("=", "x", "xx", False),
        ("!=", "x", "y", True),
        ("!=", "x", "x", False),
        ("=~", "x|yy", "yy", True),
        ("=~", "x|yy", "yyy", False),
        ("=~", "x", "ax", False),
        ("=~", "x.*", "xaé", True),
        ("!~", "x.*", "xa", False),
        ("!~", "x", "xa", True),
        ("=~", "(?i)DRIFT", "Drift", True),
        ("=~", "xy?", "x", True),
        ("=~", "xy*", "x", True),
        ("=~", "xy{0}", "x", True),
        ("=~", "xy+", "x", False),
        ("=~", "xy|z", "z", True),
        ("!~", "xy?z", "q", True),
        ("=~", r"x\.y", "x.y", True),
        ("=~", r"\Qx.\E", "x.", True),
        ("=~", r"\p{Greek}+", "αβγ", True),
    ],
)
def test_operators(operator: str, value: str, label: str, expected: bool) -> None:
    assert holds(operator, value, a=label) is expected


def test_a_missing_label_counts_as_empty() -> None:
    assert holds("=", "")
    assert holds("!=", "x")
    assert holds("=~", "x?")
    assert not holds("=~", "x")
    assert holds("!~", "x")


def test_all_matchers_must_hold() -> None:
    both = [Matcher(name="a", value="1"), Matcher(name="b", operator="!=", value="2")]
    events = Labelled([{"a": "1"}, {"a": "1", "b": "2"}, {"b": "1"}, {"a": "1", "b": "3"}])
    assert list(positions(matches(both, events, events.all))) == [0, 3]
    assert matches(both, events, 0b0110) == 0


@given(st.sets(st.integers(0, 300)))
def test_a_set_of_events_as_a_number(members: set[int]) -> None:
    assert set(positions(bits(members))) == members


@given(
    st.lists(st.dictionaries(st.sampled_from("ab"), st.sampled_from(["", "x", "y", "xy"]))),
    st.integers(0),
)
def test_few_and_many_events_are_looked_at_alike(labels: list[dict[str, str]], among: int) -> None:
    among &= (1 << len(labels)) - 1
    by_regex = [Matcher(name="a", operator="=~", value="x?y?")]
    each = [
        n
        for n, one in enumerate(labels)
        if among >> n & 1 and matches(by_regex, Labelled([one]), 1)
    ]
    assert list(positions(matches(by_regex, Labelled(labels), among))) == each


@settings(deadline=None)
@given(st.text(), st.text())
def test_equality_and_its_negation_exclude_each_other(value: str, label: str) -> None:
    assert holds("=", value, a=label) is not holds("!=", value, a=label) is (value != label)


def test_a_pattern_that_explodes_by_backtracking_takes_no_time() -> None:
    start = time.perf_counter()
    assert not holds("=~", "(a+)+b", a="a" * 100_000)
    assert time.perf_counter() - start < 2


def test_a_label_that_is_no_unicode_text_matches_or_not_but_raises_nothing() -> None:
    assert not holds("=~", "x", a="\ud800")
    assert holds("=~", ".", a="\ud800")


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "(?=a)", r"(a)\1", "*"])
def test_what_is_not_re2_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(InvalidMatcher, match="is not an RE2 regular expression"):
        check([Matcher(name="a", operator="!~", value=pattern)])


def test_an_alert_fires_its_first_trigger_and_an_invalid_one_matches_nothing() -> None:
    triggers = [
        Trigger.model_validate({"name": name, "alert": {"matchers": [matcher]}})
        for name, matcher in [
            ("broken", {"name": "a", "operator": "=~", "value": "("}),
            ("first", {"name": "a", "value": "1"}),
            ("second", {"name": "a", "operator": "=~", "value": ".*"}),
        ]
    ]

    def fired(among: list[Trigger], **labels: str) -> str | None:
        assert ALERT.receiver is not None
        fired = first_matches(ALERT.receiver, ALERT.specs(among), Labelled([labels]), 1)
        return next(iter(fired), None)

    assert fired(triggers, a="1") == "first"
    assert fired(triggers, a="2") == "second"
    assert fired(triggers[:1], a="2") is None
    (problem,) = problems(triggers)
    assert problem.startswith("trigger broken: '('")
