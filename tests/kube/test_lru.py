"""A bounded memory keeps what is used."""

from __future__ import annotations

from evenkeel.kube.lru import Lru


def test_the_least_recently_used_makes_room() -> None:
    memory: Lru[str, int] = Lru(2)
    memory.put("a", 1)
    memory.put("b", 2)
    assert memory.get("a") == 1
    memory.put("c", 3)
    assert memory.get("b") is None
    assert (memory.get("a"), memory.get("c"), len(memory)) == (1, 3, 2)


def test_a_value_written_again_counts_as_used() -> None:
    memory: Lru[str, int] = Lru(2)
    memory.put("a", 1)
    memory.put("b", 2)
    memory.put("a", 3)
    memory.put("c", 4)
    assert (memory.get("a"), memory.get("b")) == (3, None)


def test_what_is_dropped_is_gone() -> None:
    memory: Lru[str, int] = Lru(2)
    memory.put("a", 1)
    memory.drop("a")
    memory.drop("never there")
    assert (memory.get("a"), len(memory)) == (None, 0)
