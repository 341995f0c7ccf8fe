"""The table of reasons and the source say the same."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from textwrap import dedent
from typing import get_args

import evenkeel
import pytest
from evenkeel.api import KINDS
from evenkeel.api.reasons import REASONS, Carrier

from tests.support.reasons import Emitted, emitted

SOURCE = Path(evenkeel.__file__).parent
INTERNAL = {"Failed", "Progressing"}
"""A Job's phase and a rollout's outcome, which become another reason or none."""

FOUND = emitted(SOURCE)
TABLE = {reason.name for reasons in REASONS.values() for reason in reasons}


def test_every_reason_of_the_source_is_in_the_table() -> None:
    missing = [
        f"{e.reason} ({e.callee}, {e.where})"
        for e in sorted(FOUND)
        if e.reason not in INTERNAL and not any(fnmatchcase(name, e.reason) for name in TABLE)
    ]
    assert not missing, "add to operator/evenkeel/api/reasons/"


def test_every_reason_of_the_table_can_be_given() -> None:
    patterns = {e.reason for e in FOUND}
    assert not {name for name in TABLE if not any(fnmatchcase(name, p) for p in patterns)}


def test_reasons_of_events_are_marked_as_such() -> None:
    events = {e.reason for e in FOUND if e.callee == "Event"}
    told = {r.name for reasons in REASONS.values() for r in reasons if "Event" in r.carriers}
    assert events
    assert not {p for p in events if not any(fnmatchcase(name, p) for name in told)}


def test_the_table_is_well_formed() -> None:
    assert set(REASONS) == {kind.kind for kind in KINDS if kind.has_status}
    for kind, reasons in REASONS.items():
        names = [reason.name for reason in reasons]
        assert len(names) == len(set(names)), kind
        for reason in reasons:
            assert re.fullmatch(r"[A-Z][A-Za-z]+", reason.name)
            assert reason.carriers
            assert set(reason.carriers) <= set(get_args(Carrier))
            assert reason.meaning.endswith((".", ")"))
            assert not reason.remedy or reason.remedy.endswith(".")


@pytest.mark.parametrize(
    ("source", "reasons"),
    [
        ("Blocked('CoolingDown', text)", {"CoolingDown"}),
        ("Blocked(reason='CoolingDown', message=text)", {"CoolingDown"}),
        ("room.Blocked('A' + b if c else 'CoolingDown', text)", {"CoolingDown"}),
        ("fail(self, 'TimedOut', text)", {"TimedOut"}),
        ("fail(self, f'{kind}Lost', text)", {"*Lost"}),
        ("fail(self, GONE, text)", {"ReportLost"}),
        ("fail(self, ENDS.get(kind, 'Gone'), text)", {"TimedOut", "TrainerFailed", "Gone"}),
        ("reason = kind.get('reason', 'Error')", set()),
        ("if reason := ENDS[kind]:\n        pass", {"TimedOut", "TrainerFailed"}),
        ("fail(self, text, 'JobLost')", set()),
        ("Blocked('True', 'Not a reason')", set()),
        ("reason, parts = 'Scheduled', []", {"Scheduled"}),
        ("other = 'Scheduled'", set()),
        ("word = 'Denied' if a else 'Approved'\n    Blocked(word, '')", {"Denied", "Approved"}),
    ],
)
def test_the_search_finds_reasons_and_nothing_else(
    tmp_path: Path, source: str, reasons: set[str]
) -> None:
    module = dedent(
        """
        from typing import NamedTuple

        GONE = "ReportLost"
        ENDS = {"Late": "TimedOut", "Failed": "TrainerFailed"}

        class Blocked(NamedTuple):
            reason: str
            message: str

        def fail(snapshot, reason, message):
            pass

        def plan(self, text, kind, a, b, c):
        """
    )
    (tmp_path / "module.py").write_text(f"{module}    {source}\n")
    assert {e.reason for e in emitted(tmp_path)} == reasons


def test_the_search_says_where(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("def event(reason): pass\n\nevent('Gone')\n")
    assert emitted(tmp_path) == {Emitted("Gone", "module.py:3", "event")}
