"""What a signature tells, as MLmodel files have it. MLflow itself is in tests/integrations."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from evenkeel.trainer.profile import InvalidProfile, from_mlflow_signature

COLUMNS = [
    {"type": "double", "name": "price", "required": True},
    {"type": "string", "name": "city", "required": True},
    {"type": "long", "name": "rooms", "required": False},
]
ROWS: dict[str, Any] = {
    "city": ["Rome", "Oslo", None, "Rome"],
    "spare": [1, 2, 3, 4],
    "price": [1.5, 2.5, math.nan, 0.5],
}


def signature(inputs: Any, outputs: Any = None) -> dict[str, Any]:
    plain = {"inputs": json.dumps(inputs), "params": None}
    return plain if outputs is None else {**plain, "outputs": json.dumps(outputs)}


def tensor(*shape: int, name: str | None = None, dtype: str = "float64") -> dict[str, Any]:
    named = {} if name is None else {"name": name}
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}, **named}


def test_columns_have_the_signature_s_order_and_optional_ones_may_be_absent() -> None:
    skeleton = from_mlflow_signature(signature(COLUMNS, [{"type": "double", "required": True}]))
    skeleton.add(ROWS, [0.5, 1.5, 2.5, 3.5])
    skeleton.add({**ROWS, "rooms": [1, 2, 3, 4]}, np.arange(4.0))
    found = skeleton.profile()
    assert [column["name"] for column in found.features] == ["price", "city", "rooms"]
    assert [column["missing"] for column in found.features] == [2, 2, 4]
    assert [column["name"] for column in found.predictions] == ["prediction"]
    assert found.document["source"] == "mlflow"
    assert all("column" not in column for column in found.features)


def test_a_tensor_without_a_name_has_columns_by_position() -> None:
    skeleton = from_mlflow_signature(signature([tensor(-1, 2)], [tensor(-1, dtype="int64")]))
    skeleton.add(np.array([[0.5, 1.5], [2.5, 3.5]]), np.array([0, 1]))
    found = skeleton.profile()
    places = [(column["name"], column["column"]) for column in found.features]
    assert places == [("0", 0), ("1", 1)]
    with pytest.raises(InvalidProfile, match="features has 3 columns, and names 2"):
        skeleton.add(np.ones((2, 3)), np.ones(2))


def test_tensors_with_names_are_columns() -> None:
    given = [tensor(-1, 1, name="a"), tensor(-1, name="b", dtype="str")]
    skeleton = from_mlflow_signature(signature(given, [tensor(-1, 1, name="score")]))
    skeleton.add({"a": np.ones((2, 1)), "b": ["x", "y"]}, {"score": np.array([0.5, 1.5])})
    found = skeleton.profile()
    assert [column["name"] for column in found.features] == ["a", "b"]
    assert [column["name"] for column in found.predictions] == ["score"]


def test_columns_without_names_are_known_by_position() -> None:
    skeleton = from_mlflow_signature(signature([{"type": "double"}, {"type": "long"}]))
    skeleton.add(np.array([[0.5, 1], [1.5, 2]]))
    assert [column["column"] for column in skeleton.profile().features] == [0, 1]


def test_what_is_neither_number_nor_text_is_left_out_with_a_warning() -> None:
    lists = {"type": "array", "items": {"type": "double"}, "name": "embedding", "required": True}
    with pytest.warns(UserWarning, match="column 'embedding' is left out: the signature says 'arr"):
        skeleton = from_mlflow_signature(signature([*COLUMNS, lists]))
    skeleton.add(ROWS)
    assert len(skeleton.profile().features) == 3


def test_options_are_those_of_a_profile() -> None:
    skeleton = from_mlflow_signature(signature(COLUMNS), only=["city"], tensor="in", categories=1)
    skeleton.add(ROWS)
    (column,) = skeleton.profile().features
    assert (column["name"], column["tensor"], column["column"]) == ("city", "in", 1)
    assert (column["categories"], column["other"]) == (["Rome"], 1)


def test_a_signature_alone_gives_no_counts() -> None:
    skeleton = from_mlflow_signature(signature(COLUMNS))
    with pytest.raises(InvalidProfile, match="names and types alone make no profile, so add rows"):
        skeleton.profile()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"city": ["Rome"]}, "features lacks the column 'price'; it has city"),
        (
            {**ROWS, "price": ["a"] * 4},
            "has values of the kind text, and the model's signature says",
        ),
        (
            {**ROWS, "city": [1.5] * 4},
            "values of the kind number, and the model's signature says text",
        ),
    ],
)
def test_rows_that_the_model_would_not_take_are_refused(rows: Any, words: str) -> None:
    skeleton = from_mlflow_signature(signature(COLUMNS))

    def filled() -> None:
        skeleton.add(rows)
        skeleton.profile()

    with pytest.raises(InvalidProfile, match=words):
        filled()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "the signature has no inputs"),
        ({}, "the signature has no inputs"),
        ({"inputs": "[]"}, "no column of the signature's inputs"),
        ({"inputs": "{"}, "inputs of the signature cannot be read"),
        ({"inputs": "3"}, "inputs of the signature cannot be read"),
        ({"inputs": "[3]"}, "inputs of the signature cannot be read"),
        ({"inputs": '[{"name": "a"}]'}, "inputs of the signature cannot be read"),
        ({"inputs": 7}, "inputs of the signature cannot be read"),
        (signature([{"type": "tensor"}]), "inputs of the signature cannot be read"),
        (signature([{"type": ["double"]}]), "inputs of the signature cannot be read"),
        (signature([tensor(-1, 28, 28)]), "has the shape (-1, 28, 28): give its columns names"),
        (signature([tensor(-1, 4, name="x")]), "tensor 'x' has the shape (-1, 4)"),
        (signature([tensor(-1, -1)]), "has the shape (-1, -1)"),
        (signature([{"type": "object", "properties": {}, "name": "a"}]), "no column of the sig"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*is left out")
def test_signatures_that_tell_no_columns_are_refused(given: Any, words: str) -> None:
    with pytest.raises(InvalidProfile) as refused:
        from_mlflow_signature(given)
    assert words in str(refused.value)
