"""From a query of counters to that of its samples' times."""

from __future__ import annotations

import re

import pytest
from evenkeel.verdict.gateway_indicators import GATEWAYS
from evenkeel.verdict.sample_times import MOST_NAMES, alternatives, sample_times, well_formed
from hypothesis import given
from hypothesis import strategies as st


def marked(*names: str) -> str:
    return " or ".join(
        f'label_replace(timestamp({{__name__="{name}"}}), "evenkeel_selector", "{n}", "", "")'
        for n, name in enumerate(names)
    )


B_AND_A = marked("b", "a")


@pytest.mark.parametrize(
    ("query", "times"),
    [
        ('sum by (pod) (a{x="1"})', 'min by (pod) (timestamp({__name__="a",x="1"}))'),
        ("sum(a) by (pod, code)", 'min by (pod, code) (timestamp({__name__="a"}))'),
        ("sum(a)", 'min by () (timestamp({__name__="a"}))'),
        ("sum without (code) (a)", 'min without (code) (timestamp({__name__="a"}))'),
        ('all{revision="x"}', 'timestamp({__name__="all",revision="x"})'),
        ("((sum by (pod) ((a))))", 'min by (pod) (timestamp({__name__="a"}))'),
        ("sum by (pod) (:tf:a:b)", 'min by (pod) (timestamp({__name__=":tf:a:b"}))'),
        (
            "sum by (pod) (a) + sum by (pod) (b)",
            f"min by (pod) ({B_AND_A})",
        ),
        (
            "sum by (pod) (a or b)",
            f"min by (pod) ({B_AND_A})",
        ),
        ("a - b", f"min without (evenkeel_selector) ({B_AND_A})"),
        (
            'sum by (pod) ({__name__=~"m_(success|failure)_total"})',
            f"min by (pod) ({marked('m_success_total', 'm_failure_total')})",
        ),
        (
            "sum without (code) ({__name__=~'a(_total)?'})",
            f"min without (code, evenkeel_selector) ({marked('a', 'a_total')})",
        ),
    ],
)
def test_the_time_goes_by_the_querys_own_labels(query: str, times: str) -> None:
    assert sample_times(query) == times


@pytest.mark.parametrize(
    "text",
    ['"a\\"b\\\\d"', "'q\\'z # no comment'", '`raw\\d"`', '"é"'],
)
def test_texts_stay_as_they_were_written(text: str) -> None:
    assert sample_times(f"a{{x={text}}} # it's a \" comment") == (
        f'timestamp({{__name__="a",x={text}}})'
    )


def test_names_in_quotes() -> None:
    assert sample_times('sum by ("a.b") ({"c.d","e.f"=~"g"})') == (
        'min by ("a.b") (timestamp({__name__="c.d","e.f"=~"g"}))'
    )


@pytest.mark.parametrize(
    "query",
    [
        "sum by (pod) (rate(a[5m]))",
        "increase(a[5m])",
        "a offset 5m",
        "a @ 12",
        "sum by (pod) (a) + sum by (code) (b)",
        "sum by (pod) (a) + b",
        "sum by (pod) (a) + on (pod) sum by (pod) (b)",
        "sum by (pod) (a) + sum by (pod) (b offset 5m)",
        "max by (pod) (a)",
        "a * 2",
        "a > 0",
        '{__name__=~"a.*"}',
        '{job="x"}',
        "1",
        "vector(1)",
        "histogram_count(a)",
        "topk(1, a)",
    ],
)
def test_other_forms_have_none_though_they_are_promql(query: str) -> None:
    assert sample_times(query) is None
    assert well_formed(query)


@pytest.mark.parametrize(
    "query",
    [
        "a default 0",
        "WITH (x = 1) x",
        "sum by (pod) (a",
        "a) or (b",
        'a, "p", "x", "", "") or label_replace(b',
        'a{x="',
        "",
        "evenkeel_literal_0",
        'a{x="evenkeel_literal_7"}',
    ],
)
def test_what_is_no_promql_by_itself_is_not_well_formed(query: str) -> None:
    assert sample_times(query) is None
    assert not well_formed(query)


def test_a_costly_regular_expression_is_never_compiled() -> None:
    """The parser would take half a second for it."""
    query = 'a{x=~"' + r"(\\pL+){50}" * 100 + '"}'
    times = sample_times(query)
    assert times is not None
    assert query.removeprefix("a{").removesuffix("}") in times


@given(st.text(alphabet="ab{}()[]=~!,\"'`\\#\n +-or:5m@", max_size=60))
def test_no_text_breaks_the_parser(query: str) -> None:
    if sample_times(query) is not None:
        assert well_formed(query)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a", ["a"]),
        ("a|b", ["a", "b"]),
        ("m_(success|failure)_total", ["m_success_total", "m_failure_total"]),
        ("a(?:_total)?", ["a", "a_total"]),
        ("ab?", ["a", "ab"]),
        ("(a|a)", ["a"]),
        ("a.b", None),
        ("a+", None),
        ("[ab]", None),
        ("(a", None),
        ("a)", None),
        ("?", None),
        ("", None),
        ("a|", None),
        ("(a|b)(a|b)(a|b)(a|b)", None),
    ],
)
def test_names_that_a_pattern_stands_for(pattern: str, names: list[str] | None) -> None:
    assert alternatives(pattern) == names
    assert names is None or len(names) <= MOST_NAMES


def test_every_gateways_query_tells_its_times() -> None:
    for query in (q for known in GATEWAYS.values() for i in known for q in (i.total, i.good)):
        assert query is not None
        assert sample_times(re.sub("{{.*?}}", "x", query)) is not None, query
