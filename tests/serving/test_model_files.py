"""How a model URI becomes files in the pod."""

from typing import Any

import pytest
from evenkeel.api.modelsource import Storage
from evenkeel.meta.refusal import Refused
from evenkeel.serving.model_files import ModelFiles, model_files

NO_MORE = {"requests": {"memory": "1Gi"}}


def files(uri: str, **storage: Any) -> ModelFiles:
    found = model_files(
        uri, "/mnt/models", Storage.model_validate(storage), "initializer:1", NO_MORE
    )
    assert isinstance(found, ModelFiles), found
    return found


def test_a_claim_is_mounted_read_only_without_a_copy() -> None:
    found = files("pvc://claim/fraud/7/")
    assert found.path == "/mnt/models"
    assert found.volumes == [
        {"name": "model", "persistentVolumeClaim": {"claimName": "claim", "readOnly": True}}
    ]
    assert found.mounts == [
        {"name": "model", "mountPath": "/mnt/models", "readOnly": True, "subPath": "fraud/7"}
    ]
    assert found.init_containers == []


def test_a_whole_claim_has_no_sub_path() -> None:
    assert "subPath" not in files("pvc://claim").mounts[0]


@pytest.mark.parametrize("scheme", ["s3", "gs", "http", "https", "hf"])
def test_a_download_fills_a_volume_that_the_server_only_reads(scheme: str) -> None:
    found = files(f"{scheme}://bucket/fraud", secretName="keys")
    (initializer,) = found.init_containers
    assert initializer["args"] == [f"{scheme}://bucket/fraud", "/mnt/models"]
    assert initializer["image"] == "initializer:1"
    assert initializer["envFrom"] == [{"secretRef": {"name": "keys"}}]
    assert initializer["resources"] == NO_MORE
    assert "readOnly" not in initializer["volumeMounts"][0]
    assert found.mounts[0]["readOnly"] is True
    assert found.volumes == [{"name": "model", "emptyDir": {}}]


def test_the_users_resources_for_the_download_win() -> None:
    wanted = {"limits": {"memory": "9Gi"}}
    (initializer,) = files("hf://org/model", resources=wanted).init_containers
    assert initializer["resources"] == wanted
    assert "envFrom" not in initializer


def test_an_oci_artefact_is_an_image_volume() -> None:
    found = files("oci://example.test/models/fraud@sha256:0")
    assert found.volumes[0]["image"]["reference"] == "example.test/models/fraud@sha256:0"
    assert found.init_containers == []


def test_a_model_in_the_image_needs_nothing() -> None:
    assert files("file:///opt/model") == ModelFiles(path="/opt/model")


@pytest.mark.parametrize(
    "uri",
    ["file://opt/model", "pvc:///path", "pvc://claim/../other", "s3://", "ftp://host/x", "model"],
)
def test_an_unusable_uri_is_refused_with_its_text(uri: str) -> None:
    refused = model_files(uri, "/mnt/models", Storage(), "initializer:1", {})
    assert isinstance(refused, Refused)
    assert refused.reason == "InvalidModelURI"
    assert repr(uri) in refused.message
