"""Text from outside is shown, never obeyed."""

from __future__ import annotations

from datetime import UTC, datetime

from evenkeel.meta.conditions import Observation, merge
from evenkeel.meta.text import one_line, printable
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


def test_control_characters_are_written_as_escapes() -> None:
    assert printable("a\x1b[2Jb\rc\x00\x85\u202ed\té") == "a\\x1b[2Jb\\rc\\x00\\x85\\u202ed é"
    assert printable("one\ntwo") == "one\ntwo"
    assert one_line("one\r\ntwo") == "one\\r\\ntwo"


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    assert one_line(text).splitlines() in ([], [one_line(text)])
    assert all(c == "\n" or c.isprintable() or ord(c) > 0x9F for c in printable(text))


def test_conditions_have_no_control_characters() -> None:
    (condition,) = merge((), (Observation("Ready", "False", "R", "a\x1b]0;x\x07"),), 1, NOW)
    assert condition.message == "a\\x1b]0;x\\x07"
