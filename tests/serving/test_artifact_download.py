"""The pod of a model whose artefacts a tracking server hands out itself."""

from __future__ import annotations

from typing import Any

from evenkeel.api.modeldeploymentstatus import ResolvedModel
from evenkeel.serving.model_source import Target
from evenkeel.sidecars.mlflow_download import PROXY, config

from tests.support.kubelet_expansion import expanded
from tests.support.serving_examples import SETTINGS, built, model_deployment, runtime_spec

ADDRESS = f"http://mlflow:5000{PROXY}/1/models/$(HOME)/artifacts"


def target(secret: str = "mlflow", workspace: str = "team-a") -> Target:
    uri = f"mlflow+{ADDRESS}"
    found = {
        "registry": "mlflow",
        "name": "fraud",
        "version": "3",
        "uri": uri,
        "format": {"name": "mlflow"},
        "secretName": secret,
        "workspace": workspace,
        "time": "2026-01-31T09:00:00Z",
    }
    return Target(uri, registered=ResolvedModel.model_validate(found))


def initializer(**more: Any) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = built(target=target(**more))["spec"]["initContainers"]
    return found


def test_the_registrys_secret_is_shown_by_the_kubelet_key_by_key() -> None:
    found = initializer()
    assert found["image"] == SETTINGS.warm_up_image
    assert found["command"] == ["python3", "-m", "evenkeel.sidecars.mlflow_download"]
    shown = {e["name"]: e["valueFrom"] for e in found["env"] if "valueFrom" in e}
    assert shown["MLFLOW_TOKEN"] == {
        "secretKeyRef": {"name": "mlflow", "key": "token", "optional": True}
    }
    assert {v["secretKeyRef"]["key"] for v in shown.values()} == {
        *("token", "username", "password", "ca.crt", "tls.crt", "tls.key", "headers")
    }
    assert not [e for e in initializer(secret="")["env"] if "valueFrom" in e]


def test_the_program_reads_what_the_container_is_told() -> None:
    """Literally: the address is an outside system's, and must name no variable."""
    env = {e["name"]: expanded(e["value"], {}) for e in initializer()["env"] if "value" in e}
    read = config(env)
    assert (read.server, read.path) == ("http://mlflow:5000", "1/models/$(HOME)/artifacts")
    assert read.destination == "/mnt/models"
    assert read.headers == {"X-MLFLOW-WORKSPACE": "team-a"}


def test_the_model_server_reads_what_was_downloaded() -> None:
    spec = built(target=target())["spec"]
    volume = {"name": "model", "emptyDir": {}}
    assert volume in spec["volumes"]
    (server,) = spec["containers"]
    mount = {"name": "model", "mountPath": "/mnt/models", "readOnly": True}
    assert mount in server["volumeMounts"]
    assert spec["initContainers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_resources_of_the_download_are_the_users() -> None:
    storage = {"resources": {"limits": {"memory": "1Gi"}}}
    words = {"registry": "mlflow", "name": "fraud", "alias": "champion"}
    md = model_deployment(model={"registry": words, "storage": storage})
    (found,) = built(md, target=target())["spec"]["initContainers"]
    assert found["resources"] == {"limits": {"memory": "1Gi"}}


def test_pods_are_told_the_version_in_the_registry() -> None:
    container = {
        "name": "server",
        "image": "i",
        "args": ["{{.Version}}"],
        "ports": [{"containerPort": 8080}],
    }
    spec = built(runtime=runtime_spec(containers=[container]), target=target())["spec"]
    (server,) = spec["containers"]
    assert server["args"] == ["3"]
    assert {"name": "EVENKEEL_MODEL_VERSION", "value": "3"} in server["env"]
