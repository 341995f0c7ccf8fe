"""A version's place in a registry of models: where it is to be, and where it is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.api.base import Name
from evenkeel.meta.model import Model, Rule, cel, says
from evenkeel.meta.times import Timestamp

Alias = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        pattern=r"^[A-Za-z0-9_-]+$",
        json_schema_extra={
            **says("an alias has letters, digits, _ and -"),
            **cel(
                Rule(
                    "!self.matches('^([vV][0-9]+|[lL][aA][tT][eE][sS][tT])$')",
                    "latest and v1 are no aliases but MLflow's own words; set an alias such as "
                    "champion, or name the number as version",
                )
            ),
        },
    ),
]
"""An alias of a registered model."""


class Registration(Model):
    """The registered model whose versions a model's versions become."""

    registry: Annotated[Name, Field(description="Name of a ModelRegistry in this namespace.")]
    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=256,
            pattern=r"^[^/:\x22\x27`\x00-\x1f\x7f]+$",
            description="Name of the registered model, which is made where there is none.",
            json_schema_extra=says(
                "name is the registered model's own, without / and : and quotes, such as fraud"
            ),
        ),
    ]


class ServedAlias(Registration):
    """An alias of a registered model that is to mean the version that serves."""

    alias: Annotated[Alias, Field(description="The alias, such as champion.")]


class RegisteredVersion(Model):
    """A version of a registered model."""

    registry: Annotated[str, Field(max_length=63, description="Name of the ModelRegistry.")]
    name: Annotated[str, Field(max_length=256, description="Name of the registered model.")]
    version: Annotated[str, Field(max_length=18, description="Number of the version.")]

    @property
    def identity(self) -> RegisteredVersion:
        """Which version it is."""
        return RegisteredVersion(registry=self.registry, name=self.name, version=self.version)


class RegisteredAs(RegisteredVersion):
    """What a ModelVersion is in its registry."""

    time: Annotated[Timestamp, Field(description="When the registry was found to have it.")]
