"""Indices of the store: objects of a kind and a namespace by what is read from them, in order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

JSON = dict[str, Any]


class Entry(NamedTuple):
    """Under which value an object is found, and its place among those of the same value."""

    value: str
    rank: str = ""


class Index(NamedTuple):
    """Finds objects. kind: of which kind, "" for all. entries: those of an object."""

    name: str
    kind: str
    entries: Callable[[JSON], Iterable[Entry]]


def by_label(label: str) -> Index:
    """Finds the objects of all kinds by the value of a label; bears the label's name."""

    def entries(obj: JSON) -> tuple[Entry, ...]:
        value = (obj["metadata"].get("labels") or {}).get(label)
        return () if value is None else (Entry(value),)

    return Index(label, "", entries)


class Indices:
    """The names of objects by index, kind, namespace and value, ordered by rank, then name.

    A change costs the logarithm of how many share its values, and so does a look.
    """

    def __init__(self, indices: Iterable[Index]) -> None:
        self._indices = tuple(indices)
        self._of_kind: dict[str, tuple[Index, ...]] = {}
        self._known = {index.name for index in self._indices}
        self._found: dict[tuple[str, str, str, str], list[tuple[str, str]]] = {}

    def change(self, kind: str, before: JSON | None, after: JSON | None) -> None:
        """Takes note of an object that came, changed or went; name and namespace stay."""
        meta = (after or before or {})["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
        for index in self._concerned(kind):
            old = set() if before is None else set(index.entries(before))
            new = set() if after is None else set(index.entries(after))
            for value, rank in old - new:
                self._remove((index.name, kind, namespace, value), (rank, name))
            for value, rank in new - old:
                of_value = self._found.setdefault((index.name, kind, namespace, value), [])
                insort(of_value, (rank, name))

    def find(self, index: str, kind: str, namespace: str, value: str) -> Sequence[tuple[str, str]]:
        """Rank and name of the objects with that value, in order. Raises LookupError for an index
        that there is not."""
        if index not in self._known:
            raise LookupError(f"the store has no index {index}")
        return self._found.get((index, kind, namespace, value), ())

    def _concerned(self, kind: str) -> tuple[Index, ...]:
        known = self._of_kind.get(kind)
        if known is None:
            known = tuple(i for i in self._indices if i.kind in ("", kind))
            self._of_kind[kind] = known
        return known

    def _remove(self, key: tuple[str, str, str, str], place: tuple[str, str]) -> None:
        of_value = self._found[key]
        del of_value[bisect_left(of_value, place)]
        if not of_value:
            del self._found[key]
