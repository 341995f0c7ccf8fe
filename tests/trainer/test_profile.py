"""The reference profile counts each row once, by the meter's own rule, wherever rows come from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from evenkeel.trainer.profile import InvalidProfile, Profile, Profiler, profile
from evenkeel.trainer.profile.cells import CELLS, Cells, key_of, number_of
from evenkeel.trainer.profile.tally import TEXTS
from hypothesis import example, given, settings
from hypothesis import strategies as st

finite = st.floats(allow_nan=False, allow_infinity=False)
few = st.sampled_from([0.0, -0.0, 0.1, 0.3, 1.0, 2.0, 5e-324, 1.7976931348623157e308])
numbers = st.lists(st.floats() | few | st.none() | st.integers(-3, 3), min_size=1, max_size=60)
words = st.text(max_size=3) | st.sampled_from(["1", "true", "\ud800", "x" * 257, ""])
mixed = st.lists(
    words | st.booleans() | st.none() | st.integers(-2, 2) | st.floats() | st.binary(max_size=2),
    min_size=1,
    max_size=60,
)
EVERY = settings(deadline=None, max_examples=300)


def category(value: Any) -> str:
    """As the meter writes a value."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        plain = f"{Decimal(repr(value)):f}" if 1e-6 <= abs(value) < 1e21 else repr(value)
        return "0" if value == 0 else plain.removesuffix(".0")
    return str(value)


def place(column: dict[str, Any], value: Any) -> Any:
    """Where the meter counts a value: the index of a bin, or else its name."""
    if value is None or value != value:
        return "missing"
    if column["type"] == "numeric":
        bounds = zip([-math.inf, *column["edges"]], [*column["edges"], math.inf], strict=True)
        return next(
            i for i, (low, high) in enumerate(bounds) if low < value <= high or value == low
        )
    text = category(value)
    return column["categories"].index(text) if text in column["categories"] else "other"


def assert_recounted(column: Any, values: Sequence[Any]) -> None:
    counted = Counter(place(column, value) for value in values)
    assert column["counts"] == [counted[i] for i in range(len(column["counts"]))]
    assert column["missing"] == counted["missing"]
    assert column.get("other", 0) == counted["other"]
    total = sum(column["counts"]) + column["missing"] + column.get("other", 0)
    assert total == len(values)


def only_feature(values: Any, **options: Any) -> Any:
    (column,) = profile({"x": values}, **options).features
    return column


@EVERY
@given(values=numbers, bins=st.integers(2, 64))
@example(values=[-1.7976931348623157e308], bins=2)
def test_numbers_are_counted_as_the_meter_counts_them(values: list[Any], bins: int) -> None:
    column = only_feature(values, bins=bins)
    assert_recounted(column, values)
    if column["type"] == "numeric":
        # A constant has a bin on either side.
        assert len(column["counts"]) <= max(bins, 3)


@EVERY
@given(values=mixed, categories=st.integers(1, 64))
def test_all_else_is_counted_as_the_meter_counts_it(values: list[Any], categories: int) -> None:
    column = only_feature(values, categories=categories)
    assert_recounted(column, values)
    if column["type"] == "categorical":
        assert len(column["categories"]) <= categories


@EVERY
@given(a=finite | few, b=finite | few)
def test_keys_rise_with_numbers(a: float, b: float) -> None:
    assert (key_of(a) < key_of(b)) == (a < b)
    assert number_of(key_of(a)) == a


@pytest.mark.parametrize("size", [100, CELLS, CELLS + 1, 60_000])
@pytest.mark.parametrize("weighed", [False, True])
def test_arrays_lists_chunks_and_orders_are_counted_alike(size: int, weighed: bool) -> None:
    draw = np.random.default_rng(size)
    values = np.concatenate(
        [draw.normal(290, 5, size - size // 4), draw.lognormal(0, 9, size // 4)]
    )
    weights = draw.integers(1, 4, size).astype(float) if weighed else None
    whole, parts, single = Cells(), Cells(), Cells()
    whole.add_array(values.copy(), weights, np)
    for chunk in np.array_split(draw.permutation(size), 7):
        parts.add_array(values[chunk], None if weights is None else weights[chunk], np)
    for index, value in enumerate(values.tolist()):
        single.add(value, 1 if weights is None else float(weights[index]))
    assert whole.shift == parts.shift == single.shift
    assert whole.counts == parts.counts == single.counts
    assert whole.exact == (size <= CELLS)
    assert CELLS / 2 < len(whole.counts) <= CELLS or whole.exact


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(0, 1, 100_000),
        np.random.default_rng(1).normal(1.7e9, 3, 100_000),
        np.random.default_rng(1).lognormal(0, 9, 100_000),
        np.random.default_rng(1).standard_cauchy(100_000),
    ],
    ids=["normal", "far from nought", "of all sizes", "heavy tails"],
)
def test_large_data_are_counted_exactly_and_evenly(values: Any) -> None:
    column = only_feature(values)
    counted = np.bincount(np.searchsorted(column["edges"], values), minlength=10)
    assert counted.tolist() == column["counts"]
    assert max(abs(count - 10_000) for count in column["counts"]) < 50


def test_chunks_make_the_same_file_as_the_whole() -> None:
    draw = np.random.default_rng(2)
    features = {
        "load": draw.gamma(2, 10, 40_000),
        "color": draw.choice(["red", "green", "blue"], 40_000),
        "doors": draw.integers(2, 6, 40_000),
    }
    told = draw.integers(0, 2, 40_000)
    whole = profile(features, told).text()
    cuts = range(0, 40_000, 7_000)
    chunks = (
        ({name: column[cut : cut + 7_000] for name, column in features.items()}, told[cut:][:7_000])
        for cut in cuts
    )
    assert profile(chunks).text() == whole
    lists = {name: column.tolist() for name, column in features.items()}
    assert profile(lists, told.tolist()).text() == whole


def test_a_value_with_much_of_the_mass_has_a_bin_of_its_own() -> None:
    draw = np.random.default_rng(3)
    column = only_feature(np.concatenate([np.zeros(600), draw.normal(0, 1, 400)]), bins=10)
    zero = place(column, 0.0)
    assert column["counts"][zero] in range(600, 620)
    assert len(column["counts"]) >= 5


@EVERY
@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.7, 1.1, 7.7]), min_size=1))
def test_single_precision_is_no_drift(values: list[float]) -> None:
    column = only_feature(values)
    served = [float(np.float32(value)) for value in values]
    assert [place(column, value) for value in served] == [place(column, v) for v in values]


@pytest.mark.parametrize("constant", [0.0, 0.7, -3.0, 1e300, 1e-300])
def test_a_constant_that_moves_is_seen(constant: float) -> None:
    column = only_feature([constant] * 200)
    step = max(abs(constant) * 0.01, 1e-3)
    away = {place(column, constant - step), place(column, constant + step)}
    assert place(column, constant) not in away


def test_few_whole_numbers_are_categories_and_many_are_not() -> None:
    codes = [1, 2, 3, None] * 100
    column = only_feature(codes)
    assert column["type"] == "categorical"
    assert column["categories"] == ["1", "2", "3"]
    # As pandas has them, beside NaN.
    assert only_feature([math.nan if code is None else float(code) for code in codes]) == column
    assert only_feature(list(range(21)) * 100)["type"] == "numeric"
    assert only_feature([0.5, 1.5] * 100)["type"] == "numeric"


def test_numbers_that_never_came_twice_are_no_categories() -> None:
    """Values are left that were not seen yet, and would all be unseen categories."""
    assert only_feature([3, 5, 8])["type"] == "numeric"
    assert only_feature([*[3, 5] * 100, 8])["type"] == "categorical"


def test_the_most_frequent_categories_are_kept() -> None:
    values = ["b"] * 3 + ["a"] * 3 + ["c"] * 9 + ["d", None]
    column = only_feature(values, categories=2)
    assert (column["categories"], column["counts"]) == (["c", "a"], [9, 3])
    assert (column["other"], column["missing"]) == (4, 1)


def test_texts_without_end_are_bounded() -> None:
    column = only_feature([str(i) for i in range(TEXTS + 5)] + ["0"] * 9)
    assert column["categories"][0] == "0"
    assert column["counts"][0] == 10
    assert sum(column["counts"]) + column["other"] == TEXTS + 14


def test_moments_are_watched_for_being_there_alone() -> None:
    """They never come again."""
    for moments in (
        [date(2024, 1, 1), None, datetime(2024, 1, 2, tzinfo=UTC), timedelta(1)],
        np.array(["2024-01-01", "NaT", "2024-01-02", "2024-01-03"], "datetime64[s]"),
        np.array([1, "NaT", 2, 3], "timedelta64[s]"),
        [np.datetime64("2024-01-01"), np.datetime64("NaT"), np.timedelta64(1, "s"), date.max],
    ):
        column = only_feature(moments)
        assert (column["categories"], column["other"], column["missing"]) == ([], 3, 1)


def test_numbers_of_all_kinds_are_numbers() -> None:
    values = [0.25, Fraction(1, 2), Decimal("0.75"), np.float32(1.25), np.int8(2), 10**400]
    column = only_feature([*values, Decimal("NaN"), Decimal("sNaN"), -(10**400)])
    assert_recounted(
        {**column, "missing": 0}, [float(v) for v in values[:5]] + [math.inf, -math.inf]
    )
    assert column["missing"] == 2
    for dtype in ("f2", "f4", "i1", "u8", "g"):
        array = np.array([1, 2, 3] * 9, dtype)
        assert only_feature(array)["categories"] == ["1", "2", "3"]


def test_masked_arrays_have_missing_values() -> None:
    masked = np.ma.masked_array([1.5, 2.5, 3.5], [False, True, False])
    assert only_feature(masked)["missing"] == 1
    assert only_feature([1.5, np.ma.masked])["missing"] == 1
    two = profile(np.ma.masked_array(np.ones((2, 2)), [[1, 0], [0, 0]]), names=["a", "b"])
    assert [column["missing"] for column in two.features] == [1, 0]


def test_truth_values_are_written_as_requests_have_them() -> None:
    truths = [True, False, True, None]
    assert only_feature(truths)["categories"] == ["true", "false"]
    assert only_feature(np.array([True, False, True]))["categories"] == ["true", "false"]
    # A tensor has one type for all columns.
    assert only_feature(truths * 50, tensor="input-0")["categories"] == ["1", "0"]
    matrix = profile(np.array([[True, False]] * 200), names=["a", "b"])
    assert [column["categories"] for column in matrix.features] == [["1"], ["0"]]


def test_columns_are_found_by_position_in_an_array_and_by_name_in_a_table() -> None:
    array = np.arange(12.0).reshape(4, 3)
    names = ["a", "b", "c"]

    def places(**options: Any) -> list[tuple[Any, Any]]:
        found = profile(**options).features
        return [(column.get("tensor"), column.get("column")) for column in found]

    table = dict(zip(names, array.T, strict=True))
    assert places(features=array, names=names) == [(None, 0), (None, 1), (None, 2)]
    assert places(features=array, names=names, only=["c", "a"]) == [(None, 2), (None, 0)]
    assert places(features=table) == [(None, None)] * 3
    assert places(features=table, tensor="in", only=["b"]) == [("in", 1)]
    structured = np.zeros(4, [("a", "f8"), ("b", "i8")])
    assert places(features=structured) == [(None, None)] * 2


def test_predictions_are_found_by_tensor_or_name() -> None:
    table, array = {"x": [1.5, 2.5]}, np.array([[0.1], [0.9]])

    def predicted(*given: Any, **options: Any) -> list[Any]:
        found = profile(table, *given, **options).predictions
        return [(c["name"], c.get("tensor"), c.get("column")) for c in found]

    assert predicted(array) == [("prediction", None, None)]
    assert predicted(array[:, 0], output_tensor="predict") == [("prediction", "predict", None)]
    probabilities = {"cat": array[:, 0], "dog": array[:, 0]}
    assert predicted(probabilities) == [("cat", None, None), ("dog", None, None)]
    assert predicted(probabilities, output_tensor="p") == [("cat", "p", 0), ("dog", "p", 1)]
    assert predicted() == []


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", 0.5, 1.5, None]), st.floats(0, 100)), min_size=1
    ).filter(lambda rows: sum(weight for _, weight in rows) > 1e-9)
)
def test_weighed_rows_add_up_too(rows: list[tuple[Any, float]]) -> None:
    values, weights = zip(*rows, strict=True)
    found = profile({"x": values}, weights=weights)
    (column,) = found.features
    total = sum(column["counts"]) + column["missing"] + column.get("other", 0)
    assert total == found.rows <= len(rows)


def test_weights_undo_an_uneven_sample() -> None:
    """Of the rare ones every row was sampled, of the others each tenth."""
    values = ["rare"] * 1000 + ["usual"] * 900
    found = profile({"x": values}, weights=[1.0] * 1000 + [10.0] * 900)
    (column,) = found.features
    shares = [count / found.rows for count in column["counts"]]
    assert column["categories"] == ["usual", "rare"]
    assert shares == pytest.approx([0.9, 0.1], abs=0.001)
    # 10000^2 / (1000 + 90000): as many rows of equal weight tell as much.
    assert found.rows == 1099
    equal = profile({"x": values}, weights=[7.5] * 1900)
    assert equal.text() == profile({"x": values}).text()


def refusal(*given: Any, **options: Any) -> str:
    with pytest.raises(InvalidProfile) as refused:
        profile(*given, **options)
    return str(refused.value)


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ([np.ones((2, 3))], {}, "whose columns have no names: give names=[...]"),
        ([np.ones((2, 3))], {"names": ["a"]}, "features has 3 columns, and names 1"),
        ([np.ones((2, 3))], {"names": "abc"}, "names and only must be lists"),
        ([np.ones(3)], {}, "features is of the type ndarray: hand in a DataFrame"),
        ([np.ones((2, 2, 2))], {"names": ["a", "b"]}, "features is of the type ndarray"),
        (["text"], {}, "features is of the type str"),
        ([None], {}, "features is of the type NoneType"),
        ([[{"a": 1}, [3]]], {}, "features['a'] must have a value for each row, not 1"),
        ([[1, 2]], {}, "features is of the type list"),
        ([{}], {}, "there are no rows"),
        ([{"a": []}], {}, "there are no rows to count"),
        ([iter(())], {}, "there are no rows to count"),
        ([{"a": [1], "b": [1, 2]}], {}, "features['b'] has 2 rows, and 'a' has 1"),
        ([{"a": "text"}], {}, "features['a'] must have a value for each row"),
        ([{"a": np.ones((2, 2))}], {}, "features['a'] has the shape (2, 2): name each"),
        ([{"a": [[1], [2]]}], {}, "features['a']: it has values of the type list: make numbers"),
        ([{"a": [1j]}], {}, "values of the type complex"),
        ([{"a": np.array([1j])}], {}, "values of the type complex"),
        ([{"": [1]}], {}, "a column with the name ''"),
        ([{("a", "b"): [1]}], {}, "a column with the name ('a', 'b')"),
        ([{"ü" * 129: [1]}], {}, "a name is a text of 1 to 256 bytes"),
        ([{"\ud800": [1]}], {}, "a column with the name"),
        ([{"1": [1], 1: [1]}], {}, "the column '1' twice"),
        ([{str(i): [1] for i in range(257)}], {}, "257 features, 256 at most: choose the most"),
        ([{"a": [1]}, {str(i): [1] for i in range(17)}], {}, "17 predictions, 16 at most"),
        ([{"a": [1]}, [1, 2]], {}, "predictions has 2 rows, and features 1"),
        ([{"a": [1]}, "x"], {}, "predictions is one text"),
        ([{"a": [1]}, 7], {}, "predictions is of the type int"),
        ([{"a": [1]}, np.ones((1, 2))], {}, "give a mapping of names to columns"),
        ([{"a": [1]}], {"only": ["b"]}, "features lacks the column 'b'; it has a"),
        ([{"a": [1]}], {"only": "a"}, "names and only must be lists"),
        ([{"a": [1]}], {"bins": 1}, "bins must be from 2 to 64, not 1"),
        ([{"a": [1]}], {"bins": True}, "bins must be from 2 to 64"),
        ([{"a": [1]}], {"categories": 65}, "categories must be from 1 to 64"),
        ([{"a": [1]}], {"weights": [1, 2]}, "weights has 2 rows, and features 1"),
        ([{"a": [1]}], {"weights": [-1]}, "weights must be finite numbers from 0"),
        ([{"a": [1]}], {"weights": [math.nan]}, "weights must be finite numbers from 0"),
        ([{"a": [1]}], {"weights": [0]}, "there are no rows to count"),
        ([[{"a": [1]}, {"b": [1]}]], {}, "features lacks the column 'a'; it has b"),
        ([[({"a": [1]}, [1]), {"a": [1]}]], {}, "some chunks have predictions, and some"),
        ([iter([{"a": [1]}]), [1]], {}, "features come in chunks: give tuples"),
    ],
)
def test_what_makes_no_profile_is_told_with_a_remedy(
    given: list[Any], options: dict[str, Any], words: str
) -> None:
    assert words in refusal(*given, **options)


def test_a_chunk_that_is_refused_is_not_counted_in_part() -> None:
    profiler = Profiler()
    profiler.add({"a": [1.5], "b": ["x"]})
    with pytest.raises(InvalidProfile):
        profiler.add({"a": [2.5], "b": ["x", "y"]})
    with pytest.raises(InvalidProfile):
        profiler.add({"a": [2.5], "b": ["x"]}, [1])
    assert isinstance(found := profiler.profile(), Profile)
    assert found.rows == 1
    for fails in (lambda: profiler.add({"a": [1.5], "b": [[1]]}), profiler.profile):
        with pytest.raises(InvalidProfile, match="values of the type list"):
            fails()


def test_a_column_without_any_value_is_missing() -> None:
    found = profile({"a": [None, math.nan], "b": np.array([math.nan] * 2)})
    assert [column["missing"] for column in found.features] == [2, 2]
    assert [sum(column["counts"]) for column in found.features] == [0, 0]
