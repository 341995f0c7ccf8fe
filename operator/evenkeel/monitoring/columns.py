"""Features and predictions by bins, as the profile has them and as they were counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

Kind = Literal["feature", "prediction"]
GroupName = Literal["Data", "Prediction", "Missing", "Unseen", "Risk"]
GROUPS: tuple[GroupName, ...] = ("Data", "Prediction", "Missing", "Unseen", "Risk")
MISSING, OTHER = "missing", "other"
"""Labels of the bins of values that are not there, and of categories the profile does not have."""
MOST_COLUMNS, MOST_BINS = 272, 64


class Bin(NamedTuple):
    """label: "0" and on, "other" or "missing". range: what a person reads."""

    label: str
    range: str
    rows: int


class Column(NamedTuple):
    """The reference of one feature or prediction."""

    kind: Kind
    name: str
    bins: tuple[Bin, ...]


class Labels(NamedTuple):
    """Of a block: how many were bad, of how many."""

    bad: int
    total: int


class Block(NamedTuple):
    """What was counted in one window: rows by column and label of the bin, and labels."""

    rows: Mapping[tuple[Kind, str], Mapping[str, int]]
    labels: Labels | None = None


class Histogram(NamedTuple):
    """What is compared: parts of a column's bins, each the sum of some labels."""

    group: GroupName
    kind: Kind
    name: str
    parts: tuple[tuple[str, ...], ...]
    ranges: tuple[str, ...]
    reference: tuple[int, ...]

    def counts(self, rows: Mapping[str, int]) -> tuple[int, ...]:
        """Rows by part."""
        return tuple(
            [
                rows.get(part[0], 0) if len(part) == 1 else sum([rows.get(one, 0) for one in part])
                for part in self.parts
            ]
        )


def histograms(columns: Sequence[Column]) -> tuple[Histogram, ...]:
    """All that there is to compare, in an order of their own.

    Left out is what can never tell: without rows in the reference, or with one part. Raises
    ValueError for a reference that is none.
    """
    if len(columns) > MOST_COLUMNS or len({(c.kind, c.name) for c in columns}) < len(columns):
        raise ValueError(f"a reference has {MOST_COLUMNS} columns at most, each name once a kind")
    found = [one for column in columns for one in _histograms(column)]
    told = [one for one in found if len(one.parts) > 1 and any(one.reference)]
    return tuple(sorted(told, key=lambda one: (GROUPS.index(one.group), one.kind, one.name)))


def _histograms(column: Column) -> Iterator[Histogram]:
    kind, name, bins = column
    counts = {one.label: one.rows for one in bins}
    if len(counts) < len(bins) or len(bins) > MOST_BINS + 2 or min(counts.values(), default=0) < 0:
        raise ValueError(f"the reference of {kind} {name!r} is damaged")

    def two(group: GroupName, **parts: tuple[str, ...]) -> Histogram:
        rows = tuple([sum([counts[label] for label in part]) for part in parts.values()])
        return Histogram(group, kind, name, tuple(parts.values()), tuple(parts), rows)

    known = [one for one in bins if one.label not in (MISSING, OTHER)]
    labels = tuple([one.label for one in known])
    yield Histogram(
        "Data" if kind == "feature" else "Prediction",
        kind,
        name,
        tuple([(label,) for label in labels]),
        tuple([one.range for one in known]),
        tuple([one.rows for one in known]),
    )
    if OTHER in counts:
        yield two("Unseen", unseen=(OTHER,), known=labels)
    if MISSING in counts:
        there = tuple([label for label in counts if label != MISSING])
        yield two("Missing", missing=(MISSING,), there=there)
