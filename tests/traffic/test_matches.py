"""Cookies as one expression over the header that gateways search, or match as a whole."""

from __future__ import annotations

import re

import pytest
from evenkeel.api.exposure import Match
from evenkeel.traffic.matches import header_matches, with_cookies
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.from_regex(r"\A[A-Za-z0-9_-]{1,12}\Z")
VALUES = st.from_regex(r"\A[A-Za-z0-9_.~-]{1,12}\Z")
COOKIES = st.dictionaries(NAMES, VALUES, max_size=5)


def matches(wanted: dict[str, str], header: str) -> bool:
    expression = str(with_cookies(wanted)["value"])
    found = re.search(expression, header) is not None
    assert found == (re.fullmatch(expression, header) is not None), "gateways would differ"
    return found


@given(COOKIES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=2))
def test_a_request_matches_if_and_only_if_it_has_all_cookies(
    sent: dict[str, str], wanted: dict[str, str]
) -> None:
    header = "; ".join(f"{name}={value}" for name, value in sent.items())
    assert matches(wanted, header) == (wanted.items() <= sent.items())


@given(COOKIES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=2), st.data())
def test_their_order_does_not_matter(
    others: dict[str, str], wanted: dict[str, str], data: st.DataObject
) -> None:
    sent = list({**others, **wanted}.items())
    header = "; ".join(f"{n}={v}" for n, v in data.draw(st.permutations(sent)))
    assert matches(wanted, header)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("beta=v1.2", True),
        ("a=b;beta=v1.2", True),
        ("beta=v1x2", False),
        ("beta=v1.23", False),
        ("nobeta=v1.2", False),
        ("", False),
    ],
)
def test_neither_part_of_a_name_nor_of_a_value_is_enough(header: str, expected: bool) -> None:
    assert matches({"beta": "v1.2"}, header) is expected


def test_the_longest_cookies_fit_into_a_route() -> None:
    longest = with_cookies({"n" * 128: "." * 256, "m" * 128: "." * 256})
    assert len(str(longest["value"])) <= 4096, "the limit of a header's value in Gateway API"


def test_a_match_needs_all_its_headers_and_cookies() -> None:
    match = Match.model_validate(
        {
            "headers": [
                {"name": "X-Beta", "value": "yes"},
                {"name": "X-Team", "value": "a|b", "type": "RegularExpression"},
            ],
            "cookies": [{"name": "beta", "value": "on"}],
        }
    )
    (entry,) = header_matches([match])
    assert entry["headers"] == [
        {"name": "X-Beta", "value": "yes", "type": "Exact"},
        {"name": "X-Team", "value": "a|b", "type": "RegularExpression"},
        {
            "name": "Cookie",
            "value": "^(.*; *)?beta=on(;.*)?$",
            "type": "RegularExpression",
        },
    ]
