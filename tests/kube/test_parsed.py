"""A parsed object is remembered for its version and never mixed up with another."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.api import ModelVersion
from evenkeel.kube import parsed
from evenkeel.kube.parsed import Parsed


def version(uid: str, resource_version: str, uri: str = "pvc://m/1") -> dict[str, Any]:
    return {
        "metadata": {"name": "m-1", "uid": uid, "resourceVersion": resource_version},
        "spec": {"model": "m", "uri": uri, "format": {"name": "sklearn"}},
    }


def test_the_same_version_is_parsed_once() -> None:
    parse = Parsed()
    assert parse(ModelVersion, version("a", "1")) is parse(ModelVersion, version("a", "1"))


def test_a_newer_version_is_parsed_anew() -> None:
    parse = Parsed()
    parse(ModelVersion, version("a", "1"))
    assert parse(ModelVersion, version("a", "2", "pvc://m/2")).spec.uri == "pvc://m/2"


def test_an_object_without_identity_is_not_remembered() -> None:
    parse = Parsed()
    assert parse(ModelVersion, version("", "1")).spec.uri == "pvc://m/1"
    assert parse(ModelVersion, version("", "1", "pvc://m/2")).spec.uri == "pvc://m/2"


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsed, "KEPT", 2)
    parse = Parsed()
    first = parse(ModelVersion, version("a", "1"))
    parse(ModelVersion, version("b", "1"))
    parse(ModelVersion, version("c", "1"))
    assert parse(ModelVersion, version("a", "1")) is not first
