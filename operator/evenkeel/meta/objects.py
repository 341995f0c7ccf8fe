"""Kubernetes objects, as far as any operator knows them."""

from __future__ import annotations

from collections.abc import Mapping
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


class Taken(NamedTuple):
    """An object of another owner that has the name of a planned one.

    by: who controls it or says to manage it, if known. former: whether that is an owner of the
    same name that is no more, so that the garbage collector will remove the object. hand_over:
    the annotation by which its own owner would give it away; empty where nobody can.
    """

    key: Key
    by: str = ""
    former: bool = False
    hand_over: str = ""

    def __str__(self) -> str:
        what = f"{self.key.kind} {self.key.name}"
        if self.former:
            return f"{what} still belongs to a deleted {self.by}; the garbage collector removes it"
        whose = f"belongs to {self.by}" if self.by else "was made by another"
        remedy = "delete it, or choose another name"
        if self.hand_over:
            remedy = (
                f"delete it, choose another name, or hand it over with the annotation "
                f"{self.hand_over}"
            )
        return f"{what} exists and {whose}: {remedy}"


class Event(NamedTuple):
    """A Kubernetes Event on the planned object, sent once what it tells of is durable."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def label_selector(labels: Mapping[str, str]) -> str:
    """Selects the objects that have all of the labels, as a query writes it."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


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
