"""Which model a ModelDeployment serves, and its download."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.api.base import Name
from evenkeel.api.common import ModelFormat
from evenkeel.api.registration import Alias
from evenkeel.api.uri import ModelURI
from evenkeel.meta.model import Model, OpenObject, Rule, exactly_one, says


class Storage(Model):
    """Credentials and resources of the download."""

    secret_name: Annotated[
        str | None,
        Field(max_length=253, description="Secret whose keys become the initializer's variables."),
    ] = None
    resources: Annotated[
        OpenObject | None, Field(description="Resources of the initializer container.")
    ] = None
    download_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=86400,
            description="How long the download of large weights may take. It begins no revision, "
            "and rollout.progressDeadlineSeconds follows it unless it is set.",
        ),
    ] = 0


VersionNumber = Annotated[
    str,
    Field(
        max_length=18,
        pattern=r"^[1-9][0-9]*$",
        json_schema_extra=says('write the version\'s number in quotes, such as "3"'),
    ),
]
"""The number of a registered model's version."""


class RegisteredSource(Model):
    """A model of a registry: the version that an alias means, or one for good."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("registry", ("alias", "version")),)
    registry: Annotated[Name, Field(description="Name of a ModelRegistry in this namespace.")]
    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=256,
            pattern=r"^[^/:\x00-\x1f\x7f]+$",
            description="Name of the registered model.",
            json_schema_extra=says(
                "name is the registered model's own, without / and :, such as fraud"
            ),
        ),
    ]
    alias: Annotated[
        Alias | None,
        Field(description="Alias whose version is served; moving it begins a rollout."),
    ] = None
    version: Annotated[
        VersionNumber | None, Field(description="Number of the version that is served.")
    ] = None


class ModelSource(Model):
    """Which model is served: by URI, by ModelVersion, by following a model's versions, or as a
    registry has it."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.uri), has(self.version), has(self.follow), has(self.registry)]"
            ".exists_one(g, g)",
            "model needs exactly one of uri, version (a ModelVersion), follow (a model name) or "
            "registry",
        ),
        Rule(
            "!has(self.format) || has(self.uri) || has(self.registry)",
            "format goes with uri or registry; a ModelVersion brings its own format",
        ),
    )
    uri: Annotated[
        ModelURI | None,
        Field(
            description="The artefact: pvc://CLAIM/PATH, s3://, gs://, http(s)://, hf://, "
            "oci://IMAGE (an image volume) or file:///PATH (baked into the runtime's image).",
        ),
    ] = None
    version: Annotated[Name | None, Field(description="Name of a ModelVersion.")] = None
    follow: Annotated[
        Name | None,
        Field(description="Name of a model whose newest approved ModelVersion is served."),
    ] = None
    registry: Annotated[
        RegisteredSource | None, Field(description="A model of a ModelRegistry.")
    ] = None
    format: Annotated[
        ModelFormat | None,
        Field(description="Format of the artefact at uri, or instead of what its MLmodel says."),
    ] = None
    storage: Annotated[Storage, Field(description="The download.")] = Storage()

    @property
    def followed(self) -> bool:
        """Whether another model may be served by and by without a change of the spec."""
        return self.follow is not None or (
            self.registry is not None and self.registry.alias is not None
        )
