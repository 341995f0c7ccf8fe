"""Keeps only what plans read of a child, since the store holds every one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from evenkeel.kube.applied import owned_fields

JSON = dict[str, Any]
Kept = Mapping[str, Iterable[str]]
"""By kind the fields of its spec that are read."""
Slims = Mapping[str, Callable[[JSON], JSON | None]]
"""By kind what is kept of an object, where there are too many for more; None: nothing."""

OWNED = "_owned"
"""The fields that the field manager has by server-side apply, so that another writer shows."""
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


SHARED = 128
"""Characters up to which equal texts are one in memory: conditions and labels say few things, and
say them in every object."""


class Trim:
    """Cuts objects down by kind; a kind without an entry is kept whole.

    slims: of kinds that are only read. manager: the field manager whose fields are told from those
    of others. annotations: those that are kept.
    """

    def __init__(self, kept: Kept, slims: Slims, manager: str, annotations: Iterable[str]) -> None:
        self._kept = {kind: tuple(fields) for kind, fields in kept.items()}
        self._slims = slims
        self._manager = manager
        self._annotations = tuple(annotations)

    def __call__(self, kind: str, obj: JSON) -> JSON | None:
        """The object without managed fields; of a kind with an entry identity, status, the kept
        fields and annotations, and which fields the manager has. None: it is not to be kept."""
        meta = obj["metadata"]
        if (slim := self._slims.get(kind)) is not None:
            return slim(obj)
        _share(obj)
        fields = self._kept.get(kind)
        if fields is None:
            meta.pop("managedFields", None)
            return obj
        spec = obj.get("spec", {})
        trimmed: JSON = {
            "metadata": {k: meta[k] for k in _META if k in meta},
            "spec": {k: spec[k] for k in fields if k in spec},
            "status": obj.get("status", {}),
            OWNED: owned_fields(meta, self._manager),
        }
        given = meta.get("annotations") or {}
        if marks := {k: given[k] for k in self._annotations if k in given}:
            trimmed["metadata"]["annotations"] = marks
        if "replicas" in fields:
            trimmed[OWNS_REPLICAS] = self._owns_replicas(meta)
        return trimmed

    def _owns_replicas(self, meta: JSON) -> bool:
        return any(
            entry.get("manager") == self._manager
            and "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
            for entry in meta.get("managedFields") or ()
        )


def _share(node: JSON | list[Any]) -> None:
    """Makes equal short texts within one the same as everywhere else, in place."""
    items: Iterable[tuple[Any, Any]] = node.items() if isinstance(node, dict) else enumerate(node)
    for place, value in items:
        if type(value) is str:
            if len(value) <= SHARED:
                node[place] = sys.intern(value)
        elif type(value) is dict or type(value) is list:
            _share(value)
