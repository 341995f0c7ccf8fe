"""What a field manager has applied to an object, as the API server keeps account of it.

Whoever else changes or removes a field takes it from its manager (metadata.managedFields). A
manager that still has all fields of what it applied last need not apply it again.
"""

from __future__ import annotations

import json
import sys
from typing import Any

JSON = dict[str, Any]

_IDENTITY = ("name", "namespace", "ownerReferences")
_OWNERS = "f:ownerReferences"


def owned_fields(meta: JSON, manager: str) -> str:
    """The fields that the manager has by server-side apply, as JSON (FieldsV1); "" if none.

    Objects alike in shape share one text: it holds no values, and the owners are left out.
    """
    for entry in meta.get("managedFields") or ():
        if entry.get("manager") != manager or entry.get("operation") != "Apply":
            continue
        if entry.get("subresource"):
            continue
        fields = entry.get("fieldsV1") or {}
        of_meta = {k: v for k, v in fields.get("f:metadata", {}).items() if k != _OWNERS}
        return sys.intern(json.dumps({**fields, "f:metadata": of_meta}, sort_keys=True))
    return ""


def covers(fields: str, manifest: JSON) -> bool:
    """Whether the owned fields are all that the manifest states, but for its identity."""
    if not fields:
        return False
    node = json.loads(fields)
    meta = {k: v for k, v in manifest["metadata"].items() if k not in _IDENTITY}
    content = {k: v for k, v in manifest.items() if k not in ("apiVersion", "kind", "metadata")}
    return _owns(node, {**content, "metadata": meta})


def _owns(node: JSON, value: Any) -> bool:
    if not node:
        # A leaf: a scalar, an empty object, or one that is owned as a whole.
        return True
    if isinstance(value, dict):
        # No account is kept of an empty list or of nothing.
        return all(
            v is None or v == [] or (f"f:{k}" in node and _owns(node[f"f:{k}"], v))
            for k, v in value.items()
        )
    if isinstance(value, list):
        return all(_owns_item(node, item) for item in value)
    return True


def _owns_item(node: JSON, item: Any) -> bool:
    for name, below in node.items():
        sort, _, text = name.partition(":")
        if sort == "v" and json.loads(text) == item:
            return True
        # The API server names an item by its keys, defaults among them (a port's protocol).
        if sort == "k" and isinstance(item, dict):
            keys = json.loads(text)
            if all(item.get(k, v) == v for k, v in keys.items()) and _owns(below, item):
                return True
    return False
