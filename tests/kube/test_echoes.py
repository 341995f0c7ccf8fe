"""A report of what was put in before is known without parsing; whatever else is parsed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from evenkeel.kube.store import Store

JSON = dict[str, Any]


def widget(version: int, **spec: Any) -> JSON:
    meta = {"name": "fraud", "namespace": "shop", "uid": "u", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": spec}


def report(obj: JSON, type_: str = "MODIFIED") -> bytes:
    return json.dumps({"type": type_, "object": obj}, separators=(",", ":")).encode() + b"\n"


@pytest.fixture
def store() -> Store:
    made = Store()
    made.put("Widget", widget(5))
    made.put("Widget", widget(7))
    return made


@pytest.mark.parametrize("version", [5, 7])
def test_what_was_put_in_is_known(store: Store, version: int) -> None:
    assert store.knows("Widget", report(widget(version)))


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("Widget", report(widget(8))),
        ("Gadget", report(widget(7))),
        ("Widget", report(widget(7), "DELETED")),
        ("Widget", report(widget(8, held={"resourceVersion": "7"}))),
        ("Widget", report(widget(8, said='{"resourceVersion":"7"}'))),
    ],
    ids=["newer", "another kind", "deleted", "holds another", "speaks of another"],
)
def test_anything_else_is_not(store: Store, kind: str, line: bytes) -> None:
    assert not store.knows(kind, line)


def test_what_the_store_would_not_take_is_not_known() -> None:
    store = Store()
    store.put("Widget", widget(9))
    store.put("Widget", widget(4))
    assert not store.knows("Widget", report(widget(4)))
