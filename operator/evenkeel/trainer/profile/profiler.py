"""Counts the rows of a training, and makes the reference profile of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from evenkeel.trainer.profile.bins import Scale, binned, check_sizes, counted
from evenkeel.trainer.profile.columns import Columns, columns
from evenkeel.trainer.profile.document import InvalidProfile, Profile
from evenkeel.trainer.profile.schema import FEATURES, PREDICTIONS, VERSION
from evenkeel.trainer.profile.tally import Tally

PREDICTION = "prediction"
"""The name of a prediction that has none."""


class Expected(NamedTuple):
    """A column as a model's signature has it. kind: number, text, or empty for any."""

    name: str
    kind: str = ""
    required: bool = True
    tensor: str | None = None
    column: int | None = None


class Profiler:
    """A profile that grows by chunks of rows: in one pass, and in memory that does not grow.

    The result depends neither on chunks nor on the order of rows, but for the rounding of weights,
    and for a column with more texts than are told apart.
    """

    def __init__(
        self,
        *,
        bins: int = 10,
        categories: int = 20,
        tensor: str | None = None,
        output_tensor: str | None = None,
        names: Sequence[str] | None = None,
        only: Iterable[str] | None = None,
        source: str = "trainer",
        features: Sequence[Expected] = (),
        predictions: Sequence[Expected] = (),
    ) -> None:
        """bins, categories, tensor, output_tensor, names, only: as of `profile`.

        features, predictions: where they are known beforehand. Raises InvalidProfile.
        """
        check_sizes(bins, categories)
        if isinstance(names, str) or isinstance(only, str):
            raise InvalidProfile("names and only must be lists of names")
        self._bins, self._categories, self._source = bins, categories, source
        given_names = [column.name for column in features] or names
        self._features = _Part("features", tensor, given_names, only, features)
        self._predictions = _Part("predictions", output_tensor, None, None, predictions)
        self._rows = 0
        self._weight = self._squares = 0.0
        self._fault: InvalidProfile | None = None

    def add(
        self, features: Any, predictions: Any = None, weights: Iterable[float] | None = None
    ) -> None:
        """More rows. features, predictions, weights: as of `profile`. Raises InvalidProfile."""
        had = bool(self._predictions.tallies)
        if self._rows and had != (predictions is not None):
            raise InvalidProfile("some chunks have predictions, and some have none")
        given = self._features.read(features, "")
        told = self._predictions.read(predictions, PREDICTION) if predictions is not None else None
        shares = None if weights is None else _weights(weights, given.rows)
        if told is not None and told.rows != given.rows:
            raise InvalidProfile(
                f"predictions has {told.rows} rows, and features {given.rows}: predict the same "
                "rows"
            )
        try:
            self._features.count(given, shares)
            if told is not None:
                self._predictions.count(told, shares)
        except InvalidProfile as problem:
            # A part of the rows is counted, so that nothing good can come of it any more.
            self._fault = problem
            raise
        self._rows += given.rows
        self._weight += given.rows if shares is None else sum(shares)
        self._squares += given.rows if shares is None else sum(share**2 for share in shares)

    def profile(self) -> Profile:
        """The profile of all rows. Raises InvalidProfile."""
        if self._fault is not None:
            raise self._fault
        if not self._weight:
            raise InvalidProfile(
                "there are no rows to count: names and types alone make no profile, so add rows of "
                "the training data"
            )
        # Rows of unequal weight tell less than as many of equal weight (Kish 1965).
        rows = max(round(self._weight**2 / self._squares), 1)
        scale = Scale(rows, rows / self._weight, self._weight / self._rows)
        return Profile(
            {
                "schema": VERSION,
                "features": self._features.document(self._bins, self._categories, scale),
                "predictions": self._predictions.document(self._bins, self._categories, scale),
                "rows": rows,
                "source": self._source,
            }
        )


class _Part:
    """The features, or the predictions."""

    def __init__(
        self,
        what: str,
        tensor: str | None,
        names: Sequence[str] | None,
        only: Iterable[str] | None,
        expected: Sequence[Expected],
    ) -> None:
        self.what, self._tensor, self._names = what, tensor, names
        self._only = None if only is None else list(dict.fromkeys(only))
        self._expected = {column.name: column for column in expected}
        self._matrix = False
        self._positions: Mapping[str, int] = {}
        self.tallies: dict[str, Tally] = {}

    def read(self, data: Any, alone: str) -> Columns:
        """A chunk's columns, which must be those of the chunks before. Raises InvalidProfile."""
        if alone and len(self._expected) == 1:
            alone = next(iter(self._expected))
        found = columns(data, self._names, self.what, alone)
        wanted = self._expected or self.tallies or self._only or ()
        for name in wanted:
            column = self._expected.get(name)
            if name not in found.values and (column is None or column.required):
                known = ", ".join(found.values)[:500]
                raise InvalidProfile(f"{self.what} lacks the column {name!r:.80}; it has {known}")
        if not self.tallies:
            self._begin(found)
        return found

    def _begin(self, found: Columns) -> None:
        names = self._only or list(self._expected or found.values)
        most = FEATURES if self.what == "features" else PREDICTIONS
        if len(names) > most:
            remedy = "choose the most important ones (only=)" if most == FEATURES else "choose some"
            raise InvalidProfile(f"{len(names)} {self.what}, {most} at most: {remedy}")
        self._matrix = found.matrix
        order = list(self._expected or found.values)
        self._positions = {name: index for index, name in enumerate(order)}
        as_numbers = found.matrix or self._tensor is not None
        self.tallies = {name: Tally(truths_as_numbers=as_numbers) for name in names}

    def count(self, found: Columns, weights: Sequence[float] | None) -> None:
        for name, tally in self.tallies.items():
            if name not in found.values:
                tally.add_missing(weights if weights is not None else [1] * found.rows)
                continue
            try:
                tally.add(found.values[name], weights)
            except InvalidProfile as problem:
                raise InvalidProfile(f"{self.what}[{name!r:.80}]: {problem}") from None

    def document(self, bins: int, categories: int, scale: Scale) -> list[dict[str, Any]]:
        made = []
        for name, tally in self.tallies.items():
            expected = self._expected.get(name, Expected(name))
            found = binned(tally, bins, categories, scale.once)
            _check_kind(self.what, expected, tally)
            made.append({"name": name, **counted(found, tally.missing, scale), **self._place(name)})
        return made

    def _place(self, name: str) -> dict[str, Any]:
        expected = self._expected.get(name)
        tensor, column = self._tensor, None
        if tensor is not None or self._matrix:
            column = self._positions[name]
        if tensor is None and expected is not None:
            tensor, column = expected.tensor, expected.column
        if self.what == "predictions" and len(self._positions) == 1:
            column = None
        place = {"tensor": tensor, "column": column}
        return {key: value for key, value in place.items() if value is not None}


def _check_kind(what: str, expected: Expected, tally: Tally) -> None:
    found = "text" if tally.texts else "number" if tally.numbers else ""
    if expected.kind and found and found != expected.kind:
        raise InvalidProfile(
            f"{what}[{expected.name!r:.80}] has values of the kind {found}, and the model's "
            f"signature says {expected.kind}: hand in the columns as the model gets them"
        )


def _weights(weights: Iterable[float], rows: int) -> list[float]:
    found = [float(weight) for weight in weights]
    if len(found) != rows:
        raise InvalidProfile(f"weights has {len(found)} rows, and features {rows}")
    if not all(0 <= weight < float("inf") for weight in found):
        raise InvalidProfile("weights must be finite numbers from 0")
    return found


def profile(
    features: Any,
    predictions: Any = None,
    *,
    bins: int = 10,
    categories: int = 20,
    tensor: str | None = None,
    output_tensor: str | None = None,
    names: Sequence[str] | None = None,
    only: Iterable[str] | None = None,
    weights: Iterable[float] | None = None,
) -> Profile:
    """The reference profile of the rows that a model was trained on.

    features: a DataFrame, a mapping of names to columns, a structured array, or an array of shape
    (rows, columns) with names. Or an iterator of such chunks, or of tuples (features, predictions)
    or (features, predictions, weights), for data larger than memory: it is read once.
    predictions: the model's answers to the same rows; one column, or several with names.
    bins: of numbers, of about the same count. categories: kept at most, the most frequent first.
    tensor, output_tensor: the one V2 tensor, or key of a V1 object, that holds all features, or all
    predictions, as its columns. Without, each is found by its name, an array's by its position.
    only: the features to profile; positions stay those of all.
    weights: of rows, such as one by the probability with which a row was sampled.
    Raises InvalidProfile.
    """
    options = {"tensor": tensor, "output_tensor": output_tensor, "names": names, "only": only}
    profiler = Profiler(bins=bins, categories=categories, **options)  # type: ignore[arg-type]
    if not _are_chunks(features):
        profiler.add(features, predictions, weights)
        return profiler.profile()
    if predictions is not None or weights is not None:
        raise InvalidProfile(
            "features come in chunks: give tuples (features, predictions, weights) as chunks"
        )
    for chunk in features:
        profiler.add(*(chunk if isinstance(chunk, tuple) else (chunk,)))
    return profiler.profile()


def _are_chunks(features: Any) -> bool:
    if isinstance(features, Iterator):
        return True
    plain = isinstance(features, (list, tuple)) and bool(features)
    return plain and not isinstance(features[0], (int, float, str, bytes, list, type(None)))
