"""Labels and names of everything that the operator creates."""

from __future__ import annotations

import hashlib
from typing import Any

from evenkeel.api.base import API_VERSION, GROUP, ObjectMeta

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "evenkeel"
DEPLOYMENT = f"{GROUP}/deployment"
REVISION = f"{GROUP}/revision"
MODEL = f"{GROUP}/model"
SCHEDULE = f"{GROUP}/schedule"
RUN = f"{GROUP}/run"


def digest(*parts: str, length: int = 10) -> str:
    """A short stable name part: lower-case hexadecimal of the SHA-256 of the parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


def child_name(base: str, suffix: str, limit: int = 63) -> str:
    """`base-suffix` within `limit` characters; a longer base is cut and told apart by a digest."""
    room = limit - len(suffix) - 1
    if len(base) <= room:
        return f"{base}-{suffix}"
    return f"{base[: room - 7].rstrip('-.')}-{digest(base, length=6)}-{suffix}"


def owner_reference(kind: str, meta: ObjectMeta) -> dict[str, Any]:
    """The controller reference that lets the garbage collector remove children."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
