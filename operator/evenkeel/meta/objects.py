"""Kubernetes objects, as far as any operator knows them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import Field

from evenkeel.meta.model import Model

Manifest = dict[str, Any]
"""A complete Kubernetes object as JSON."""


class Key(NamedTuple):
    """Identifies an object of a kind; the namespace of a cluster-scoped object is empty."""

    kind: str
    namespace: str
    name: str


class Ref(NamedTuple):
    """An existing object; `uid` is the precondition of its deletion."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""


class Event(NamedTuple):
    """A Kubernetes Event on the planned object, sent once what it tells of is durable."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


class ObjectMeta(Model):
    """The part of metadata that decisions read."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    resource_version: str = ""
