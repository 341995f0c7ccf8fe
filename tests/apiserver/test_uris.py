"""The API server says of an address what trainers' reports are told."""

from __future__ import annotations

import pytest
from evenkeel.api.uri import uri_problem

from tests.support.api_server import ApiServer
from tests.support.manifests import manifest

SCHEMES = ("pvc://c/", "s3://b/", "https://h/", "hf://o/", "oci://i/", "file:///")
PRINTABLE = [chr(c) for c in range(32, 127)]
ODD = [
    *(f"{scheme}a{c}b" for scheme in SCHEMES for c in PRINTABLE),
    *(f"s3://b{c}/x" for c in PRINTABLE),
    *(f"s3://b/x{c}" for c in (" ", "\t", "\n", "\x00", "\x1f", "\x7f", "\u2028", "\u00a0", "é")),
    *("models:/m/1", "runs:/r/a", "mlflow-artifacts:/1", "ftp://a/b", "s3:///a", "http://a/b:///c"),
    *("pvc://c", "pvc://c/", "pvc:///c", "pvc://c/..", "pvc://c/a/../b", "pvc://c/a..b"),
    *("file://a", "file:///", "file:////", "s3://", "s3:/a/b", "x"),
]


@pytest.mark.parametrize("part", range(4))
def test_both_take_and_refuse_the_same_addresses(
    api_server: ApiServer, namespace: str, part: int
) -> None:
    differ = {}
    for uri in ODD[part::4]:
        made = manifest("ModelVersion", "{}")
        made["spec"]["uri"] = uri
        answer = api_server.create(made, namespace, dry_run=True)
        problem = uri_problem(uri)
        same = answer.status_code == 201 if problem is None else problem in answer.text
        if not same:
            differ[uri] = (problem, answer.text)
    assert differ == {}
