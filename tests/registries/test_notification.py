"""Which notifications are MLflow's own, and what they are about."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from evenkeel.registries.notification import FRESH, Malformed, model_named, verified

from tests.support.mlflow_registry import notification

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


def sent(**changed: str) -> tuple[bytes, dict[str, str]]:
    return notification("geheim", "fraud", NOW.timestamp(), **changed)


def test_what_is_signed_of_late_is_taken() -> None:
    body, headers = sent()
    assert verified("geheim", headers, body, NOW + timedelta(seconds=FRESH))
    assert model_named(body) == "fraud"


def test_nothing_else_is() -> None:
    body, headers = sent()
    assert not verified("other", headers, body, NOW)
    assert not verified("", notification("", "fraud", NOW.timestamp())[1], body, NOW)
    assert not verified("geheim", headers, body + b" ", NOW)
    assert not verified("geheim", headers, body, NOW + timedelta(seconds=FRESH + 1))
    assert not verified("geheim", headers, body, NOW - timedelta(seconds=FRESH + 1))
    for name in headers:
        others = {k: v for k, v in headers.items() if k != name}
        assert not verified("geheim", others, body, NOW), name
    for time in ("", "x", "9" * 99, "1e5", "-1"):
        assert not verified("geheim", sent(**{"X-MLflow-Timestamp": time})[1], body, NOW)
    assert not verified("geheim", sent(**{"X-MLflow-Signature": "v1,\udcff"})[1], body, NOW)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"entity": "x"}', b'{"data": {}}', b"\xff", b"[" * 99999]
)
def test_other_bodies_are_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        model_named(body)


@pytest.mark.parametrize(
    ("entity", "data", "name"),
    [
        ("model_version", {"name": "fraud", "version": "3", "tags": {}}, "fraud"),
        ("model_version_tag", {"name": "fraud", "version": "3"}, ""),
        ("prompt", {"name": "fraud"}, ""),
        ("model_version_alias", {"name": ["fraud"]}, ""),
    ],
)
def test_what_it_is_about(entity: str, data: object, name: str) -> None:
    assert model_named(json.dumps({"entity": entity, "data": data}).encode()) == name
