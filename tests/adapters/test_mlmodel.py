"""What is read of an MLmodel, and of files that only call themselves so."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from evenkeel.adapters.mlflow.mlmodel import EVENTS, MLmodel, mlmodel

from tests.support.mlflow_registry import MLMODEL


def test_flavors_and_signature() -> None:
    assert mlmodel(MLMODEL.encode()) == MLmodel(("python_function", "sklearn"), True)
    text = "flavors: {onnx: {code: null}}\nsignature: null\n"
    assert mlmodel(text.encode()) == MLmodel(("onnx",), False)


def test_a_signature_of_many_columns_is_read() -> None:
    columns = [{"type": "double", "name": f"column {n}"} for n in range(5000)]
    text = f"flavors: {{python_function: {{}}}}\nsignature:\n  inputs: '{json.dumps(columns)}'\n"
    assert mlmodel(text.encode()) == MLmodel(("python_function",), True)


def test_names_elsewhere_are_no_flavors() -> None:
    text = "a: [{flavors: {b: 1}}]\nflavors:\n  onnx: {flavors: {c: 1}, d: [e]}\ninputs: 1\n"
    assert mlmodel(text.encode()) == MLmodel(("onnx",), False)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe\x00",
        b"flavors: [python_function]",
        b"? {flavors: {a: 1}}\n: b",
        b"flavors: {%s: 1}" % (b"a" * 200),
        b"flavors: {%s}" % b", ".join(b"f%d: 1" % n for n in range(100)),
        b"a: " + b"[" * 50_000,
        b"a: {b: " * 50_000,
        b"- " * 100_000,
        b"flavors: {a: 1}\nb: [" + b"1," * EVENTS + b"]",
    ],
)
def test_what_is_none(text: bytes) -> None:
    with pytest.raises(ValueError, match="it "):
        mlmodel(text)


def test_references_are_not_expanded() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x]"]
    lines += [f"{c}: &{c} [{', '.join([f'*{b}'] * 8)}]" for b, c in zip("abcdefg", "bcdefgh")]  # noqa: B905
    text = "\n".join([*lines, "flavors: {onnx: *h}"]).encode()
    tracemalloc.start()
    try:
        assert mlmodel(text).flavors == ("onnx",)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
