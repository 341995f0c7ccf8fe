"""Building blocks shared by all kinds: the base model, schema markers and scalar types."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field, model_validator

from evenkeel.api.record import RECORD, recalled
from evenkeel.meta.model import Model, Rule, cel, map_list, says
from evenkeel.meta.objects import ObjectMeta

GROUP = "evenkeel.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class Column(NamedTuple):
    """A printer column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False
    description: str = ""


class Scale(NamedTuple):
    """Where the scale subresource finds the wanted and the present number, and whose they are."""

    replicas: str = ".spec.replicas"
    present: str = ".status.replicas"
    selector: str = ".status.selector"


class Resource(Model):
    """What a top-level kind declares about itself for the CRD.

    lasting: the fields of its status that its record may bring back.
    """

    kind: ClassVar[str]
    plural: ClassVar[str]
    short_names: ClassVar[tuple[str, ...]] = ()
    namespaced: ClassVar[bool] = True
    columns: ClassVar[tuple[Column, ...]] = ()
    has_status: ClassVar[bool] = True
    scale: ClassVar[Scale | None] = None
    lasting: ClassVar[frozenset[str]] = frozenset()

    metadata: ObjectMeta
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') "
            "&& size(self.metadata.name) <= 63",
            "metadata.name becomes a label: it needs lower-case letters, digits and hyphens, "
            "at most 63 characters",
        ),
    )

    @classmethod
    def with_record(cls, obj: dict[str, Any]) -> dict[str, Any]:
        """The object with what its record brings back."""
        status: Any = cls.model_fields["status"].annotation
        return recalled(obj, cls.lasting, status)

    @model_validator(mode="before")
    @classmethod
    def _with_record(cls, obj: Any) -> Any:
        return cls.with_record(obj) if cls.lasting and isinstance(obj, dict) else obj

    @property
    def had_earlier_life(self) -> bool:
        """Whether this is the first look at an object that was restored or lost its status."""
        status: Any = getattr(self, "status", None)
        written = status is not None and status.observed_generation > 0
        return RECORD in self.metadata.annotations and not written


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

HostName = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        json_schema_extra=says("write a host name without scheme, port and path"),
    ),
]
"""A DNS name, or *. before one."""

HeaderName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        pattern=r"^[A-Za-z0-9!#$%&*+.^_`|~-]+$",
        json_schema_extra=says("write a header's name, such as X-Beta"),
    ),
]
"""Name of an HTTP header."""

CookieName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9_-]+$",
        json_schema_extra=says("a cookie's name needs letters, digits, - and _"),
    ),
]
"""Name of a cookie, without what an expression would read otherwise."""

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

Limit = Annotated[
    Ratio,
    Field(
        json_schema_extra=cel(Rule("double(self) < 1.0", "write a share below 1: none is above it"))
    ),
]
"""A share that others can be above."""

Share = Annotated[
    Ratio,
    Field(
        json_schema_extra=cel(
            Rule("double(self) > 0.0 && double(self) < 1.0", "write a share above 0 and below 1")
        )
    ),
]
"""A share that is neither none nor all."""

_ABOVE_ZERO = r"^([0-9]*[1-9][0-9]*(\.[0-9]+)?|0+\.[0-9]*[1-9][0-9]*)$"

Seconds = Annotated[
    str,
    Field(
        max_length=32,
        pattern=_ABOVE_ZERO,
        json_schema_extra=says('write seconds, greater than 0, in quotes, such as "0.25"'),
    ),
]
"""A positive time in seconds as a decimal string."""

Positive = Annotated[
    str,
    Field(
        max_length=32,
        pattern=_ABOVE_ZERO,
        json_schema_extra=says('write a number greater than 0, in quotes, such as "0.25"'),
    ),
]
"""A positive number as a decimal string."""

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

PodsOrPercentage = Annotated[
    int | str,
    Field(
        json_schema_extra={
            "x-int-or-string": True,
            "maxLength": 4,
            **cel(
                Rule(
                    "type(self) == int ? self >= 0 : self.matches('^([0-9]{1,2}|100)%$')",
                    "write a number of pods or a percentage, such as 1 or 50%",
                )
            ),
        }
    ),
]
"""A number of pods, or a share of them such as 50%."""

ENVIRONMENT: dict[str, Any] = {
    "items": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {
                "type": "string",
                "minLength": 1,
                "maxLength": 253,
                "description": "Name of the variable.",
            }
        },
        "x-kubernetes-preserve-unknown-fields": True,
    },
    **map_list("name"),
}
"""Schema of a list of core/v1 EnvVars, merged by name."""

Resource.model_rebuild()
