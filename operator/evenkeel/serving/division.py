"""Whom the meters of stable's pods pass requests on to: copies, or a share that stays where it is.

An annotation of the pod tells its meter, by a file of the downward API: the kubelet writes it anew
within a second or so of a change, without a restart, and the meter needs no access to the API.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from evenkeel.api.labels import DIVISION
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.pods.slim import DIVIDES
from evenkeel.serving.pod_marks import Entry, Marks, ServingPod

VOLUME = "evenkeel-division"
FOLDER = "/var/run/evenkeel/division"
FILE = "division"


class PassedOn(NamedTuple):
    """What goes from stable's meters to the canary: percent of the requests as copies, or percent
    of the values of a header for good. grpc: the port of a gRPC server, if the pods have one."""

    canary: str
    mirror: int = 0
    share: int = 0
    header: str = ""
    grpc: int | None = None


def environment() -> dict[str, str]:
    """What the meter is told of it."""
    return {DIVIDES: f"{FOLDER}/{FILE}"}


def mount() -> dict[str, Any]:
    """The meter's."""
    return {"name": VOLUME, "mountPath": FOLDER, "readOnly": True}


def volume() -> dict[str, Any]:
    """The pod's."""
    field = {"fieldPath": f"metadata.annotations['{DIVISION}']"}
    return {"name": VOLUME, "downwardAPI": {"items": [{"path": FILE, "fieldRef": field}]}}


def told(md: ModelDeployment, passed: PassedOn) -> str:
    """The annotation's text, which is the file's; empty where nothing is passed on."""
    host = f"http://{passed.canary}.{md.metadata.namespace}.svc"
    to: dict[str, Any] = {"url": f"{host}:80", "revision": passed.canary}
    if passed.grpc is not None:
        to["grpcUrl"] = f"{host}:{passed.grpc}"
    found: dict[str, Any] = {}
    if passed.mirror:
        found["mirror"] = {"percent": passed.mirror, **to}
    if passed.share and passed.header:
        found["share"] = {"percent": passed.share, **to, "header": passed.header}
    return json.dumps(found, sort_keys=True, separators=(",", ":")) if found else ""


def division_marks(stable: str, text: str) -> Entry:
    """Stable's pods have the text, if their meters read it, and no other pod has one."""

    def marks(pod: ServingPod) -> Marks:
        wants = text if pod.revision == stable and pod.divides else ""
        return Marks(annotations={DIVISION: wants or None})

    return marks
