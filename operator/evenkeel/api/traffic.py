"""How requests are divided between stable and canary: the strategy, and who stays where."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from pydantic.alias_generators import to_camel

from evenkeel.api.base import CookieName, HeaderName, HostName
from evenkeel.meta.model import ATOMIC, Model, Rule, at_most_one, exactly_one


class ParentRef(Model):
    """A Gateway that the HTTPRoute attaches to."""

    name: Annotated[str, Field(min_length=1, max_length=253, description="Name of the Gateway.")]
    namespace: Annotated[str | None, Field(max_length=63, description="Its namespace.")] = None
    section_name: Annotated[str | None, Field(max_length=253, description="Its listener.")] = None


class Gateway(Model):
    """Weights by Gateway API HTTPRoute."""

    parent_refs: Annotated[
        tuple[ParentRef, ...],
        Field(min_length=1, max_length=8, description="Gateways.", json_schema_extra=ATOMIC),
    ]
    hostnames: Annotated[
        tuple[HostName, ...],
        Field(max_length=16, description="Host names of the route.", json_schema_extra=ATOMIC),
    ] = ()
    revision_headers: Annotated[
        bool,
        Field(
            description="Whether answers tell their revision and ModelVersion in the headers "
            "Evenkeel-Revision and Evenkeel-Version. Needs a gateway with filters on backendRefs."
        ),
    ] = False


class CookieAffinity(Model):
    """A cookie that answers set, and that names the revision which gave them."""

    name: Annotated[CookieName, Field(description="Its name.")] = "evenkeel-revision"
    max_age_seconds: Annotated[
        int,
        Field(ge=1, le=31536000, description="How long a client stays, from its first answer on."),
    ] = 86400


class HeaderAffinity(Model):
    """A header of requests by whose value stable's meters divide them."""

    name: Annotated[HeaderName, Field(description="Its name, such as X-User-Id.")]


class Affinity(Model):
    """What keeps a client with the revision that has answered it once."""

    cookie: Annotated[
        CookieAffinity | None,
        Field(description="By a cookie that the gateway sets. Needs traffic.gateway."),
    ] = None
    header: Annotated[
        HeaderAffinity | None,
        Field(
            description="By the value of a header, which stable's meters divide by, in place of "
            "Services and routes. Needs monitoring."
        ),
    ] = None

    @classmethod
    def validations(cls) -> tuple[Rule, ...]:
        """That it is one of them."""
        return (*cls.rules, exactly_one("affinity", [to_camel(f) for f in cls.model_fields]))


class Traffic(Model):
    """How requests are divided between stable and canary.

    beside: fields that choose no strategy.
    """

    beside: ClassVar[frozenset[str]] = frozenset({"affinity"})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.affinity) || !has(self.affinity.cookie) || has(self.gateway)",
            "affinity by a cookie needs a gateway that sets it: add traffic.gateway",
        ),
    )
    gateway: Annotated[
        Gateway | None,
        Field(description="Without it, the share follows from the numbers of replicas."),
    ] = None
    affinity: Annotated[
        Affinity | None,
        Field(description="Keeps a client with the revision that it met first."),
    ] = None

    @classmethod
    def strategies(cls) -> tuple[str, ...]:
        """The fields that choose a strategy."""
        return tuple(f for f in cls.model_fields if f not in cls.beside)

    @classmethod
    def validations(cls) -> tuple[Rule, ...]:
        """The rules, and that one strategy is chosen at most."""
        return (*cls.rules, *at_most_one("traffic", [to_camel(f) for f in cls.strategies()]))
