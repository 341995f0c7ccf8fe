"""Events found by their labels: a column for each label asked for, sets as bits of a number.

A storm of alerts meets many schedules; a set of ten thousand events is a number of 1,250 bytes, so
that each matcher costs one look at its column and each schedule a few operations on numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

PARTS = 64


class Labelled:
    """The label sets of events; the one at position n is bit n. A missing label counts as empty."""

    def __init__(self, labels: Sequence[Mapping[str, str]]) -> None:
        self._labels = labels
        self._columns: dict[str, dict[str, list[int]]] = {}
        self._parts: dict[tuple[str, int], dict[str, list[int]]] = {}
        self._equal: dict[tuple[str, str], int] = {}
        self.all = (1 << len(labels)) - 1

    def equal(self, name: str, value: str) -> int:
        """The events whose label has that value."""
        found = self._equal.get((name, value))
        if found is None:
            found = bits(self._column(name).get(value, ()))
            self._equal[name, value] = found
        return found

    def where(self, name: str, holds: Callable[[str], bool], among: int) -> int:
        """The events among those given whose label's value holds; each value is tried once."""
        if not among:
            return 0
        values = self._values(name, among)
        return bits(n for value, at in values.items() if holds(value) for n in at)

    def _values(self, name: str, among: int) -> dict[str, list[int]]:
        """The column of some events; schedules of one namespace ask for the same again."""
        if among == self.all:
            return self._column(name)
        known = self._parts.get((name, among))
        if known is None:
            if len(self._parts) >= PARTS:
                self._parts.clear()
            known = self._parts[name, among] = {}
            for n in positions(among):
                known.setdefault(self._labels[n].get(name, ""), []).append(n)
        return known

    def _column(self, name: str) -> dict[str, list[int]]:
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = {}
            for n, labels in enumerate(self._labels):
                column.setdefault(labels.get(name, ""), []).append(n)
        return column


def bits(positions: Iterable[int]) -> int:
    """The set as a number."""
    octets = bytearray()
    for n in positions:
        index = n >> 3
        if index >= len(octets):
            octets.extend(bytes(index + 1 - len(octets)))
        octets[index] |= 1 << (n & 7)
    return int.from_bytes(octets, "little")


def positions(among: int) -> Iterator[int]:
    """The members of the set, in order."""
    octets = among.to_bytes((among.bit_length() + 7) // 8, "little")
    for index, octet in enumerate(octets):
        if octet:
            for bit in range(8):
                if octet >> bit & 1:
                    yield index * 8 + bit
