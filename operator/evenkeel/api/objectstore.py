"""Where objects are, in a store that speaks S3, and how it is reached."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from evenkeel.api.prometheus import ObjectName, url_rules
from evenkeel.meta.model import Model, Rule, cel, says

RUN = "$(EVENKEEL_RUN)"
"""What stands for the run's name in an address."""
BUCKET = "[A-Za-z0-9][A-Za-z0-9._-]{1,62}"

PLAIN = Rule(
    "!self.matches('^s3://.*//') && !self.matches('/[.]{1,2}(/|$)') "
    "&& !self.matches('[[:cntrl:]]')",
    "uri must be plain: no empty parts, no . and .., no control characters",
)


def in_bucket(path: str) -> tuple[Rule, ...]:
    """Rules of the address of objects in a bucket. path: what is after it, as messages name it."""
    return (
        Rule(
            f"self.matches('^s3://{BUCKET}/') && !self.contains('$(')",
            f"uri must be s3://BUCKET/{path}, or s3://BUCKET/ for the whole bucket",
        ),
        PLAIN,
    )


class ObjectStore(Model):
    """The store that an address is in."""

    endpoint: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=512,
            description="Address of the store's S3 API, such as https://minio.example.com; AWS's "
            "if left out.",
            json_schema_extra=cel(*url_rules("secretName")),
        ),
    ] = None
    addressing: Annotated[
        Literal["Path", "VirtualHost"],
        Field(
            description="Whether the endpoint takes the bucket in the path, or before its host's "
            "name. At AWS that follows from the bucket."
        ),
    ] = "Path"
    region: Annotated[
        str,
        Field(
            min_length=1,
            max_length=32,
            pattern=r"^[a-z0-9-]+$",
            description="Region of the bucket.",
            json_schema_extra=says("a region needs lower-case letters, digits and hyphens"),
        ),
    ] = "us-east-1"
    secret_name: Annotated[
        ObjectName | None,
        Field(
            description="Secret with accessKeyId and secretAccessKey, and sessionToken of a "
            "session (AWS_ACCESS_KEY_ID and so on are taken as well), ca.crt, tls.crt and tls.key; "
            "without it nothing is signed. The operator needs to be granted it by name."
        ),
    ] = None


Marker = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9._=-]+$",
        json_schema_extra=says("a marker is an object's name such as _SUCCESS, without /"),
    ),
]


class ObjectsTrigger(ObjectStore):
    """Fires when objects of a store change, or when further ones are complete."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.marker) || self.uri.endsWith('/')",
            "with a marker uri must end with /, so that folders are below it",
        ),
    )
    uri: Annotated[
        str,
        Field(
            max_length=1024,
            description="s3://BUCKET/PREFIX that the objects' addresses begin with.",
            json_schema_extra=cel(*in_bucket("PREFIX")),
        ),
    ]
    marker: Annotated[
        Marker | None,
        Field(
            description="Name of the object by which a folder directly below the prefix, or what "
            "is directly below it, is known to be complete, such as _SUCCESS. Without it every "
            "change of an object counts."
        ),
    ] = None
    interval_seconds: Annotated[
        int, Field(ge=10, le=86400, description="How often the objects are listed.")
    ] = 300
