"""Indices follow whatever happens to objects, and keep their order."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.kube.index import Entry, Index
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from hypothesis import given
from hypothesis import strategies as st

JSON = dict[str, Any]
COLORS = Index("widgets of a color", "Widget", lambda o: map(Entry._make, o["spec"]["colors"]))
Change = tuple[str, list[tuple[str, str]] | None]


def widget(name: str, version: int, colors: list[tuple[str, str]]) -> JSON:
    meta = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {"colors": colors}}


def found(store: Store, color: str) -> list[str]:
    return [o["metadata"]["name"] for o in store.found(COLORS.name, "Widget", "shop", color)]


COLORED = st.lists(
    st.tuples(st.sampled_from(["red", "blue"]), st.sampled_from(["1", "2", "3"])), max_size=3
)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.none() | COLORED), max_size=30))
def test_an_index_says_what_a_scan_would_in_the_order_of_ranks(changes: list[Change]) -> None:
    store = Store(indices=[COLORS])
    now: dict[str, list[tuple[str, str]]] = {}
    for version, (name, colors) in enumerate(changes, start=1):
        if colors is None:
            store.remove(Key("Widget", "shop", name))
            now.pop(name, None)
        else:
            store.put("Widget", {**widget(name, version, colors)})
            now[name] = colors
    for color in ("red", "blue"):
        scanned = sorted({(r, n) for n, own in now.items() for c, r in own if c == color})
        assert found(store, color) == [name for _, name in scanned]
        last = store.from_last(COLORS.name, "Widget", "shop", color)
        assert [o["metadata"]["name"] for o in last] == [name for _, name in reversed(scanned)]
        assert store.number(COLORS.name, "Widget", "shop", color) == len(scanned)
    assert {key.name for key in store.keys("Widget")} == set(now)


def test_an_index_is_of_its_kind_and_of_a_namespace() -> None:
    store = Store(indices=[COLORS])
    store.put("Widget", widget("a", 1, [("red", "1")]))
    store.put("Gadget", widget("a", 1, [("red", "1")]))
    assert not [*store.found(COLORS.name, "Gadget", "shop", "red")]
    assert not [*store.found(COLORS.name, "Widget", "bank", "red")]
    with pytest.raises(LookupError, match="gadgets"):
        store.found("gadgets of a color", "Gadget", "shop", "red")
