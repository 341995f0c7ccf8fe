"""What was counted of one column: its values by kind, from whatever library they came.

numpy and pandas are never imported: where the caller has arrays, numpy is loaded already.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from evenkeel.trainer.profile.cells import Cells
from evenkeel.trainer.profile.document import InvalidProfile

TEXTS = 100_000
"""Distinct texts that are told apart; those that come first after so many others are `other`."""

_MISSING = ("NoneType", "NAType", "NaTType", "MaskedConstant")
_MOMENTS = ("datetime64", "timedelta64", "Period")


class Tally:
    """Counts of a column's rows, or sums of their weights.

    low, high: infinite numbers. others: values that never come again, such as moments.
    """

    def __init__(self, *, truths_as_numbers: bool = False) -> None:
        self.numbers = Cells()
        self.low: float = 0
        self.high: float = 0
        self.texts: dict[str, float] = {}
        self.truths: dict[bool, float] = {}
        self.others: float = 0
        self.missing: float = 0
        self._truths_as_numbers = truths_as_numbers

    def add(self, values: Any, weights: Sequence[float] | None) -> None:
        """The values of more rows. Raises InvalidProfile for what is neither number nor text."""
        numpy, dtype = sys.modules.get("numpy"), getattr(values, "dtype", None)
        if numpy is None or dtype is None:
            self._add_list(list(values), weights, numpy)
        elif getattr(dtype, "name", "") == "category":
            self._add_codes(values, weights, numpy)
        else:
            there = _there(values, dtype, numpy)
            weighed = None if weights is None else numpy.asarray(weights, dtype=numpy.float64)
            if there is not None and not there.all():
                self.missing += _total(~there, weighed)
                values = values[there]
                weighed = None if weighed is None else weighed[there]
            self._add_array(values, getattr(dtype, "kind", "O"), weighed, numpy)

    def add_missing(self, weights: Iterable[float]) -> None:
        """Rows in which there is no such column."""
        self.missing += sum(weights)

    def _add_codes(self, values: Any, weights: Any, numpy: Any) -> None:
        """pandas' categoricals: each category is a text, numbers too."""
        codes = numpy.asarray(values.cat.codes) + 1
        labels = values.cat.categories.tolist()
        sums = numpy.bincount(codes, weights, minlength=len(labels) + 1).tolist()
        self.missing += sums[0]
        for label, count in zip(labels, sums[1:]):
            if count:
                self._add_text(category(label), count)

    def _add_array(self, values: Any, kind: str, weights: Any, numpy: Any) -> None:
        if kind in "iuf":
            self._add_numbers(numpy.array(values, dtype=numpy.float64), weights, numpy)
        elif kind == "b":
            truths = numpy.asarray(values, dtype=bool)
            for truth, rows in ((False, ~truths), (True, truths)):
                self._add_truth(truth, _total(rows, weights))
        elif kind in "Mm":
            self.others += _total(numpy.ones(len(values), dtype=bool), weights)
        else:
            plain = values.tolist() if hasattr(values, "tolist") else list(values)
            self._add_objects(plain, None if weights is None else weights.tolist())

    def _add_list(self, values: Sequence[Any], weights: Any, numpy: Any) -> None:
        if numpy is not None and set(map(type, values)) <= {int, float}:
            try:
                numbers = numpy.array(values, dtype=numpy.float64)
            except OverflowError:
                return self._add_objects(values, weights)
            weighed = None if weights is None else numpy.asarray(weights, dtype=numpy.float64)
            return self._add_numbers(numbers, weighed, numpy)
        return self._add_objects(values, weights)

    def _add_numbers(self, numbers: Any, weights: Any, numpy: Any) -> None:
        """An array of float64 that is nobody else's."""
        finite = numpy.isfinite(numbers)
        if not finite.all():
            self.missing += _total(numpy.isnan(numbers), weights)
            self.low += _total(numbers == -math.inf, weights)
            self.high += _total(numbers == math.inf, weights)
            numbers = numbers[finite]
            weights = None if weights is None else weights[finite]
        self.numbers.add_array(numbers, weights, numpy)

    def _add_objects(self, values: Sequence[Any], weights: Sequence[float] | None) -> None:
        adders: Mapping[str, Callable[[Any, float], None]] = {
            "missing": self._add_moment,
            "truth": self._add_truth,
            "number": self._add_number,
            "text": self._add_text,
            "moment": self._add_moment,
        }
        types = set(map(type, values))
        for type_ in sorted(types, key=lambda t: (t.__module__, t.__qualname__)):
            kind = _kind(type_)
            plain = _PLAIN[kind]
            if weights is None:
                counts: Mapping[Any, float] = Counter(
                    plain(value) for value in values if type(value) is type_
                )
            else:
                counts = _weighed(values, weights, type_, plain)
            for value, count in counts.items():
                adders[kind](value, count)

    def _add_truth(self, truth: bool, count: float) -> None:
        if not count:
            return
        if self._truths_as_numbers:
            self.numbers.add(float(truth), count)
        else:
            self.truths[truth] = self.truths.get(truth, 0) + count

    def _add_number(self, number: float | None, count: float) -> None:
        if number is None:
            self.missing += count
        elif math.isfinite(number):
            self.numbers.add(number, count)
        elif number < 0:
            self.low += count
        else:
            self.high += count

    def _add_text(self, text: str, count: float) -> None:
        if text in self.texts or len(self.texts) < TEXTS:
            self.texts[text] = self.texts.get(text, 0) + count
        else:
            self.others += count

    def _add_moment(self, there: bool, count: float) -> None:
        if there:
            self.others += count
        else:
            self.missing += count


def category(value: Any) -> str:
    """As the meter writes it: a text, or what JSON has, whole numbers without a point."""
    if isinstance(value, str):
        return value
    if _kind_or_none(type(value)) == "truth":
        return "true" if value else "false"
    if isinstance(value, Integral):
        return str(int(value))
    if _kind_or_none(type(value)) == "number":
        return _written(float(value))
    return str(value)


def _written(number: float) -> str:
    """As JSON has numbers, without a trailing .0."""
    if not 1e-6 <= abs(number) < 1e21:
        return "0" if number == 0 else repr(number)
    return format(Decimal(repr(number)), "f").removesuffix(".0")


def _there(values: Any, dtype: Any, numpy: Any) -> Any:
    """Which rows have a value, as the column's own library tells; None if only values tell it."""
    if isinstance(values, numpy.ma.MaskedArray):
        return ~numpy.ma.getmaskarray(values)
    if getattr(dtype, "kind", "O") in "Mm" and isinstance(dtype, numpy.dtype):
        return ~numpy.isnat(numpy.asarray(values))
    if not isinstance(dtype, numpy.dtype) and hasattr(values, "notna"):
        return numpy.asarray(values.notna(), dtype=bool)
    return None


def _total(rows: Any, weights: Any) -> float:
    return int(rows.sum()) if weights is None else float(weights[rows].sum())


def _weighed(
    values: Sequence[Any], weights: Sequence[float], type_: type, plain: Any
) -> Mapping[Any, float]:
    found: dict[Any, float] = {}
    for value, weight in zip(values, weights):
        if type(value) is type_:
            key = plain(value)
            found[key] = found.get(key, 0) + weight
    return found


def _kind(type_: type) -> str:
    kind = _kind_or_none(type_)
    if kind is None:
        raise InvalidProfile(
            f"it has values of the type {type_.__name__}: make numbers or texts of them, each "
            "number of a list in a column of its own, or leave the column out (only=)"
        )
    return kind


def _kind_or_none(type_: type) -> str | None:
    if type_.__name__ in _MISSING:
        return "missing"
    if issubclass(type_, (date, time, timedelta)) or type_.__name__ in _MOMENTS:
        return "moment"
    if issubclass(type_, bool) or (type_.__module__, type_.__name__[:4]) == ("numpy", "bool"):
        return "truth"
    if issubclass(type_, (Real, Decimal)):
        return "number"
    if issubclass(type_, (str, bytes)):
        return "text"
    return None


def _number(value: Any) -> float | None:
    """None for NaN, of which a Counter would keep each."""
    try:
        number = float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


_PLAIN: Mapping[str, Any] = {
    "missing": lambda value: False,
    "truth": bool,
    "number": _number,
    "text": _text,
    "moment": lambda value: bool(value == value),
}
