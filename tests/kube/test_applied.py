"""By the API server's account a manager knows whether it still has all that it applied."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from evenkeel.kube.applied import covers, owned_fields

JSON = dict[str, Any]

# As a kube-apiserver answers to what is below.
FIELDS: JSON = {
    "f:metadata": {
        "f:labels": {"f:a": {}},
        "f:ownerReferences": {'k:{"uid":"u"}': {}},
    },
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"m"}': {
                        ".": {},
                        "f:args": {},
                        "f:image": {},
                        "f:name": {},
                        "f:ports": {
                            'k:{"containerPort":8080,"protocol":"TCP"}': {
                                ".": {},
                                "f:containerPort": {},
                                "f:name": {},
                            }
                        },
                        "f:resources": {"f:limits": {"f:cpu": {}}},
                    }
                },
                "f:nodeSelector": {},
                "f:volumes": {'k:{"name":"v"}': {".": {}, "f:emptyDir": {}, "f:name": {}}},
            }
        },
        "f:finalizers": {'v:"kept"': {}},
    },
}
MANIFEST: JSON = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "m",
        "namespace": "shop",
        "labels": {"a": "b"},
        "ownerReferences": [{"uid": "u"}],
    },
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"a": "b"}},
        "finalizers": ["kept"],
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "m",
                        "image": "i",
                        "args": ["a"],
                        "env": [],
                        "ports": [{"containerPort": 8080, "name": "http"}],
                        "resources": {"limits": {"cpu": "1000m"}},
                    }
                ],
                "nodeSelector": {"disk": "ssd"},
                "volumes": [{"name": "v", "emptyDir": {}}],
            }
        },
    },
}


def account(fields: JSON = FIELDS, **more: Any) -> JSON:
    own = {"manager": "me", "operation": "Apply", "fieldsV1": fields, **more}
    other = {"manager": "other", "operation": "Apply", "fieldsV1": {"f:spec": {"f:x": {}}}}
    return {"managedFields": [other, own]}


def test_all_that_was_applied_is_covered() -> None:
    assert covers(owned_fields(account(), "me"), MANIFEST)


LOST = (
    ("f:metadata", "f:labels", "f:a"),
    ("f:spec", "f:replicas"),
    ("f:spec", "f:selector"),
    ("f:spec", "f:finalizers", 'v:"kept"'),
    ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"m"}', "f:image"),
    ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"m"}', "f:ports"),
    ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"m"}', "f:resources"),
    ("f:spec", "f:template", "f:spec", "f:volumes", 'k:{"name":"v"}', "f:emptyDir"),
    ("f:spec", "f:template"),
)


@pytest.mark.parametrize("path", LOST, ids="/".join)
def test_a_field_that_another_took_is_missed(path: tuple[str, ...]) -> None:
    fields = copy.deepcopy(FIELDS)
    node = fields
    for part in path[:-1]:
        node = node[part]
    del node[path[-1]]
    # The last one of a map leaves none of it.
    if not node:
        node["f:another"] = {}
    assert not covers(owned_fields(account(fields), "me"), MANIFEST)


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"managedFields": None},
        account(operation="Update"),
        account(subresource="status"),
        account(manager="another"),
    ],
)
def test_who_has_applied_nothing_covers_nothing(meta: JSON) -> None:
    assert owned_fields(meta, "me") == ""
    assert not covers("", MANIFEST)


def test_objects_alike_in_shape_share_one_text() -> None:
    other = copy.deepcopy(FIELDS)
    other["f:metadata"]["f:ownerReferences"] = {'k:{"uid":"another"}': {}}
    assert owned_fields(account(), "me") is owned_fields(account(other), "me")
