"""Requests that a pod answers before it gets traffic."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from evenkeel.meta.model import Model, Rule, at_most_one, cel, says

RequestPath = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=r"^/[!-~]*$",
        json_schema_extra=says(
            "a path begins with / and has no spaces, such as /v2/models/m/infer"
        ),
    ),
]
"""Path and query of an HTTP request."""


class RuntimeWarmUp(Model):
    """How warm-up requests are sent to the model server."""

    path: Annotated[RequestPath, Field(description="HTTP path; it may have placeholders.")]


class WarmUp(Model):
    """Requests that every new pod answers before it gets traffic, also after a restart."""

    rules: ClassVar[tuple[Rule, ...]] = at_most_one("warmUp", ["body", "bodyFile"])
    requests: Annotated[
        int, Field(ge=1, le=10000, description="Requests that must be answered.")
    ] = 10
    concurrency: Annotated[
        int, Field(ge=1, le=64, description="Requests at the same time at most.")
    ] = 1
    path: Annotated[
        RequestPath | None, Field(description="HTTP path; the runtime's by default.")
    ] = None
    body: Annotated[
        str | None, Field(max_length=65536, description="Body of each request, as text.")
    ] = None
    body_file: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=512,
            description="File with the body, in the model's folder; warm-up.json unless body is "
            "given.",
            json_schema_extra=cel(
                Rule(
                    "!self.startsWith('/') && !self.split('/').exists(p, p == '..')",
                    "bodyFile is relative to the model's folder and stays in it",
                )
            ),
        ),
    ] = None
    content_type: Annotated[
        str,
        Field(
            max_length=256,
            pattern=r"^[!-~]([ -~]*[!-~])?$",
            description="Content-Type of the body.",
            json_schema_extra=says("write a media type such as application/json"),
        ),
    ] = "application/json"
    timeout_seconds: Annotated[
        int, Field(ge=1, le=3600, description="Longest time for one request.")
    ] = 30
    failure_policy: Annotated[
        Literal["Fail", "Ignore"],
        Field(
            description="Fail repeats a request that is not answered with 2xx, and the pod stays "
            "unready until then; Ignore counts any answer."
        ),
    ] = "Fail"
