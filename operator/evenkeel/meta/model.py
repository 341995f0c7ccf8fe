"""The base of all API models, and the markers that say what a schema cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Rule(NamedTuple):
    """A CEL validation: `rule` must hold, otherwise the API server answers `message`."""

    rule: str
    message: str


class Model(BaseModel):
    """A frozen API object with camelCase names on the wire.

    Unknown fields are ignored, since the API server has pruned what the CRD does not know and a
    newer CRD must not stop an older operator.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @classmethod
    def validations(cls) -> tuple[Rule, ...]:
        """The CEL rules of the model's schema: `rules`, and what follows from its fields."""
        return cls.rules

    def wire(self) -> dict[str, Any]:
        """The JSON object for the API server, without unset (None) fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def cel(*items: Rule) -> dict[str, Any]:
    """CEL rules for a field (`Field(json_schema_extra=...)`)."""
    return {"x-kubernetes-validations": [r._asdict() for r in items]}


def exactly_one(subject: str, fields: Sequence[str]) -> Rule:
    """Of the fields (names on the wire) one is set; `subject`: "a trigger", say."""
    if len(fields) == 1:
        return Rule(f"has(self.{fields[0]})", f"{subject} needs {fields[0]}")
    given = [f"has(self.{field})" for field in fields]
    rule = " != ".join(given) if len(given) == 2 else f"[{', '.join(given)}].exists_one(g, g)"
    choice = f"{', '.join(fields[:-1])} or {fields[-1]}"
    return Rule(rule, f"{subject} needs exactly one of {choice}")


def at_most_one(subject: str, fields: Sequence[str]) -> tuple[Rule, ...]:
    """Of the fields (names on the wire) none or one is set; a single field needs no rule."""
    if len(fields) < 2:
        return ()
    given = ", ".join(f"has(self.{field})" for field in fields)
    choice = f"{', '.join(fields[:-1])} or {fields[-1]}"
    return (Rule(f"[{given}].filter(g, g).size() <= 1", f"{subject} has at most one of {choice}"),)


def says(message: str) -> dict[str, Any]:
    """What the API server answers when the field does not match its `pattern`."""
    return {"x-message": message}


def map_list(*keys: str) -> dict[str, Any]:
    """Marks a list as a map with the given keys, so that server-side apply merges by them."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


UNSTATED: dict[str, Any] = {"x-unstated": True}
"""Marks a field whose default the API server does not fill in, so that what a user gave is told
from what he left out."""
ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}

OpenObject = Annotated[
    dict[str, Any],
    Field(
        json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    ),
]
"""A core Kubernetes object (a container, a pod spec) that the API server validates later."""
