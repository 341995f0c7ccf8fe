"""ModelRegistry: how a registry of models is reached."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.api.base import Column, Name, Resource
from evenkeel.api.prometheus import ObjectName, url_rules
from evenkeel.meta.conditions import Conditions
from evenkeel.meta.model import Model, cel


class Mlflow(Model):
    """A tracking server of MLflow 3 with its registry."""

    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2048,
            description="Base URL, such as https://mlflow.example.com.",
            json_schema_extra=cel(*url_rules("secretName")),
        ),
    ]
    workspace: Annotated[
        Name | None,
        Field(description="Workspace whose models are meant, where the server has several."),
    ] = None


class ModelRegistrySpec(Model):
    """One registry, what it is shown and how often it is asked."""

    mlflow: Annotated[Mlflow, Field(description="A registry of MLflow 3.")]
    secret_name: Annotated[
        ObjectName | None,
        Field(
            description="Secret with what the registry is shown: `token`, or `username` and "
            "`password`; `ca.crt` to trust; `tls.crt` and `tls.key` of the client; `headers`, "
            "lines of NAME: VALUE; and `webhook`, the secret that its notifications are signed "
            "with.",
        ),
    ] = None
    interval_seconds: Annotated[
        int, Field(ge=5, le=86400, description="Seconds between two questions.")
    ] = 30
    write_tags: Annotated[
        bool,
        Field(
            description="Whether versions get a tag that tells how their rollouts went; the user "
            "of the Secret needs to be allowed to edit registered models."
        ),
    ] = False


class ModelRegistryStatus(Model):
    """Whether the registry can be asked."""

    observed_generation: Annotated[int, Field(description="Generation last acted upon.")] = 0
    conditions: Conditions = ()


class ModelRegistry(Resource):
    """How a registry of models is reached."""

    kind: ClassVar[str] = "ModelRegistry"
    plural: ClassVar[str] = "modelregistries"
    short_names: ClassVar[tuple[str, ...]] = ("mdr",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("URL", ".spec.mlflow.url"),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', wide=True),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    spec: Annotated[ModelRegistrySpec, Field(description="Which registry, and how it is asked.")]
    status: Annotated[ModelRegistryStatus, Field(description="Whether it can be asked.")] = (
        ModelRegistryStatus()
    )
