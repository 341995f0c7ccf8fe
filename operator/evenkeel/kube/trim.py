"""Keeps only what plans read of a child, since the store holds every one of them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from evenkeel.kube.client import FIELD_MANAGER

JSON = dict[str, Any]

SPEC_DIGEST = "evenkeel.dev/spec-digest"
OWNS_REPLICAS = "evenkeel.dev/owns-replicas"
"""Whether the operator's main field manager has set a Deployment's replicas."""
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

    A digest of what the operator applies is kept in place of the rest, so that a foreign change
    shows.
    """
    meta = obj["metadata"]
    if kind not in _SPEC_KEPT:
        meta.pop("managedFields", None)
        return obj
    spec = obj.get("spec", {})
    kept_spec: JSON = {k: spec[k] for k in _SPEC_KEPT[kind] if k in spec}
    if kind == "Pod":
        kept_spec["containers"] = [{"name": c["name"]} for c in spec.get("containers", ())]
    owns = {OWNS_REPLICAS: _owns_replicas(meta)} if kind == "Deployment" else {}
    return {
        **owns,
        "metadata": {k: meta[k] for k in _META if k in meta},
        "spec": kept_spec,
        "status": obj.get("status", {}),
        SPEC_DIGEST: spec_digest(obj),
    }


def spec_digest(obj: JSON) -> str:
    """Changes with the spec (its generation, where there is one), the labels and the owners."""
    meta = obj["metadata"]
    spec = meta.get("generation") or obj.get("spec", {})
    parts = [spec, meta.get("labels"), meta.get("ownerReferences")]
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _owns_replicas(meta: JSON) -> bool:
    return any(
        entry.get("manager") == FIELD_MANAGER
        and "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
        for entry in meta.get("managedFields") or ()
    )
