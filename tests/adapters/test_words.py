"""Somebody else's words, made fit for people and without credentials."""

from __future__ import annotations

import base64

import pytest
from evenkeel.adapters.access import Access, AccessError, basic, header
from evenkeel.adapters.words import WORDS, one_line, without
from hypothesis import given
from hypothesis import strategies as st


@given(st.text())
def test_one_printable_line_of_bounded_length(text: str) -> None:
    found = one_line(text)
    assert found.isprintable()
    assert len(found) <= WORDS


def test_spaces_take_the_place_of_what_is_not_printable() -> None:
    assert one_line(" no\r\norg\x00id\u202e ") == "no org id"


@given(st.text(min_size=4, max_size=30).filter(str.isalnum), st.text(max_size=30))
def test_secrets_are_taken_out(secret: str, around: str) -> None:
    coded = base64.b64encode(secret.encode()).decode()
    found = without([secret], f"<{around}> {secret} {coded}")
    assert secret not in found
    assert coded not in found


def test_short_values_are_no_secrets() -> None:
    assert without(["1", ""], "answered 401") == "answered 401"


def test_basic_credentials_are_confidential_in_all_their_parts() -> None:
    access = Access("http://p", (("X-Scope-OrgID", "team"),), basic("user", "p:ass"))
    assert {"team", "user:p:ass", "p:ass", "dXNlcjpwOmFzcw=="} <= set(access.confidential)


@pytest.mark.parametrize(
    "text", ["no colon", ": x", "A: ", "A: b\x00", "A: b\nC: d", "Authorization: pw1234", "A b: c"]
)
def test_headers_that_cannot_be_sent_are_refused(text: str) -> None:
    with pytest.raises(AccessError) as raised:
        header(text, ":")
    assert "pw1234" not in str(raised.value)


def test_a_header_in_one_line() -> None:
    assert header(" X-Scope-OrgID :  a:b ", ":") == ("X-Scope-OrgID", "a:b")
