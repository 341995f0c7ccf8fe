"""Which addresses of artefacts are taken, and what those that are not say."""

from __future__ import annotations

import pytest
from evenkeel.api.uri import uri_problem


@pytest.mark.parametrize(
    "uri",
    [
        "pvc://claim/path",
        "pvc://claim/dir x/ü",
        "s3://b/a=1/c%20d?e#f",
        "s3://b/price$$/$(X)",
        "gs://b/a folder/7",
        "https://host/a b",
        "hf://org/model",
        "oci://example.test/m@sha256:0",
        "file:///opt/my model",
        "s3://b/a//b/",
    ],
)
def test_addresses_are_taken_as_they_are(uri: str) -> None:
    assert uri_problem(uri) is None


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("models:/elec/7", "get_model_version_download_uri"),
        ("runs:/0a1b/model", "s3://BUCKET/PATH"),
        ("mlflow-artifacts:/1/2", "only an MLflow server knows"),
        ("ftp://host/x", "must begin with pvc://"),
        ("model", "must begin with pvc://"),
        ("", "must begin with pvc://"),
        ("pvc://claim", "pvc://CLAIM/PATH"),
        ("pvc://claim/", "pvc://CLAIM/PATH"),
        ("pvc://claim/a/../b", "without '..'"),
        ("pvc://claim/..", "without '..'"),
        ("file://opt/m", "file:///PATH"),
        ("file:///", "file:///PATH"),
        ("s3:///a", "needs a bucket's"),
        ("s3://b/a\nb", "no line breaks"),
        ("s3://b/a\tb", "no line breaks"),
        ("s3://my bucket/a", "a blank may stand in a path only"),
        ("s3://b/a ", "a blank may stand in a path only"),
        ("oci://host/a b", "a blank may stand in a path only"),
    ],
)
def test_what_is_refused_says_what_to_write(uri: str, words: str) -> None:
    assert words in (uri_problem(uri) or "")
