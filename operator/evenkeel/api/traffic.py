"""How requests are divided between stable and canary: the strategy, and who stays where."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.alias_generators import to_camel

from evenkeel.api.base import CookieName, HeaderName, HostName
from evenkeel.meta.model import ATOMIC, Model, Rule, at_most_one, exactly_one, says


class ParentRef(Model):
    """A Gateway that the HTTPRoute attaches to."""

    name: Annotated[str, Field(min_length=1, max_length=253, description="Name of the Gateway.")]
    namespace: Annotated[str | None, Field(max_length=63, description="Its namespace.")] = None
    section_name: Annotated[str | None, Field(max_length=253, description="Its listener.")] = None


REVISION_PLACEHOLDER = "{{revision}}"
"""In the name of an endpoint picker, for the revision whose pods it chooses among."""


class PickerPort(Model):
    """The port of an endpoint picker."""

    number: Annotated[int, Field(ge=1, le=65535, description="Of its Service.")]


class EndpointPicker(Model):
    """The Service of what chooses a pod for each request."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            pattern=r"^(\{\{revision\}\}|[a-z0-9])(\{\{revision\}\}|[-a-z0-9])*$",
            description="Name of the Service; {{revision}} stands for the revision. {{revision}} "
            "alone is the revision's own Service, which leads to a picker in its pods.",
            json_schema_extra=says(
                "write the name of a Service in this namespace, such as {{revision}}-epp"
            ),
        ),
    ]
    port: Annotated[PickerPort, Field(description="Its port.")]
    failure_mode: Annotated[
        Literal["FailClose", "FailOpen"],
        Field(description="What becomes of requests while it does not answer."),
    ] = "FailClose"


class InferencePool(Model):
    """One InferencePool a revision behind the HTTPRoute."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.sharedPicker || self.endpointPickerRef.name.contains('{{revision}}')",
            "each revision has a pool, and a picker chooses for one pool: put {{revision}} into "
            "endpointPickerRef.name, or set sharedPicker: true for a picker that serves any pool",
        ),
        Rule(
            "self.endpointPickerRef.name != '{{revision}}' || "
            "self.endpointPickerRef.port.number != 80",
            "port 80 of a revision's Service is the model server's; let the picker in its pods "
            "listen on another port",
        ),
    )
    endpoint_picker_ref: Annotated[
        EndpointPicker, Field(description="What chooses among the pods of a pool.")
    ]
    shared_picker: Annotated[
        bool,
        Field(
            description="Whether that chooses among the pods of whichever pool a request is for, "
            "as the reference implementation does not."
        ),
    ] = False


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
    inference_pool: Annotated[
        InferencePool | None,
        Field(
            description="Has InferencePools (inference.networking.k8s.io/v1) behind the route "
            "instead of Services. Needs a gateway that knows them."
        ),
    ] = None


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
