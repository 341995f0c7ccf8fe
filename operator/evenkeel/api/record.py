"""The record: the part of a status that must outlive it, in an annotation, which backups keep.

Restores, exports and re-creations bring an object back without its status. Where the status alone
says what was trained, promoted or taken back, that part is written as an annotation too. An object
whose status nobody has written yet is read with the status of its record.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from typing import Any

from pydantic import TypeAdapter

from evenkeel.meta.times import parse

RECORD = "evenkeel.dev/record"

Json = dict[str, Any]


def annotation(status: Mapping[str, Any]) -> dict[str, str]:
    """The annotation that holds those fields of a status, as on the wire."""
    return {RECORD: json.dumps(status, separators=(",", ":"), sort_keys=True)}


def unwritten(obj: Mapping[str, Any]) -> bool:
    """Whether no reconcile of the object has written its status: each one sets the generation."""
    status = obj.get("status") or {}
    return isinstance(status, dict) and not status.get("observedGeneration")


def told(metadata: Mapping[str, Any]) -> Json:
    """What the record in an object's metadata says; empty if there is none that is JSON."""
    try:
        found = json.loads((metadata.get("annotations") or {}).get(RECORD) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def recalled(obj: Json, lasting: Container[str], status: type[Any]) -> Json:
    """The object with the status of its record, if it has one that is unwritten and readable.

    lasting: the fields that a record may bring. People can write annotations, and none of the
    others (an approval, say) is theirs to give.
    """
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or not unwritten(obj):
        return obj
    kept = {name: value for name, value in told(metadata).items() if name in lasting}
    if not kept:
        return obj
    try:
        TypeAdapter(status).validate_python(kept)
        _parse_times(kept)
    except (ValueError, TypeError):
        return obj
    return {**obj, "status": {**kept, **(obj.get("status") or {})}}


def _parse_times(value: Any) -> None:
    """Raises ValueError for a time that cannot be read: no API server has looked at it."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "time" or name.endswith("Time"):
                parse(part)
            _parse_times(part)
    elif isinstance(value, list):
        for part in value:
            _parse_times(part)
