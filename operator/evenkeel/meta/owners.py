"""Who controls an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def controller_of(meta: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The owner reference of an object's controller; None if nobody controls it."""
    owners: list[Mapping[str, Any]] = meta.get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)


def owner_reference(api_version: str, kind: str, name: str, uid: str) -> dict[str, Any]:
    """The controller reference that lets the garbage collector remove children."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def left_behind(meta: Mapping[str, Any], api_version: str, kind: str, name: str, uid: str) -> bool:
    """Whether nobody controls the object any more who is of that kind and name.

    Only one object has a name at a time: where the one with that UID has it, a controller of the
    same name with another UID is gone. A restore leaves objects so, or without any owner.
    """
    owner = controller_of(meta)
    if owner is None:
        return not meta.get("ownerReferences")
    same = (owner.get("apiVersion"), owner.get("kind"), owner.get("name"))
    return same == (api_version, kind, name) and owner.get("uid") != uid
