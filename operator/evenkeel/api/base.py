"""Building blocks shared by all kinds: the base model, schema markers and scalar types."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "evenkeel.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class Rule(NamedTuple):
    """A CEL validation: `rule` must hold, otherwise the API server answers `message`."""

    rule: str
    message: str


class Column(NamedTuple):
    """A printer column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False
    description: str = ""


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

    def wire(self) -> dict[str, Any]:
        """The JSON object for the API server, without unset (None) fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Resource(Model):
    """What a top-level kind declares about itself for the CRD."""

    kind: ClassVar[str]
    plural: ClassVar[str]
    short_names: ClassVar[tuple[str, ...]] = ()
    namespaced: ClassVar[bool] = True
    columns: ClassVar[tuple[Column, ...]] = ()
    has_status: ClassVar[bool] = True

    metadata: ObjectMeta
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') "
            "&& size(self.metadata.name) <= 63",
            "metadata.name becomes a label: it needs lower-case letters, digits and hyphens, "
            "at most 63 characters",
        ),
    )


def cel(*items: Rule) -> dict[str, Any]:
    """CEL rules for a field (`Field(json_schema_extra=...)`)."""
    return {"x-kubernetes-validations": [r._asdict() for r in items]}


def says(message: str) -> dict[str, Any]:
    """What the API server answers when the field does not match its `pattern`."""
    return {"x-message": message}


def map_list(*keys: str) -> dict[str, Any]:
    """Marks a list as a map with the given keys, so that server-side apply merges by them."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}

OpenObject = Annotated[
    dict[str, Any],
    Field(
        json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    ),
]
"""A core Kubernetes object (a container, a pod spec) that the API server validates later."""

Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        json_schema_extra=says("a name needs lower-case letters, digits and hyphens"),
    ),
]
"""A DNS label."""

Decimal = Annotated[
    str,
    Field(
        max_length=32,
        pattern=r"^-?[0-9]+(\.[0-9]+)?$",
        json_schema_extra=says('write a decimal number in quotes, such as "0.9"'),
    ),
]
"""A decimal number as a string (Kubernetes APIs carry no floats)."""

Ratio = Annotated[
    str,
    Field(
        max_length=16,
        pattern=r"^(0(\.[0-9]+)?|1(\.0+)?)$",
        json_schema_extra=says('write a share from 0 to 1 in quotes, such as "0.05" for 5 %'),
    ),
]
"""A share from 0 to 1 as a decimal string, such as "0.01"."""

Seconds = Annotated[
    str,
    Field(
        max_length=32,
        pattern=r"^([0-9]*[1-9][0-9]*(\.[0-9]+)?|0+\.[0-9]*[1-9][0-9]*)$",
        json_schema_extra=says('write seconds, greater than 0, in quotes, such as "0.25"'),
    ),
]
"""A positive time in seconds as a decimal string."""

Digest = Annotated[
    str,
    Field(
        max_length=71,
        pattern=r"^sha256:[0-9a-f]{64}$",
        json_schema_extra=says("write sha256: and 64 hexadecimal digits"),
    ),
]
"""SHA-256 of an artefact."""

Labels = Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=64)]
"""Kubernetes labels, also a node selector."""

Annotations = Annotated[dict[str, Annotated[str, Field(max_length=16384)]], Field(max_length=64)]
"""Kubernetes annotations."""

Timestamp = Annotated[str, Field(max_length=32, json_schema_extra={"format": "date-time"})]
"""RFC 3339 time in UTC."""

ConditionStatus = Literal["True", "False", "Unknown"]


class ObjectMeta(Model):
    """The part of metadata that decisions read."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    resource_version: str = ""


class Condition(Model):
    """An observation of the object's state (Kubernetes API conventions, metav1.Condition)."""

    type: Annotated[str, Field(max_length=64, description="Type of the condition.")]
    status: Annotated[ConditionStatus, Field(description="True, False or Unknown.")]
    reason: Annotated[str, Field(max_length=128, description="CamelCase reason.")]
    message: Annotated[str, Field(max_length=4096, description="Message for people.")] = ""
    last_transition_time: Annotated[Timestamp, Field(description="Last change of the status.")]
    observed_generation: Annotated[
        int, Field(description="Generation of the object that was judged.")
    ] = 0


Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=16,
        description="Observations of the object's state.",
        json_schema_extra=map_list("type"),
    ),
]

Resource.model_rebuild()
