"""Which requests a canary gets at a step: all or a share, copies, those that match, a preview's."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from evenkeel.api.base import CookieName, HeaderName, HostName
from evenkeel.meta.model import ATOMIC, Model, Rule, map_list, says


class Mirror(Model):
    """Copies of requests, which the meters of stable's pods send."""

    percent: Annotated[
        int, Field(ge=1, le=100, description="Share of stable's requests that is copied.")
    ]


class HeaderMatch(Model):
    """A header that a request has."""

    name: Annotated[HeaderName, Field(description="Its name.")]
    value: Annotated[str, Field(min_length=1, max_length=4096, description="Its value.")]
    type: Annotated[
        Literal["Exact", "RegularExpression"],
        Field(description="Whether the value is one, or an expression as the gateway knows them."),
    ] = "Exact"


class CookieMatch(Model):
    """A cookie that a request has."""

    name: Annotated[CookieName, Field(description="Its name.")]
    value: Annotated[
        str,
        Field(
            min_length=1,
            max_length=256,
            pattern=r"^[A-Za-z0-9_.~-]+$",
            description="Its value.",
            json_schema_extra=says("a cookie's value needs letters, digits, and - _ . ~"),
        ),
    ]


class Match(Model):
    """A request with all of these."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.headers) && size(self.headers) > 0 || "
            "has(self.cookies) && size(self.cookies) > 0",
            "a match needs a header or a cookie; all requests match an empty one",
        ),
        Rule(
            "!has(self.cookies) || size(self.cookies) == 0 || !has(self.headers) || "
            "self.headers.all(h, h.name.lowerAscii() != 'cookie')",
            "a route matches the header Cookie once: write all cookies under cookies",
        ),
    )
    headers: Annotated[
        tuple[HeaderMatch, ...],
        Field(max_length=8, description="Headers.", json_schema_extra=map_list("name")),
    ] = ()
    cookies: Annotated[
        tuple[CookieMatch, ...],
        Field(max_length=2, description="Cookies.", json_schema_extra=map_list("name")),
    ] = ()


class Preview(Model):
    """No requests but those to the preview Service, `<name>-preview`."""

    hostnames: Annotated[
        tuple[HostName, ...],
        Field(
            max_length=4,
            description="Host names of an HTTPRoute that leads to it. Needs traffic.gateway.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()


Exposure = Literal["Weight", "Mirror", "Match", "Preview"]
"""Which requests a canary gets: a share, copies, those that match, or those to a Service apart."""
