"""The container that downloads a model from a tracking server of MLflow, with its Secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenkeel.api.modelsource import Storage
from evenkeel.api.modelversion import Download
from evenkeel.api.uri import PROXIED
from evenkeel.pods.expansion import literal_env
from evenkeel.pods.secret_variables import secret_variables
from evenkeel.serving.model_files import INITIALIZER, VOLUME, ModelFiles

RESOURCES: Mapping[str, Any] = {
    "requests": {"cpu": "100m", "memory": "64Mi"},
    "limits": {"memory": "256Mi"},
}


def downloaded(
    uri: str, mount_path: str, shown: Download, storage: Storage, image: str
) -> ModelFiles:
    """The volume, mount and download of artefacts at an address that begins with PROXIED.

    image: with evenkeel.sidecars. storage: its resources, where the user set some.
    """
    told = {
        "MLFLOW_ARTIFACTS": uri.removeprefix(PROXIED),
        "MLFLOW_DESTINATION": mount_path,
        "MLFLOW_WORKSPACE": shown.workspace,
    }
    container: dict[str, Any] = {
        "name": INITIALIZER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "evenkeel.sidecars.mlflow_download"],
        "env": [*literal_env(told), *secret_variables("MLFLOW_", shown.secret_name)],
        "resources": storage.resources or dict(RESOURCES),
        "volumeMounts": [{"name": VOLUME, "mountPath": mount_path}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"readOnlyRootFilesystem": True},
    }
    return ModelFiles(
        path=mount_path,
        volumes=[{"name": VOLUME, "emptyDir": {}}],
        mounts=[{"name": VOLUME, "mountPath": mount_path, "readOnly": True}],
        init_containers=[container],
    )
