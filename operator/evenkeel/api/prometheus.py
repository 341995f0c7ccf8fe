"""Access to a Prometheus: address, headers, credentials and certificates.

Secrets are named as the Prometheus operator names them in its own kinds.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.meta.model import Model, Rule, at_most_one, cel, exactly_one, map_list, says


def url_rules(secret: str, *, query: bool = False) -> tuple[Rule, ...]:
    """Rules of a server's base URL. secret: the fields that name a Secret. query: whether it may
    have parameters."""
    end = Rule(
        "!self.matches('[?#]')",
        "url must end with its path, without ? and #; write parameters as headers",
    )
    if query:
        end = Rule("!self.contains('#')", "url must have no #")
    return (
        Rule("self.matches('^https?://.+')", "url must begin with http:// or https://"),
        Rule(
            "!self.matches('^[^/]*//[^/]*@')",
            f"url must have no user or password; name a Secret in {secret}",
        ),
        end,
        Rule(
            r"!self.matches('[[:space:]\\\\%]') && !self.matches('/[.]{1,2}(/|$)')",
            "url must have a plain path, without spaces, backslashes, %, . and ..",
        ),
    )


ObjectName = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        json_schema_extra=says(
            "a name needs lower-case letters, digits, hyphens and dots, at most 253 characters"
        ),
    ),
]
Key = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^[-._a-zA-Z0-9]+$",
        json_schema_extra=says("a key needs letters, digits, hyphens, dots and underscores"),
    ),
]
HeaderValue = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=r"^[!-~]([ -~]*[!-~])?$",
        json_schema_extra=says("a header's value needs printable ASCII, no space at the ends"),
    ),
]
HostName = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
        json_schema_extra=says("a host's name needs letters, digits, hyphens and dots"),
    ),
]


class KeyOf(Model):
    """A key of a Secret or ConfigMap in the same namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Secret or ConfigMap.")]
    key: Annotated[Key, Field(description="The key in it.")]


class HeaderSource(Model):
    """Where a header's value is."""

    secret_key_ref: Annotated[KeyOf, Field(description="A key of a Secret.")]


class Header(Model):
    """An HTTP header of every query."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("a header", ("value", "valueFrom")),)
    name: Annotated[
        str,
        Field(
            max_length=128,
            pattern=r"^[A-Za-z0-9!#$%&*+.^_|~-]+$",
            description="Name, such as X-Scope-OrgID.",
            json_schema_extra={
                **says("a header's name needs letters, digits and hyphens"),
                **cel(
                    Rule(
                        "!(self.lowerAscii() in ['authorization', 'proxy-authorization'])",
                        "write credentials as basicAuth or authorization",
                    ),
                    Rule(
                        "!(self.lowerAscii() in ['host', 'content-length', 'content-type', "
                        "'transfer-encoding', 'connection', 'accept', 'accept-encoding', "
                        "'expect', 'upgrade', 'te', 'trailer', 'cookie'])",
                        "this header belongs to the transport; leave it out",
                    ),
                ),
            },
        ),
    ]
    value: Annotated[HeaderValue | None, Field(description="Value, where it is no secret.")] = None
    value_from: Annotated[
        HeaderSource | None, Field(description="Where the value is, if it is a secret.")
    ] = None


class BasicAuth(Model):
    """User name and password, each a key of a Secret."""

    username: Annotated[KeyOf, Field(description="Key of a Secret with the user's name.")]
    password: Annotated[KeyOf, Field(description="Key of a Secret with the password.")]


class Authorization(Model):
    """The Authorization header."""

    type: Annotated[
        str,
        Field(
            max_length=32,
            pattern=r"^[A-Za-z][A-Za-z0-9-]*$",
            description="The header's first word. Use basicAuth for Basic.",
            json_schema_extra={
                **says("type is one word, such as Bearer"),
                **cel(Rule("self.lowerAscii() != 'basic'", "write basicAuth instead")),
            },
        ),
    ] = "Bearer"
    credentials: Annotated[KeyOf, Field(description="Key of a Secret with the token.")]


class SecretOrConfigMap(Model):
    """A key of a Secret or of a ConfigMap."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("a source", ("secret", "configMap")),)
    secret: Annotated[KeyOf | None, Field(description="A key of a Secret.")] = None
    config_map: Annotated[KeyOf | None, Field(description="A key of a ConfigMap.")] = None


class TlsConfig(Model):
    """Certificates, as PEM."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("has(self.cert) == has(self.keySecret)", "cert and keySecret go together; give both"),
    )
    ca: Annotated[
        SecretOrConfigMap | None,
        Field(description="The authorities to trust instead of the operator image's."),
    ] = None
    cert: Annotated[
        SecretOrConfigMap | None, Field(description="The operator's certificate as a client.")
    ] = None
    key_secret: Annotated[KeyOf | None, Field(description="The certificate's key.")] = None
    server_name: Annotated[
        HostName | None,
        Field(
            description="Name that the server's certificate must bear instead of the URL's host."
        ),
    ] = None
    insecure_skip_verify: Annotated[
        bool,
        Field(description="Trust any certificate. Whoever is on the way may then decide rollouts."),
    ] = False


class Prometheus(Model):
    """Where the indicators are read, and what the server is shown.

    Secrets and ConfigMaps are of the same namespace; the operator needs the right to get them.
    """

    rules: ClassVar[tuple[Rule, ...]] = at_most_one("prometheus", ("basicAuth", "authorization"))
    url: Annotated[
        str | None,
        Field(
            max_length=2048,
            description="Base URL; the operator's setting applies without it.",
            json_schema_extra=cel(*url_rules("basicAuth or authorization")),
        ),
    ] = None
    headers: Annotated[
        tuple[Header, ...],
        Field(
            max_length=8,
            description="HTTP headers of every query, such as X-Scope-OrgID.",
            json_schema_extra=map_list("name"),
        ),
    ] = ()
    basic_auth: Annotated[
        BasicAuth | None, Field(description="User name and password, from Secrets.")
    ] = None
    authorization: Annotated[
        Authorization | None, Field(description="A token for the Authorization header.")
    ] = None
    tls: Annotated[TlsConfig | None, Field(description="Certificates.")] = None
