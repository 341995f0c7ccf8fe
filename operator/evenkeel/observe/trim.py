"""Keeps only what plans read of a child, since the store holds every one of them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

JSON = dict[str, Any]

SPEC_DIGEST = "evenkeel.dev/spec-digest"
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
_SPEC_KEPT = {
    "Deployment": ("replicas",),
    "Job": ("backoffLimit", "suspend"),
    "Service": ("selector", "ports"),
    "HTTPRoute": ("rules",),
    "HorizontalPodAutoscaler": ("scaleTargetRef",),
    "PodDisruptionBudget": (),
    "Pod": ("containers",),
}


def trimmed(kind: str, obj: JSON) -> JSON:
    """The object without managed fields; of children only identity, status and what is read.

    The digest of a child's full spec is kept in place of the rest, so that a foreign change shows.
    """
    meta = obj["metadata"]
    if kind not in _SPEC_KEPT:
        meta.pop("managedFields", None)
        return obj
    spec = obj.get("spec", {})
    kept_spec: JSON = {k: spec[k] for k in _SPEC_KEPT[kind] if k in spec}
    if kind == "Pod":
        kept_spec["containers"] = [{"name": c["name"]} for c in spec.get("containers", ())]
    return {
        "metadata": {k: meta[k] for k in _META if k in meta},
        "spec": kept_spec,
        "status": obj.get("status", {}),
        SPEC_DIGEST: spec_digest(obj),
    }


def spec_digest(obj: JSON) -> str:
    """Changes whenever the spec changes: the generation, or a digest where there is none."""
    generation = obj["metadata"].get("generation")
    if generation:
        return str(generation)
    text = json.dumps(obj.get("spec", {}), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
