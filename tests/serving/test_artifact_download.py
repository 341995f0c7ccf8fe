"""The pod of a model whose artefacts a tracking server hands out itself."""

from __future__ import annotations

from typing import Any

from evenkeel.api.modeldeploymentstatus import ResolvedModel
from evenkeel.api.modelsource import ModelSource
from evenkeel.api.modelversion import ModelVersion
from evenkeel.meta.refusal import Refused
from evenkeel.serving.model_source import Target, resolve
from evenkeel.serving.revision import revision_name
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


def of_version(status: dict[str, Any] | None = None) -> Target | Refused:
    """What is served of a ModelVersion that a trainer has logged to the server."""
    approved = {"type": "Approved", "status": "True", "reason": "Approved"}
    conditions = [{**approved, "lastTransitionTime": "2026-01-31T09:00:00Z"}]
    spec = {
        "model": "fraud",
        "uri": f"mlflow+{ADDRESS}",
        "format": {"name": "mlflow"},
        "mlflow": {"registry": "mlflow"},
    }
    version = ModelVersion.model_validate(
        {
            "metadata": {"name": "fraud-1", "namespace": "shop"},
            "spec": spec,
            "status": {"conditions": conditions, **(status or {})},
        }
    )
    return resolve(ModelSource(version="fraud-1"), [version], 1)


def test_a_version_is_downloaded_as_its_registry_says() -> None:
    shown = of_version({"download": {"secretName": "mlflow", "workspace": "team-a"}})
    assert isinstance(shown, Target)
    (found,) = built(target=shown)["spec"]["initContainers"]
    assert found["env"] == initializer()["env"]


def test_another_secret_is_another_revision() -> None:
    targets = [of_version({"download": {"secretName": name}}) for name in ("a", "a", "b")]
    names = [
        revision_name("fraud", target, runtime_spec(), model_deployment().spec)
        for target in targets
        if isinstance(target, Target)
    ]
    assert (len(names), names[0] == names[1], names[0] == names[2]) == (3, True, False)


def test_a_version_whose_registry_was_never_there() -> None:
    found = of_version()
    assert isinstance(found, Refused)
    assert found.reason == "RegistryNotFound"
