"""Two operators that write the same child answer each other ever more seldom."""

from __future__ import annotations

import pytest
from evenkeel.kube import memory as module
from evenkeel.kube.memory import Memory
from evenkeel.kube.trim import OWNED
from evenkeel.meta.objects import Key

KEY = Key("Widget", "shop", "w")
OBJ = {"metadata": {"uid": "u"}, OWNED: "fields"}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: at[0])
    return at


def test_what_was_applied_is_known_until_somebody_changes_it() -> None:
    memory = Memory()
    memory.keep(KEY, "mine", "mine", OBJ)
    assert memory.has(KEY, "mine", "mine", OBJ)
    assert not memory.has(KEY, "new", "mine", OBJ)
    assert not memory.has(KEY, "mine", "theirs", OBJ)
    assert not memory.has(KEY, "mine", "mine", {**OBJ, OWNED: "less"})
    assert not memory.has(KEY, "mine", "mine", {**OBJ, "metadata": {"uid": "another"}})
    memory.forget(KEY)
    assert not memory.has(KEY, "mine", "mine", OBJ)


def test_another_operator_is_answered_at_once_and_then_later_and_later(now: list[float]) -> None:
    memory = Memory()
    memory.keep(KEY, "mine", "mine", OBJ)
    waits = []
    for _ in range(12):
        assert memory.wait(KEY, "mine", "theirs") == 0
        waits.append(memory.wait(KEY, "mine", "theirs"))
        now[0] += waits[-1]
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]


@pytest.mark.parametrize(("mark", "found"), [("new", "mine"), ("mine", "mine"), ("mine", "")])
def test_own_changes_and_lost_marks_wait_for_nothing(mark: str, found: str) -> None:
    memory = Memory()
    memory.keep(KEY, "mine", "mine", OBJ)
    for _ in range(3):
        assert memory.wait(KEY, mark, found) == 0


def test_what_was_never_applied_here_waits_for_nothing() -> None:
    """A new leader of another version."""
    assert [Memory().wait(KEY, "mine", "theirs") for _ in range(3)] == [0, 0, 0]
