"""How the model gets into the pod: mounted, downloaded, or already in the image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from evenkeel.api.modelsource import Storage
from evenkeel.meta.refusal import Refused
from evenkeel.pods.expansion import literal

VOLUME = "model"
INITIALIZER = "storage-initializer"
_DOWNLOADED = frozenset({"s3", "gs", "http", "https", "hf"})


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where the model server finds the model, and what the pod needs for that.

    path: of the model inside the model server's container. The other fields are parts of a
    PodSpec; they are empty for a model baked into the image.
    """

    path: str
    volumes: list[dict[str, Any]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    init_containers: list[dict[str, Any]] = field(default_factory=list)


def model_files(
    uri: str,
    mount_path: str,
    storage: Storage,
    initializer_image: str,
    initializer_resources: dict[str, Any],
) -> ModelFiles | Refused:
    """The volume, mount and download for a model URI.

    storage: credentials and resources that the user set; initializer_resources apply where these
    have none.
    """
    scheme, _, rest = uri.partition("://")
    if scheme == "file":
        if not rest.startswith("/"):
            return _invalid(uri, "file:///PATH with the absolute path in the runtime's image")
        return ModelFiles(path=rest)
    if not rest:
        return _invalid(uri, f"{scheme or 's3'}://...")
    if scheme == "pvc":
        return _claim(uri, rest, mount_path)
    if scheme == "oci":
        image = {"reference": rest, "pullPolicy": "IfNotPresent"}
        return ModelFiles(
            path=mount_path,
            volumes=[{"name": VOLUME, "image": image}],
            mounts=[{"name": VOLUME, "mountPath": mount_path, "readOnly": True}],
        )
    if scheme in _DOWNLOADED:
        initializer: dict[str, Any] = {
            "name": INITIALIZER,
            "image": initializer_image,
            "args": [literal(uri), literal(mount_path)],
            "resources": storage.resources or initializer_resources,
            "volumeMounts": [{"name": VOLUME, "mountPath": mount_path}],
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }
        if storage.secret_name:
            initializer["envFrom"] = [{"secretRef": {"name": storage.secret_name}}]
        return ModelFiles(
            path=mount_path,
            volumes=[{"name": VOLUME, "emptyDir": {}}],
            mounts=[{"name": VOLUME, "mountPath": mount_path, "readOnly": True}],
            init_containers=[initializer],
        )
    return _invalid(uri, "pvc, s3, gs, http, https, hf, oci or file as its scheme")


def is_in_image(uri: str) -> bool:
    """Whether the model is in the runtime's image, where no other container can read a file."""
    return uri.startswith("file://")


def _claim(uri: str, rest: str, mount_path: str) -> ModelFiles | Refused:
    claim, _, path = rest.partition("/")
    path = path.strip("/")
    if not claim or ".." in path.split("/"):
        return _invalid(uri, "pvc://CLAIM/PATH, without '..' in the path")
    mount: dict[str, Any] = {"name": VOLUME, "mountPath": mount_path, "readOnly": True}
    if path:
        mount["subPath"] = path
    source = {"claimName": claim, "readOnly": True}
    return ModelFiles(
        path=mount_path,
        volumes=[{"name": VOLUME, "persistentVolumeClaim": source}],
        mounts=[mount],
    )


def _invalid(uri: str, expected: str) -> Refused:
    return Refused("InvalidModelURI", f"model URI {uri!r} is not usable; it must be {expected}")
