"""Keeps only what plans read of a child, since the store holds every one of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

JSON = dict[str, Any]
Kept = Mapping[str, Iterable[str]]
"""By kind the fields of its spec that are read."""
Slims = Mapping[str, Callable[[JSON], JSON]]
"""By kind what is kept of an object, where there are too many for more."""

SPEC_DIGEST = "_specDigest"
OWNS_REPLICAS = "_ownsReplicas"
"""Whether the field manager has set the replicas of an object whose replicas are kept."""
_META = (
    "name",
    "namespace",
    "uid",
    "labels",
    "generation",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "ownerReferences",
)
_BESIDES = ("apiVersion", "kind", "metadata", "status")
"""Of an object what is not its content; items of a list lack the first two."""


class Trim:
    """Cuts objects down by kind; a kind without an entry is kept whole.

    slims: of kinds that are only read. manager: the field manager whose replicas are told from an
    autoscaler's.
    """

    def __init__(self, kept: Kept, slims: Slims, manager: str) -> None:
        self._kept = {kind: tuple(fields) for kind, fields in kept.items()}
        self._slims = slims
        self._manager = manager

    def __call__(self, kind: str, obj: JSON) -> JSON:
        """The object without managed fields; of a kind with an entry identity, status, the kept
        fields, and a digest of what is applied, so that another writer's change shows."""
        meta = obj["metadata"]
        if (slim := self._slims.get(kind)) is not None:
            return slim(obj)
        fields = self._kept.get(kind)
        if fields is None:
            meta.pop("managedFields", None)
            return obj
        spec = obj.get("spec", {})
        trimmed: JSON = {
            "metadata": {k: meta[k] for k in _META if k in meta},
            "spec": {k: spec[k] for k in fields if k in spec},
            "status": obj.get("status", {}),
            SPEC_DIGEST: spec_digest(obj),
        }
        if "replicas" in fields:
            trimmed[OWNS_REPLICAS] = self._owns_replicas(meta)
        return trimmed

    def _owns_replicas(self, meta: JSON) -> bool:
        return any(
            entry.get("manager") == self._manager
            and "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
            for entry in meta.get("managedFields") or ()
        )


def applied_digest(known: JSON) -> str:
    """The spec digest of an object of the store."""
    kept: str | None = known.get(SPEC_DIGEST)
    return spec_digest(known) if kept is None else kept


def spec_digest(obj: JSON) -> str:
    """Changes with the content (its generation, where there is one), the labels and the owners."""
    meta = obj["metadata"]
    content = meta.get("generation") or {k: v for k, v in obj.items() if k not in _BESIDES}
    parts = [content, meta.get("labels"), meta.get("ownerReferences")]
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
