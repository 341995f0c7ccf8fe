"""The store holds little of a child, and still sees when another has changed it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from evenkeel.kube.trim import OWNS_REPLICAS, SPEC_DIGEST, Trim, applied_digest

JSON = dict[str, Any]
KEPT = {
    "Widget": ("replicas", "color"),
    "Bare": (),
}


def trim(kind: str, obj: JSON) -> JSON:
    return Trim(KEPT, {}, "tests")(kind, obj)


def widget(**more: Any) -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Widget",
        "metadata": {
            "name": "w",
            "uid": "u",
            "annotations": {"long": "x"},
            "labels": {"a": "b"},
            "managedFields": [
                {"manager": "tests", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            ],
        },
        "spec": {"replicas": 2, "template": {"long": "x"}},
        "status": {"ready": 2},
        **more,
    }


def test_only_what_is_read_is_kept() -> None:
    found = trim("Widget", widget())
    digest = found.pop(SPEC_DIGEST)
    assert isinstance(digest, str)
    assert found == {
        "metadata": {"name": "w", "uid": "u", "labels": {"a": "b"}},
        "spec": {"replicas": 2},
        "status": {"ready": 2},
        OWNS_REPLICAS: True,
    }


def test_a_kind_of_which_nothing_is_read_keeps_its_identity() -> None:
    found = trim("Bare", widget())
    assert found["spec"] == {}
    assert found["metadata"]["uid"] == "u"
    assert OWNS_REPLICAS not in found


def test_a_kind_without_an_entry_is_kept_but_for_its_managed_fields() -> None:
    expected = widget()
    del expected["metadata"]["managedFields"]
    assert trim("Other", widget()) == expected


@pytest.mark.parametrize(
    ("entries", "owns"),
    [
        ([], False),
        (None, False),
        ([{"manager": "tests", "fieldsV1": {"f:spec": {"f:color": {}}}}], False),
        ([{"manager": "autoscaler", "fieldsV1": {"f:spec": {"f:replicas": {}}}}], False),
        ([{"manager": "tests", "fieldsV1": {"f:status": {}}}, {"manager": "tests"}], False),
        (
            [{"manager": "x"}, {"manager": "tests", "fieldsV1": {"f:spec": {"f:replicas": {}}}}],
            True,
        ),
    ],
)
def test_who_owns_the_replicas(entries: list[JSON] | None, owns: bool) -> None:
    made = widget()
    made["metadata"]["managedFields"] = entries
    assert trim("Widget", made)[OWNS_REPLICAS] is owns


@pytest.mark.parametrize("kind", ["Bare", "Other"])
def test_the_digest_tells_a_foreign_change_and_nothing_else(kind: str) -> None:
    def digest(**more: Any) -> str:
        return applied_digest(trim(kind, copy.deepcopy(widget(**more))))

    before = digest()
    assert digest(status={"ready": 0}) == before
    assert digest(spec={"replicas": 2, "template": {}}) != before
    assert digest(data={"key": "of a kind without a spec"}) != before
    meta = widget()["metadata"]
    assert digest(metadata=meta | {"resourceVersion": "9"}) == before
    assert digest(metadata=meta | {"labels": {}}) != before
    assert digest(metadata=meta | {"ownerReferences": [{"uid": "o"}]}) != before
    as_listed = widget()
    del as_listed["apiVersion"], as_listed["kind"]
    assert applied_digest(trim(kind, as_listed)) == before


def test_a_generation_stands_for_the_content() -> None:
    meta = widget()["metadata"]
    old = trim("Bare", widget(metadata=meta | {"generation": 1}))
    same = trim("Bare", widget(metadata=meta | {"generation": 1}, spec={"defaulted": True}))
    new = trim("Bare", widget(metadata=meta | {"generation": 2}))
    assert applied_digest(old) == applied_digest(same) != applied_digest(new)
