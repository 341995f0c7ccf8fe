"""The pods of a baseline: stable's own, counted apart."""

from __future__ import annotations

from typing import Any

from evenkeel.api.labels import REVISION
from evenkeel.meta.objects import Manifest
from evenkeel.serving import meter


def baseline_template(stable: Manifest, name: str) -> Manifest:
    """The template of stable's Deployment with the baseline's name for its revision.

    All else is the same, also what names stable, such as the reference that its meter counts by.
    """
    metadata, spec = stable["metadata"], stable["spec"]
    return {
        "metadata": {
            "labels": {**metadata["labels"], REVISION: name},
            "annotations": dict(metadata.get("annotations") or {}),
        },
        "spec": {**spec, "containers": [_named(one, name) for one in spec["containers"]]},
    }


def _named(container: dict[str, Any], name: str) -> dict[str, Any]:
    """The container, if it is the meter with that name on what it counts."""
    if container.get("name") != meter.NAME:
        return container
    env = [
        {**entry, "value": name} if entry["name"] == meter.REVISION else entry
        for entry in container.get("env") or ()
    ]
    return {**container, "env": env}
