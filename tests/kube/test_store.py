"""The store: the newest version wins, deletions stick, indexes follow."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.kube.store import BURIALS, Store
from evenkeel.meta.objects import Key
from hypothesis import given
from hypothesis import strategies as st

JSON = dict[str, Any]
KEY = Key("Deployment", "shop", "fraud-1")
OWNER = "example.com/owner"


def deployment(version: int, uid: str = "u1", name: str = "fraud-1", **own: str) -> JSON:
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": uid,
            "resourceVersion": str(version),
            "labels": own.get("labels", {OWNER: own.get("owner", "fraud")}),
        },
        "spec": {"replicas": 1},
        "status": {},
    }


def version(store: Store) -> str | None:
    found = store.get(KEY)
    return found["metadata"]["resourceVersion"] if found else None


@given(st.permutations([1, 2, 3, 9, 10, 11]))
def test_newest_version_wins_in_any_order(order: list[int]) -> None:
    store = Store()
    for n in order:
        store.put("Deployment", deployment(n))
    assert version(store) == "11"


def test_says_whether_anything_changed() -> None:
    store = Store()
    assert store.put("Deployment", deployment(5))
    assert not store.put("Deployment", deployment(5)), "the watch's echo of an own write"
    assert not store.put("Deployment", deployment(4))
    assert store.put("Deployment", deployment(6))


def test_index_follows_the_labels() -> None:
    store = Store(indexed=[OWNER])
    store.put("Deployment", deployment(1, name="b"))
    store.put("Deployment", deployment(2, uid="u2", name="a"))
    names = [o["metadata"]["name"] for o in owned(store, "fraud")]
    assert names == ["a", "b"]
    store.put("Deployment", deployment(3, name="b", owner="churn"))
    assert [o["metadata"]["name"] for o in owned(store, "fraud")] == ["a"]
    assert [o["metadata"]["name"] for o in owned(store, "churn")] == ["b"]
    store.remove(Key("Deployment", "shop", "a"))
    assert owned(store, "fraud") == []
    assert store.count("Deployment") == 1


def owned(store: Store, name: str) -> list[JSON]:
    return store.labelled("Deployment", "shop", OWNER, name)


def test_late_answer_does_not_revive_what_was_deleted() -> None:
    store = Store()
    store.put("Deployment", deployment(5))
    assert store.remove(KEY, "u1", 9) is not None
    assert not store.put("Deployment", deployment(8)), "the answer to a write before the deletion"
    assert version(store) is None


def test_deletion_of_what_was_not_known_yet_also_sticks() -> None:
    store = Store()
    assert store.remove(KEY, "u1", 9) is None
    assert not store.put("Deployment", deployment(8)), "answer after the watch's add and delete"
    assert version(store) is None


def test_object_that_lost_its_label_comes_back_with_it() -> None:
    """A selecting watch reports a lost label as a deletion; the UID stays the same."""
    store = Store()
    store.put("Deployment", deployment(5))
    store.remove(KEY, "u1", 6)
    assert store.put("Deployment", deployment(7))
    assert version(store) == "7"


def test_a_label_that_was_given_back_outlasts_the_report_of_its_loss() -> None:
    """The answer to the write that gives it back may come first."""
    store = Store()
    store.put("Deployment", deployment(7))
    assert store.remove(KEY, "u1", 6) is None
    assert version(store) == "7"


def test_what_was_read_by_name_is_there_whatever_was_reported() -> None:
    store = Store()
    store.put("Deployment", deployment(5))
    store.remove(KEY, "u1", 6)
    assert not store.put("Deployment", deployment(6))
    assert store.put("Deployment", deployment(6), proven=True)
    assert version(store) == "6"


def test_successor_of_the_same_name_is_not_removed_by_the_old_ones_deletion() -> None:
    store = Store()
    store.put("Deployment", deployment(5))
    store.put("Deployment", deployment(12, uid="u2"))
    assert store.remove(KEY, "u1", 11) is None
    assert version(store) == "12"


def test_memory_of_deletions_is_bounded() -> None:
    store = Store()
    for n in range(BURIALS + 10):
        store.remove(KEY, f"u{n}", 10 + n)
    assert len(store._buried) == BURIALS
    newest = BURIALS + 9
    assert not store.put("Deployment", deployment(10, uid=f"u{newest}"))


def test_a_label_that_is_not_indexed_cannot_be_asked_for() -> None:
    store = Store(indexed=["example.com/other"])
    store.put("Deployment", deployment(1))
    with pytest.raises(LookupError, match=OWNER):
        owned(store, "fraud")


def test_kinds_with_an_entry_are_cut_down_and_others_kept_whole() -> None:
    store = Store(kept={"Deployment": ()})
    store.put("Deployment", deployment(1))
    store.put("Widget", deployment(1))
    assert store.get(KEY) != deployment(1)
    assert store.get(KEY._replace(kind="Widget")) == deployment(1)


def test_what_is_none_of_the_operator_s_is_not_kept() -> None:
    store = Store(slims={"Deployment": lambda d: d if d["metadata"]["name"] == "fraud-1" else None})
    assert not store.put("Deployment", deployment(1, name="other"))
    assert store.put("Deployment", deployment(1))
    assert store.keys("Deployment") == [KEY]
