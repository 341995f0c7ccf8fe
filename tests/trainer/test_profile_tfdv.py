"""Statistics of TFDV become a profile: recorded ones, made ones and broken ones.

data/FeatureStats.pb is what TFDV 1.16 counted for tests/integrations/profile_with_tfdv.py, which
compares all of it with a recount.
"""

from __future__ import annotations

import contextlib
import struct
import warnings
from pathlib import Path
from typing import Any

import pytest
from evenkeel.trainer.profile import InvalidProfile, from_tfdv
from hypothesis import given, settings
from hypothesis import strategies as st

RECORDED = Path(__file__).parent / "data" / "FeatureStats.pb"
CONTENT = RECORDED.read_bytes()
ROWS = 20_000


def field(number: int, value: int | float | bytes | str) -> bytes:
    """One field of a message of protocol buffers."""
    if isinstance(value, float):
        return bytes([number << 3 | 1]) + struct.pack("<d", value)
    if isinstance(value, int):
        return bytes([number << 3]) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(value: int) -> bytes:
    return bytes([value & 127 | 128]) + varint(value >> 7) if value > 127 else bytes([value])


def dataset(*features: bytes, name: str = "", rows: int = 10) -> bytes:
    inner = field(1, name) + field(2, rows) + b"".join(field(3, feature) for feature in features)
    return field(1, inner)


def numeric(
    *buckets: tuple[float, float, float], name: str = "x", values: int = 10, most: int = 1
) -> bytes:
    parts = b"".join(
        field(3, field(1, float(low)) + field(2, float(high)) + field(4, float(count)))
        for low, high, count in buckets
    )
    common = field(1, field(4, most) + field(8, values))
    return field(1, name) + field(2, 1) + field(3, common + field(8, parts + field(4, 1)))


def texts(*ranks: tuple[str | bytes, float], name: str = "x", values: int = 10) -> bytes:
    buckets = b"".join(field(1, field(4, label) + field(5, count)) for label, count in ranks)
    common = field(1, field(4, 1) + field(8, values))
    return field(1, name) + field(2, 2) + field(4, common + field(5, buckets))


def record(content: bytes) -> bytes:
    """As TFRecord files have it; nobody looks at the sums."""
    return struct.pack("<Q", len(content)) + bytes(4) + content + bytes(4)


def column(feature: bytes, **options: Any) -> Any:
    (found,) = from_tfdv(dataset(feature), **options).features
    return found


def test_recorded_statistics_are_read() -> None:
    found = from_tfdv(RECORDED)
    columns = {column["name"]: column for column in found.features}
    assert (found.rows, found.predictions, found.document["source"]) == (ROWS, [], "tfdv")
    for name, column in columns.items():
        total = sum(column["counts"]) + column["missing"] + column.get("other", 0)
        assert total == ROWS, name
    assert columns["normal"]["missing"] == columns["color"]["missing"] == 2029
    assert len(columns["normal"]["edges"]) == 9
    # Values that come often keep their mass, below and above in another precision, too.
    assert columns["prices"]["counts"] == [5931, 7992, 4045, 2032]
    assert columns["prices"]["edges"] == pytest.approx([0.1, 4.65, 5.45], rel=2e-6)
    assert columns["prices"]["edges"][2] > 5.45
    assert columns["truth"]["edges"] == [0.5]
    assert columns["constant"]["counts"] == [0, ROWS, 0]
    assert columns["color"]["categories"] == ["green", "red", "blue"]
    assert columns["street"]["other"] > 0


def test_features_are_chosen_and_found_by_position_in_a_tensor() -> None:
    found = from_tfdv(CONTENT, only=["color", "normal"], tensor="in", categories=2).features
    assert [(c["name"], c["tensor"], c["column"]) for c in found] == [
        ("color", "in", 7),
        ("normal", "in", 0),
    ]
    assert len(found[0]["categories"]) == 2
    assert found[0]["other"] > 0


def test_records_messages_bytes_and_paths_are_read_alike(tmp_path: Path) -> None:
    class Message:
        def SerializeToString(self) -> bytes:
            return CONTENT

    file = tmp_path / "statistics"
    file.write_bytes(record(CONTENT))
    found = from_tfdv(CONTENT)
    assert found == from_tfdv(Message()) == from_tfdv(file) == from_tfdv(str(file))


def test_a_split_is_chosen_by_name() -> None:
    train, evaluated = dataset(texts(("a", 7.0)), name="train"), dataset(name="eval")
    assert from_tfdv(train + evaluated, dataset="train").rows == 10
    whole = dataset(texts(("a", 7.0)), name="All Examples", rows=12)
    assert from_tfdv(record(train) + record(whole)).rows == 12
    with pytest.raises(InvalidProfile, match=r"choose one .* 'train', 'eval'"):
        from_tfdv(train + evaluated)


def test_equal_quantiles_are_one_edge_with_all_of_the_mass() -> None:
    found = column(numeric((0, 0, 2), (0, 0, 2), (0, 3, 1), (3, 5, 5)))
    assert found["edges"] == pytest.approx([0, 3])
    assert found["counts"] == [4, 1, 5]


def test_many_quantiles_become_as_many_bins_as_are_wanted() -> None:
    found = column(numeric(*((i, i + 1, 0.1) for i in range(100))), bins=5)
    assert found["edges"] == pytest.approx([20, 40, 60, 80], rel=1e-5)
    assert found["counts"] == [2] * 5


@pytest.mark.parametrize("sizes", [{"bins": 1}, {"bins": 65}, {"categories": 0}])
def test_no_more_bins_than_a_profile_may_have(sizes: dict[str, int]) -> None:
    with pytest.raises(InvalidProfile, match="must be from"):
        from_tfdv(CONTENT, **sizes)  # type: ignore[arg-type]


def test_infinite_quantiles_are_no_edges() -> None:
    infinite = float("inf")
    found = column(numeric((-infinite, -infinite, 2), (-infinite, 1, 3), (1, infinite, 5)))
    assert found["edges"] == pytest.approx([1])
    assert found["counts"] == [5, 5]
    assert column(numeric((infinite, infinite, 10)))["counts"] == [10]
    assert column(numeric((0, float("nan"), 10)))["counts"] == [10]


def test_what_is_not_there_is_missing() -> None:
    assert column(numeric((0, 1, 4), (1, 2, 4), values=8))["missing"] == 2
    assert column(texts(("a", 7.0), values=8)) == {
        "name": "x",
        "type": "categorical",
        "categories": ["a"],
        "counts": [7],
        "other": 1,
        "missing": 2,
    }
    assert column(numeric(values=0))["missing"] == 10


def test_texts_that_cannot_be_written_are_other() -> None:
    found = column(texts(("__BYTES_VALUE__", 3.0), ("x" * 257, 3.0), ("a", 2.0)))
    assert (found["categories"], found["other"]) == (["a"], 8)


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (numeric((0, 1, 10), most=2), "it has up to 2 values in an example, not one"),
        (numeric((0, 1, 10), values=11), "it has 11 values in 10 examples"),
        (numeric(), "it has no histogram of quantiles"),
        (texts(("a", 11.0)), "its ranks have more than its 10 values"),
        (field(1, "x"), "it has neither numbers nor texts"),
        (field(1, "x") + field(3, 7), "field 3 is of another type than statistics have"),
    ],
)
def test_a_feature_that_cannot_be_profiled_is_left_out_with_a_warning(
    feature: bytes, words: str
) -> None:
    content = dataset(feature, numeric((0, 1, 10), name="good"))
    with pytest.warns(UserWarning, match=f"the feature 'x' is left out: {words}"):
        found = from_tfdv(content)
    assert [column["name"] for column in found.features] == ["good"]
    with pytest.raises(InvalidProfile, match=f"the feature 'x': {words}"):
        from_tfdv(content, only=["x"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (7, "statistics are of the type int"),
        (b"", r"choose one of the statistics' datasets \(dataset=\): none"),
        (b"datasets {\n  num_examples: 20\n}", "these are no statistics of TFDV"),
        (CONTENT[:-1], "it ends in the midst of a message"),
        (dataset(rows=0), "the statistics are of no examples"),
        (dataset(), "neither features nor predictions"),
        (
            dataset(*(numeric((0, 1, 10), name=str(i)) for i in range(257))),
            "257 features, 256 at most",
        ),
    ],
)
def test_what_are_no_statistics_is_refused(given: Any, words: str) -> None:
    with pytest.raises(InvalidProfile, match=words):
        from_tfdv(given)
    with pytest.raises(InvalidProfile, match="the statistics lack the feature 'y'; they have x"):
        from_tfdv(dataset(numeric((0, 1, 10))), only=["y"])


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=40), st.integers(0, len(CONTENT)), st.integers(0, 40))
def test_damaged_bytes_are_refused_or_read(noise: bytes, at: int, lost: int) -> None:
    for content in (noise, CONTENT[:at] + noise + CONTENT[at + lost :]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(InvalidProfile):
                from_tfdv(content)
