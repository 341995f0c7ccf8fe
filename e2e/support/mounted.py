"""What is too heavy for an image here: folders of this machine, which pods mount to read only."""

from __future__ import annotations

from pathlib import Path

from e2e.support.world import JSON

SITE = "/opt/site"
"""Where the images' Dockerfiles install packages."""
MLSERVER = ["python3", "-m", "mlserver.cli.main", "start", "/mnt/models"]
"""Its program, where packages are mounted and the image has no command of theirs."""
_BOUND: JSON = {
    "storageClassName": "",
    "accessModes": ["ReadOnlyMany"],
    "resources": {"requests": {"storage": "1Gi"}},
}


def packages(python: Path) -> Path:
    """Where its environment has them."""
    (found,) = python.parents[1].glob("lib/python3*/site-packages")
    return found


def volume(namespace: str, name: str, folder: Path) -> JSON:
    """A folder of this machine, for the namespace's claim of that name."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{namespace}-{name}"},
        "spec": {
            "storageClassName": _BOUND["storageClassName"],
            "accessModes": _BOUND["accessModes"],
            "capacity": _BOUND["resources"]["requests"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": namespace, "name": name},
            "hostPath": {"path": str(folder), "type": "Directory"},
        },
    }


def claim(namespace: str, name: str) -> JSON:
    """The namespace's claim to that volume."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {**_BOUND, "volumeName": f"{namespace}-{name}"},
    }


def mount(pod: JSON, container: JSON, name: str, path: str) -> None:
    """Mounts the claim into the pod's container, to read only."""
    mounted = {"name": name, "mountPath": path, "readOnly": True}
    pod.setdefault("volumes", []).append(
        {"name": name, "persistentVolumeClaim": {"claimName": name}}
    )
    container.setdefault("volumeMounts", []).append(mounted)
