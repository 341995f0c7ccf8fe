"""The store holds little of a child, and still sees when another has changed it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from evenkeel.kube.trim import OWNED, OWNS_REPLICAS, Trim

JSON = dict[str, Any]
KEPT = {
    "Widget": ("replicas", "color"),
    "Bare": (),
}


def trim(kind: str, obj: JSON) -> JSON:
    return Trim(KEPT, {}, "tests", ["example.com/kept"])(kind, obj)


def widget(**more: Any) -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Widget",
        "metadata": {
            "name": "w",
            "uid": "u",
            "annotations": {"long": "x", "example.com/kept": "y"},
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
    assert found == {
        "metadata": {
            "name": "w",
            "uid": "u",
            "labels": {"a": "b"},
            "annotations": {"example.com/kept": "y"},
        },
        "spec": {"replicas": 2},
        "status": {"ready": 2},
        OWNED: "",
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


def test_what_the_manager_has_applied_is_kept() -> None:
    made = widget()
    fields = {"f:spec": {"f:color": {}}}
    made["metadata"]["managedFields"] = [
        {"manager": "tests", "operation": "Apply", "fieldsV1": fields}
    ]
    assert trim("Bare", made)[OWNED] == '{"f:metadata": {}, "f:spec": {"f:color": {}}}'


def test_equal_texts_of_many_objects_are_one_in_memory() -> None:
    one, other = (
        trim(
            "Other", json.loads('{"metadata": {}, "status": {"conditions": [{"reason": "Fine"}]}}')
        )
        for _ in range(2)
    )
    assert one["status"]["conditions"][0]["reason"] is other["status"]["conditions"][0]["reason"]
