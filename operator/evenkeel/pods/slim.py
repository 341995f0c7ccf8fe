"""What is kept of a pod: there may be tens of thousands, and plans read little of each."""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern
from typing import Any

from evenkeel.api.base import GROUP
from evenkeel.pods.diagnosis import MOST

Json = Mapping[str, Any]
JSON = dict[str, Any]

MODEL_SERVER = "_modelServer"
"""Name of the container that serves the model; missing in pods that serve none."""
BRINGS = "evenkeel-data-"
"""Begins the names of init containers that bring data, and tell of them as their last words."""
SERVES = "EVENKEEL_MODEL_NAME"
"""The variable that only the model server's container is given, whatever its name and place."""

DIVIDES = "METER_DIVISION"
"""The variable of a meter that can be told whom to pass requests on to."""
DIVIDED = "_divides"
"""Whether a pod has such a meter."""

_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
_LABELS = f"{GROUP}/"
_CONDITIONS = (
    ("Ready", "True"),
    ("Ready", "False"),
    ("PodScheduled", "False"),
    ("DisruptionTarget", "True"),
)
_ENDED = ("exitCode", "reason", "startedAt", "finishedAt")


def slim(pod: JSON) -> JSON:
    """Identity, the operator's own labels and annotations, phase, conditions, state of containers.

    Of an earlier end of a container only the last words stay; the message of the present one is
    whole, since a trainer reports by it.
    """
    meta, status = pod["metadata"], pod.get("status") or {}
    labels = meta.get("labels") or {}
    kept: JSON = {
        "metadata": {
            **{key: meta[key] for key in _META if key in meta},
            "labels": {intern(k): v for k, v in labels.items() if k.startswith(_LABELS)},
        },
        "status": _status(status),
    }
    annotations = meta.get("annotations") or {}
    if own := {intern(k): v for k, v in annotations.items() if k.startswith(_LABELS)}:
        kept["metadata"]["annotations"] = own
    if _has_variable(pod.get("spec") or {}, DIVIDES):
        kept[DIVIDED] = True
    # Of two Jobs with one name, which is it? Model servers' owners are not asked for.
    owners = [{"uid": o["uid"]} for o in meta.get("ownerReferences") or () if o["kind"] == "Job"]
    if owners:
        kept["metadata"]["ownerReferences"] = owners
    if (server := _model_server(pod.get("spec") or {})) is not None:
        kept[MODEL_SERVER] = intern(server)
    return kept


def _model_server(spec: Json) -> str | None:
    for container in spec.get("containers") or ():
        if any(variable.get("name") == SERVES for variable in container.get("env") or ()):
            name: str = container["name"]
            return name
    return None


def _has_variable(spec: Json, name: str) -> bool:
    return any(
        variable.get("name") == name
        for container in spec.get("containers") or ()
        for variable in container.get("env") or ()
    )


def _status(status: Json) -> JSON:
    kept: JSON = {key: status[key] for key in ("phase", "reason") if key in status}
    if "message" in status:
        kept["message"] = status["message"][:MOST]
    kept["conditions"] = [
        _condition(c)
        for c in status.get("conditions") or ()
        if (c.get("type"), c.get("status")) in _CONDITIONS
    ]
    kept["containerStatuses"] = [_container(c) for c in status.get("containerStatuses") or ()]
    # Of other initializers only one that has not done its work yet says anything of interest.
    kept["initContainerStatuses"] = [
        _container(c)
        for c in status.get("initContainerStatuses") or ()
        if not c.get("ready") or str(c.get("name", "")).startswith(BRINGS)
    ]
    return {key: value for key, value in kept.items() if value}


def _condition(condition: Json) -> JSON:
    keys = ["type", "status", "lastTransitionTime"]
    if condition.get("status") == "False" or condition.get("type") == "DisruptionTarget":
        keys += ["reason", "message"]
    kept = {key: condition[key] for key in keys if key in condition}
    if "message" in kept:
        kept["message"] = kept["message"][:MOST]
    return kept


def _container(container: Json) -> JSON:
    kept = {key: container[key] for key in ("name", "ready", "restartCount") if key in container}
    for key, most in (("state", None), ("lastState", MOST)):
        state = {k: _state(v, most) for k, v in (container.get(key) or {}).items()}
        if state:
            kept[key] = state
    return kept


def _state(state: Json, most: int | None) -> JSON:
    kept = {key: state[key] for key in _ENDED if key in state}
    if "message" in state:
        kept["message"] = state["message"] if most is None else state["message"][-most:]
    return kept
