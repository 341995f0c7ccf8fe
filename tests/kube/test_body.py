"""Bodies that an API server reads as JSON and as YAML alike."""

from __future__ import annotations

import json

import yaml
from evenkeel.kube.body import encoded
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_the_same_by_json_and_by_yaml(text: str) -> None:
    body = encoded({"message": text})
    assert json.loads(body) == {"message": text}
    assert yaml.safe_load(body) == {"message": text}


@given(st.text(st.characters(categories=["Cs", "Lu"])))
def test_halves_of_characters_are_replaced(text: str) -> None:
    (read,) = json.loads(encoded([text]))
    assert [c for c in read if c != "\ufffd"] == [c for c in text if not "\ud800" <= c <= "\udfff"]
