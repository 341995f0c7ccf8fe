"""The reference that is learned in production, as all pods of a revision get it.

A ConfigMap is made of what one pod has learned. The pods are there already and mount it as a
folder, so that it comes to them without a restart.
"""

from __future__ import annotations

from typing import Any

from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.objects import Manifest, Ref
from evenkeel.meta.resources import CONFIG_MAP, DEPLOYMENT

VOLUME = "evenkeel-learned"
FOLDER = "/var/run/evenkeel/learned"
FILE = "evenkeel-profile.json"


def wanted(md: ModelDeployment) -> bool:
    """Whether the meter learns where it finds no profile."""
    monitoring = md.spec.monitoring
    return monitoring is not None and monitoring.profile.learn.rows > 0


def environment(md: ModelDeployment) -> dict[str, str]:
    """What the meter is told of it."""
    if md.spec.monitoring is None or not wanted(md):
        return {}
    learn = md.spec.monitoring.profile.learn
    return {
        "METER_LEARN_ROWS": str(learn.rows),
        "METER_LEARN_SECONDS": str(learn.seconds),
        "METER_LEARNED_PROFILE": f"{FOLDER}/{FILE}",
    }


def mounts(md: ModelDeployment) -> list[dict[str, Any]]:
    """The meter's."""
    return [{"name": VOLUME, "mountPath": FOLDER, "readOnly": True}] if wanted(md) else []


def volumes(md: ModelDeployment, revision: str) -> list[dict[str, Any]]:
    """The pod's. Optional: it is there once it is learned, and where there is no profile."""
    return [{"name": VOLUME, "configMap": {"name": revision, "optional": True}}] * wanted(md)


def config_map(deployment: Ref, labels: dict[str, str], text: str) -> Manifest:
    """The ConfigMap, named as the revision is and its Deployment, with which it goes.

    text: of the profile. What is counted against it must not change.
    """
    owner = {
        "apiVersion": DEPLOYMENT.api_version,
        "kind": DEPLOYMENT.kind,
        "name": deployment.name,
        "uid": deployment.uid,
    }
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.kind,
        "metadata": {
            "name": deployment.name,
            "namespace": deployment.namespace,
            "labels": labels,
            "ownerReferences": [owner],
        },
        "data": {FILE: text},
        "immutable": True,
    }
