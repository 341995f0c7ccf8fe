"""Counters that a web API tells as JSON, instead of a Prometheus."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.api.prometheus import ObjectName, url_rules
from evenkeel.meta.model import Model, Rule, cel, says

Pointer = Annotated[
    str,
    Field(
        max_length=256,
        pattern=r"^(/([^/~]|~[01])*)+$",
        json_schema_extra=says(
            "a JSON pointer (RFC 6901) begins with /, such as /total or /counts/0/good"
        ),
    ),
]
"""Where a number is in a JSON document."""


class WebCounters(Model):
    """Two counters of each revision, as a web API tells them."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("!(has(self.bad) && has(self.good))", "give either bad or good, not both"),
        Rule(
            "[self.url, self.total].exists(t, t.contains('{{revision}}') || "
            "t.contains('{{service}}') || t.contains('{{args.'))",
            "url or total needs {{revision}}: each revision is counted by itself",
        ),
    )
    url: Annotated[
        str,
        Field(
            max_length=1024,
            description="Address that answers GET with JSON. Placeholders are {{namespace}}, "
            "{{deployment}}, {{revision}}, {{service}} and {{route}}.",
            json_schema_extra=cel(
                *url_rules("secretName", query=True),
                Rule("self.matches('^[!-~]+$')", "url must be printable ASCII"),
                Rule(
                    "!self.matches('^https?://[^/?]*[{}]')",
                    "url must have placeholders in its path or after ? only, not in its host",
                ),
            ),
        ),
    ]
    total: Annotated[
        Pointer, Field(description="Where all events are in the answer, as a counter.")
    ] = "/total"
    good: Annotated[
        Pointer | None,
        Field(description="Where the good events are; /good where bad is not given either."),
    ] = None
    bad: Annotated[Pointer | None, Field(description="Where the bad events are.")] = None
    secret_name: Annotated[
        ObjectName | None,
        Field(
            description="Secret in the ModelDeployment's namespace with what the address is "
            "shown: token, username and password, headers, ca.crt, tls.crt and tls.key."
        ),
    ] = None

    @property
    def counted(self) -> str:
        """Where the bad or the good events are."""
        return self.bad or self.good or "/good"
