"""A parsed object is remembered for its version and never mixed up with another."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.kube import parsed
from evenkeel.kube.parsed import Parsed
from evenkeel.meta.model import Model
from evenkeel.meta.objects import ObjectMeta


class Spec(Model):
    color: str


class Widget(Model):
    metadata: ObjectMeta
    spec: Spec


def widget(uid: str, resource_version: str, color: str = "red") -> dict[str, Any]:
    return {
        "metadata": {"name": "w", "uid": uid, "resourceVersion": resource_version},
        "spec": {"color": color},
    }


def test_the_same_version_is_parsed_once() -> None:
    parse = Parsed()
    assert parse(Widget, widget("a", "1")) is parse(Widget, widget("a", "1"))


def test_a_newer_version_is_parsed_anew() -> None:
    parse = Parsed()
    parse(Widget, widget("a", "1"))
    assert parse(Widget, widget("a", "2", "blue")).spec.color == "blue"


def test_an_object_without_identity_is_not_remembered() -> None:
    parse = Parsed()
    assert parse(Widget, widget("", "1")).spec.color == "red"
    assert parse(Widget, widget("", "1", "blue")).spec.color == "blue"


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsed, "KEPT", 2)
    parse = Parsed()
    first = parse(Widget, widget("a", "1"))
    parse(Widget, widget("b", "1"))
    parse(Widget, widget("c", "1"))
    assert parse(Widget, widget("a", "1")) is not first
