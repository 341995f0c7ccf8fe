"""From what was counted of a column to its edges or categories, and its counts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from evenkeel.trainer.profile.document import InvalidProfile
from evenkeel.trainer.profile.schema import BINS, TEXT, WHOLE, size
from evenkeel.trainer.profile.tally import Tally, category

UNSEEN = 0.01
"""More of the mass than this may not be left for whole numbers that were not seen yet."""
NEAR = 1e-6
"""Of a constant: what a tensor of single precision may change is less, and no drift."""


def check_sizes(bins: int, categories: int) -> None:
    """Raises InvalidProfile for numbers of bins or categories that no profile may have."""
    for name, given, least in (("bins", bins, 2), ("categories", categories, 1)):
        if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= BINS:
            raise InvalidProfile(f"{name} must be from {least} to {BINS}, not {given!r:.80}")


class Binned(NamedTuple):
    """own: `edges`, or `categories`. counts: of bins. other: None for numbers in bins."""

    type: str
    own: Mapping[str, Sequence[Any]]
    counts: Sequence[float]
    other: float | None


class Scale(NamedTuple):
    """From what was counted, such as weights, to rows. once: what a row counts on average."""

    rows: int
    factor: float = 1
    once: float = 1


def counted(found: Binned, missing: float, scale: Scale) -> dict[str, Any]:
    """The profile's fields: whole numbers that add up to the rows, with what is largest of a
    fraction rounded up."""
    others = [] if found.other is None else [found.other]
    exact = [count * scale.factor for count in (*found.counts, *others, missing)]
    whole = [int(count) for count in exact]
    rest = scale.rows - sum(whole)
    by_remainder = sorted(range(len(exact)), key=lambda i: (whole[i] - exact[i], i))
    for index in by_remainder[:rest]:
        whole[index] += 1
    bins = len(found.counts)
    made: dict[str, Any] = {"type": found.type, **found.own, "counts": whole[:bins]}
    if others:
        made["other"] = whole[bins]
    return {**made, "missing": whole[-1]}


def binned(tally: Tally, bins: int, categories: int, once: float) -> Binned:
    """once: what a value counts that was seen once.

    By kind: texts, truth values and few whole numbers are categories, other numbers have bins.

    Categories tell apart whatever bins would, and values that were never seen besides. So whole
    numbers with few values are categories, unless others are to be expected: the share of
    values that were seen once estimates the mass of those not seen yet (Good 1953).
    """
    if tally.texts or tally.truths or tally.others:
        return _categorical(tally, categories)
    if _are_codes(tally, categories, once):
        return _categorical(tally, categories)
    return _numeric(tally, bins)


def _are_codes(tally: Tally, categories: int, once: float) -> bool:
    counts = tally.numbers.counts.values()
    if not 0 < len(counts) <= categories or not tally.numbers.exact or tally.low or tally.high:
        return False
    numbers = [number for number, _, _ in tally.numbers.rising()]
    if not all(number.is_integer() and abs(number) <= WHOLE for number in numbers):
        return False
    seen_once = sum(count for count in counts if count <= once)
    return seen_once <= UNSEEN * sum(counts)


def _categorical(tally: Tally, categories: int) -> Binned:
    found = dict(tally.texts)
    for truth, count in tally.truths.items():
        found[category(truth)] = found.get(category(truth), 0) + count
    other = tally.others + tally.low + tally.high
    for number, _, count in tally.numbers.rising():
        if tally.numbers.exact:
            found[category(number)] = found.get(category(number), 0) + count
        else:
            other += count
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    kept = [(text, count) for text, count in ranked if can_be_written(text)][:categories]
    other += sum(found.values()) - sum(count for _, count in kept)
    texts, counts = [text for text, _ in kept], [count for _, count in kept]
    return Binned("categorical", {"categories": texts}, counts, max(other, 0))


def can_be_written(text: str) -> bool:
    return size(text) <= TEXT


def _numeric(tally: Tally, bins: int) -> Binned:
    cells = list(tally.numbers.rising())
    below = list(accumulate((count for _, _, count in cells), initial=0))
    edges: list[float] = []
    counts: list[float] = [0]
    if len(cells) == 1:
        edges, counts = of_constant(cells[0][0], below[-1])
    elif cells:
        chosen = cuts(below, bins)
        edges = [_between(cells[cut - 1][1], cells[cut][0]) for cut in chosen]
        ends = [below[cut] for cut in chosen] + [below[-1]]
        counts = [end - start for start, end in zip([0, *ends], ends)]
    counts[0] += tally.low
    counts[-1] += tally.high
    return Binned("numeric", {"edges": edges}, counts, None)


def cuts(below: Sequence[float], bins: int) -> list[int]:
    """Before which cells to cut, for bins of about the same count; a cell is never divided.

    below: the count before each cell, and of all. The nearest cut to each quantile is taken once,
    so that a value with much of the mass has a bin of its own.
    """
    found = set()
    for part in range(1, bins):
        target = below[-1] * part / bins
        after = min(max(bisect_left(below, target), 1), len(below) - 2)
        before = max(after - 1, 1)
        found.add(min((before, after), key=lambda cut: abs(below[cut] - target)))
    return sorted(found)


def _between(low: float, high: float) -> float:
    """The shortest number well between two; the lower one if there is none between.

    Not one of the data's own numbers: a tensor of single precision would move it over the edge.
    """
    middle = low / 2 + high / 2
    quarter = high / 4 - low / 4
    for digits in range(1, 18):
        short = float(f"{middle:.{digits}g}")
        if low < short < high and low + quarter <= short <= high - quarter:
            return short
    return low


def of_constant(constant: float, number: float) -> tuple[list[float], list[float]]:
    """Edges and counts: a bin for the constant, and one on each side of it, if there is one."""
    near = max(abs(constant) * NEAR, 1e-18)
    largest = 1.7976931348623157e308
    low, high = max(constant - near, -largest), min(constant + near, largest)
    return ([low, high], [0, number, 0]) if low < constant else ([high], [number, 0])
