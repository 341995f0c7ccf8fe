"""From where a pod fetches what a registry tells of."""

from __future__ import annotations

import pytest
from evenkeel.api.artifacts import PROXY, fetched_from
from evenkeel.api.uri import is_proxied
from evenkeel.meta.refusal import Refused
from evenkeel.sidecars.mlflow_download import config

URL = "https://mlflow.example/base/"


@pytest.mark.parametrize(
    "uri",
    ["s3://models/fraud/1", "gs://m/a b", "pvc://claim/fraud", "https://files.example/m.tar.gz"],
)
def test_addresses_that_storage_knows_go_as_they_are(uri: str) -> None:
    assert fetched_from(uri, URL) == uri


def test_what_the_server_hands_out_is_an_address_there() -> None:
    found = fetched_from("mlflow-artifacts:/1/models/m-1/artifacts", URL)
    assert found == f"mlflow+https://mlflow.example/base{PROXY}/1/models/m-1/artifacts"
    assert is_proxied(found)


def test_the_pods_program_reads_that_address() -> None:
    found = str(fetched_from("mlflow-artifacts:/1/models/m-1/artifacts", "http://mlflow:5000"))
    read = config(
        {"MLFLOW_ARTIFACTS": found.removeprefix("mlflow+"), "MLFLOW_DESTINATION": "/mnt/models"}
    )
    assert (read.server, read.path) == ("http://mlflow:5000", "1/models/m-1/artifacts")


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("file:///mlflow/artifacts/1", "--artifacts-destination"),
        ("/mlflow/artifacts/1", "on the tracking server's own disk"),
        ("./mlruns/1", "nothing fetches artefacts from ./mlruns/1"),
        ("dbfs:/models/1", "nothing fetches artefacts from dbfs:/models/1"),
        ("wasbs://c@a.blob.core.windows.net/m", "store them in S3"),
        ("models:/m-1", "nothing fetches"),
        ("runs:/48693ee5/model", "nothing fetches"),
        ("", "nothing fetches"),
        ("s3:///no-bucket", "cannot be used: uri needs a bucket's"),
        ("s3://b/a\nb", "control characters"),
        ("mlflow-artifacts://elsewhere:5000/1/models", "behind another server"),
        ("mlflow-artifacts:/1/../2", "the path of its artefacts"),
        ("mlflow-artifacts:/", "the path of its artefacts"),
        ("mlflow-artifacts:/1//2", "the path of its artefacts"),
        ("mlflow-artifacts:/1/a?b", "the path of its artefacts"),
        ("mlflow-artifacts:/1/a%2e%2e/b", "the path of its artefacts"),
        ("mlflow-artifacts:/" + "a" * 2048, "too long"),
    ],
)
def test_what_no_pod_can_fetch_is_refused_with_a_remedy(uri: str, says: str) -> None:
    found = fetched_from(uri, URL)
    assert isinstance(found, Refused)
    assert found.reason == "ArtifactNotServable"
    assert says in found.message
