"""The columns of what a trainer has: a table of pandas or Arrow, an array, a mapping, a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from numbers import Integral
from typing import Any, NamedTuple

from evenkeel.trainer.profile.document import InvalidProfile
from evenkeel.trainer.profile.schema import TEXT, size


class Columns(NamedTuple):
    """values: by name, in order, each of `rows` rows. matrix: whether they were one array."""

    values: Mapping[str, Any]
    rows: int
    matrix: bool = False


def columns(data: Any, names: Sequence[str] | None, what: str, alone: str = "") -> Columns:
    """Takes apart what `profile` takes.

    names: of an array's columns, which has none. what: for messages. alone: the name of a single
    column that has none; where it is empty, there must be names. Raises InvalidProfile.
    """
    if hasattr(data, "toarray"):
        raise InvalidProfile(
            f"{what} is a sparse matrix: hand in .toarray() of a sample of its rows"
        )
    if hasattr(data, "to_pydict"):
        data = data.to_pydict()
    if isinstance(data, Mapping):
        return _checked(list(data.items()), what)
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        labels = list(data.columns)
        _names(labels, what)
        return _checked([(label, data[label]) for label in labels], what)
    if getattr(getattr(data, "dtype", None), "names", None):
        return _checked([(name, data[name]) for name in data.dtype.names], what)
    dimensions = getattr(data, "ndim", None)
    if dimensions == 2 and not (alone and data.shape[1] == 1):
        if names is None:
            raise InvalidProfile(
                f"{what} is an array, whose columns have no names: give "
                f"{'names=[...]' if not alone else 'a mapping of names to columns'}"
            )
        if len(names) != data.shape[1]:
            raise InvalidProfile(f"{what} has {data.shape[1]} columns, and names {len(names)}")
        named = [(name, data[:, index]) for index, name in enumerate(names)]
        return _checked(named, what)._replace(matrix=True)
    if alone and dimensions in (None, 1, 2) and isinstance(data, Sized):
        if isinstance(data, (str, bytes)):
            raise InvalidProfile(f"{what} is one text: hand in a value for each row")
        name = getattr(data, "name", None)
        return _checked([(alone if name is None else name, _flat(data, what))], what)
    raise InvalidProfile(
        f"{what} is of the type {type(data).__name__}: hand in a DataFrame, an array, a mapping of "
        "names to columns, or an iterator of such chunks"
    )


def _checked(named: Sequence[tuple[Any, Any]], what: str) -> Columns:
    names = _names([name for name, _ in named], what)
    values = [_flat(column, f"{what}[{name!r:.80}]") for name, (_, column) in zip(names, named)]
    rows = len(values[0]) if values else 0
    for name, column in zip(names, values):
        if len(column) != rows:
            raise InvalidProfile(
                f"{what}[{name!r:.80}] has {len(column)} rows, and {names[0]!r:.80} has {rows}"
            )
    return Columns(dict(zip(names, values)), rows)


def _names(labels: Iterable[Any], what: str) -> list[str]:
    found = [str(label) if isinstance(label, Integral) else label for label in labels]
    for name in found:
        if not isinstance(name, str) or not 0 < size(name) <= TEXT:
            raise InvalidProfile(
                f"{what} has a column with the name {name!r:.80}: a name is a text of 1 to {TEXT} "
                "bytes, as requests have it"
            )
    if len(set(found)) < len(found):
        twice = sorted(name for name in set(found) if found.count(name) > 1)
        raise InvalidProfile(f"{what} has the column {twice[0]!r:.80} twice: rename one")
    return found


def _flat(column: Any, what: str) -> Any:
    """One dimension; an array of one column becomes one. Iterators become lists."""
    shape = getattr(column, "shape", None)
    if shape is not None and len(shape) != 1:
        if len(shape) == 2 and shape[1] == 1 and hasattr(column, "dtype"):
            return column[:, 0]
        raise InvalidProfile(f"{what} has the shape {tuple(shape)}: name each of its columns")
    if isinstance(column, (str, bytes)) or not isinstance(column, Iterable):
        raise InvalidProfile(f"{what} must have a value for each row, not {column!r:.80}")
    return column if isinstance(column, Sized) else list(column)
