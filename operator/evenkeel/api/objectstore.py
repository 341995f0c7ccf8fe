"""Where objects are, in a store that speaks S3, and how it is reached."""

from __future__ import annotations

from typing import Annotated, Literal

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
