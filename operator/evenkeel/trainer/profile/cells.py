"""Exact counts of numbers in bounded memory, from which edges can be chosen afterwards.

A double's bits, read as a number with a sign, have the doubles' own order. Their upper bits make a
cell; as long as there are more than CELLS, all cells become twice as wide. So each cell's count is
exact, whatever the order and the chunks in which the numbers came, and few distinct numbers keep a
cell each. No other sketch of quantiles gives both (Greenwald and Khanna 2001 and KLL approximate
ranks).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

CELLS = 8192
"""At most. Of normal numbers one has about a thousandth."""
_SIZE = 0x7FFF_FFFF_FFFF_FFFF
_GREATEST = 0x7FEF_FFFF_FFFF_FFFF


class Cells:
    """Counts, or sums of weights, of finite numbers."""

    def __init__(self) -> None:
        self.shift = 0
        self.counts: dict[int, float] = {}

    def __bool__(self) -> bool:
        return bool(self.counts)

    @property
    def exact(self) -> bool:
        """Whether each distinct number still has a cell of its own."""
        return self.shift == 0

    def add(self, number: float, count: float) -> None:
        """One finite number."""
        key = key_of(number) >> self.shift
        self.counts[key] = self.counts.get(key, 0) + count
        while len(self.counts) > CELLS:
            self._widen(self.shift + 1)

    def add_array(self, numbers: Any, weights: Any, numpy: Any) -> None:
        """Finite numbers as an array of float64; weights: None, or an array of them."""
        if not numbers.size:
            return
        bits = numbers.view(numpy.int64)
        keys = numpy.where(bits < 0, -(bits & _SIZE), bits)
        if weights is None:
            keys.sort()
        else:
            order = numpy.argsort(keys, kind="stable")
            keys, weights = keys[order], weights[order]
        shift = _fitting(keys, self.shift)
        keys >>= shift
        starts = _starts(keys, numpy)
        if weights is None:
            counts = numpy.diff(starts, append=keys.size)
        else:
            counts = numpy.add.reduceat(weights, starts)
        if shift > self.shift:
            self._widen(shift)
        for key, count in zip(keys[starts].tolist(), counts.tolist()):
            self.counts[key] = self.counts.get(key, 0) + count
        while len(self.counts) > CELLS:
            self._widen(self.shift + 1)

    def _widen(self, shift: int) -> None:
        wide: dict[int, float] = {}
        for key, count in self.counts.items():
            key >>= shift - self.shift
            wide[key] = wide.get(key, 0) + count
        self.counts, self.shift = wide, shift

    def rising(self) -> Iterator[tuple[float, float, float]]:
        """The least and the greatest number that a cell may have, and its count."""
        last = (1 << self.shift) - 1
        for key in sorted(self.counts):
            first = key << self.shift
            yield number_of(first), number_of(first + last), self.counts[key]


def _starts(keys: Any, numpy: Any) -> Any:
    """Where each key begins among sorted ones."""
    return numpy.flatnonzero(numpy.append(True, keys[1:] != keys[:-1]))


def _fitting(keys: Any, shift: int) -> int:
    """The least shift, from this one on, with which sorted keys have CELLS at most."""
    least, most = shift, 63
    while least < most:
        middle = (least + most) // 2
        cells = keys >> middle
        if int((cells[1:] != cells[:-1]).sum()) < CELLS:
            most = middle
        else:
            least = middle + 1
    return least


def key_of(number: float) -> int:
    """A whole number that rises with the double."""
    (bits,) = struct.unpack("<q", struct.pack("<d", number))
    return -(bits & _SIZE) if bits < 0 else int(bits)


def number_of(key: int) -> float:
    """The double of a key, or the greatest one."""
    size = min(abs(key), _GREATEST)
    (number,) = struct.unpack("<d", struct.pack("<q", size))
    return -number if key < 0 else float(number)
