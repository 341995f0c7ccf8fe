"""The operator's settings, from environment variables named EVENKEEL_<SETTING>."""

from __future__ import annotations

import difflib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationError
from pydantic import model_validator as validates_model
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from evenkeel import __version__
from evenkeel.adapters.access import header
from evenkeel.adapters.address import Address
from evenkeel.adapters.address import Allowed as AllowedAddresses
from evenkeel.controllers import kinds
from evenkeel.process.service_links import is_service_link
from evenkeel.retraining.tenancy import Grants, owners

PREFIX = "EVENKEEL_"
ELSEWHERE = ("EVENKEEL_CLUSTER_DIR",)
"""Variables with the prefix that the development tools read, often in the same shell."""
SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class SettingsError(Exception):
    """A setting is wrong or unknown; the message, one line, names it and says what is allowed."""


class Allowed(NamedTuple):
    """What people are told of a setting: its values, and its default where that is computed."""

    values: str
    default: str = ""


def _namespace() -> str:
    file = SERVICE_ACCOUNT_NAMESPACE
    return file.read_text().strip() if file.exists() else "default"


def _identity() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def _number(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("not a number")
    return value


def _flag(value: object) -> object:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower(), "neither")
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _names(value: object) -> object:
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


def _url(value: str) -> str:
    return str(Address.parse(value)) if value else value


def _addresses(value: tuple[str, ...]) -> tuple[str, ...]:
    AllowedAddresses.parse(value)
    return value


def _headers(value: tuple[str, ...]) -> tuple[str, ...]:
    for entry in value:
        header(entry, "=")
    return value


def _owners(value: tuple[str, ...]) -> tuple[str, ...]:
    owners(value)
    return value


def _grants(value: tuple[str, ...]) -> tuple[str, ...]:
    Grants.parse(value)
    return value


def _integrations(value: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := set(value) - set(kinds.integrations()):
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    return value


Number = Annotated[
    int, BeforeValidator(_number), Field(ge=1, le=65535), Allowed("a number from 1 to 65535")
]
Flag = Annotated[bool, BeforeValidator(_flag), Allowed("true or false")]
File = Annotated[str, Allowed("a file that can be read")]
Addresses = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_names), AfterValidator(_addresses)
]
NamespaceName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]


class Settings(BaseSettings):
    """How this process runs. Ports are TCP ports on all addresses.

    The constructor takes plain values and reads nothing; `from_environment` does.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True
    )

    namespace: Annotated[
        str,
        Field(default_factory=_namespace, min_length=1),
        Allowed("a namespace", "the service account's, else `default`"),
    ] = Field(description="the operator's own namespace, where its Lease is")
    identity: Annotated[
        str,
        Field(
            default_factory=_identity,
            min_length=1,
            validation_alias=AliasChoices("EVENKEEL_POD_NAME", "POD_ID"),
        ),
        Allowed("a name that no other replica has", "`POD_ID`, else host name and process"),
    ] = Field(description="who holds the Lease")
    watch_namespaces: Annotated[
        tuple[NamespaceName, ...],
        NoDecode,
        BeforeValidator(_names),
        Allowed("names of namespaces, separated by commas", "all"),
    ] = Field((), description="the namespaces whose objects are looked after")
    prometheus_url: Annotated[
        str,
        AfterValidator(_url),
        Allowed("a URL that begins with http:// or https://, without user, password, ? and #"),
    ] = Field("", description="Prometheus for analyses that name none")
    prometheus_token_file: File = Field("", description="file with a bearer token for it")
    prometheus_headers: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_names),
        AfterValidator(_headers),
        Allowed("NAME=VALUE, separated by commas", "none"),
    ] = Field((), description="headers for it, such as `X-Scope-OrgID=ml`")
    prometheus_access_dir: Annotated[str, Allowed("a folder that can be read")] = Field(
        "",
        description="folder with more that it is shown, each if there is such a file: `username` "
        "and `password`, `ca.crt`, `tls.crt` and `tls.key`, `headers` (lines of `NAME: VALUE`)",
    )
    prometheus_allowed: Annotated[
        Addresses,
        Allowed("URL or NAMESPACE=URL, separated by commas", "any, see [Prometheus](#prometheus)"),
    ] = Field((), description="addresses, and what is below them, that analyses may name besides")
    sources_allowed: Annotated[
        Addresses,
        Allowed("URL or NAMESPACE=URL, separated by commas", "any, see [Sources](#sources)"),
    ] = Field(
        (),
        description="addresses, and what is below them, of outside systems that specs may name",
    )
    integrations: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_names),
        AfterValidator(_integrations),
        Allowed(f"of {', '.join(kinds.integrations())}, separated by commas", "none"),
    ] = Field((), description="what is switched on beside what always works")
    leader_election: Flag = Field(
        True, description="whether replicas take turns, by a Lease named `evenkeel`"
    )
    webhook_port: Number = Field(
        8088, description="the webhook of alerts, events and registries' notifications"
    )
    webhook_token_file: File = Field(
        "", description="file with its bearer token; without one it is open to all who reach it"
    )
    webhook_secrets: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_names),
        AfterValidator(_owners),
        Allowed("NAMESPACE=SECRET, separated by commas", "none"),
    ] = Field(
        (),
        description="by namespace the Secret there whose key `token` opens `/alerts/NAMESPACE` and "
        "`/events/NAMESPACE`",
    )
    webhook_namespace_label: Annotated[
        str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$"), Allowed("the name of a label")
    ] = Field(
        "namespace", description="of alerts, and as attribute of events, names their namespace"
    )
    webhook_grants: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_names),
        AfterValidator(_grants),
        Allowed("SOURCE=TARGET, separated by commas", "none"),
    ] = Field(
        (),
        description="alerts that schedules elsewhere may see: from a namespace, `-` (alerts without"
        " one) or `*` to a namespace, NAMESPACE/SCHEDULE or `*`",
    )
    approval_policy: Annotated[str, Allowed("a name; empty: none is expected")] = Field(
        "evenkeel-approvals",
        description="the ValidatingAdmissionPolicy that holds approvals to their rules, and its "
        "binding",
    )
    http_port: Number = Field(8080, description="`/healthz`, `/readyz`")
    metrics_port: Number = Field(9090, description="`/metrics`")
    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"],
        BeforeValidator(_lower),
        Allowed("one of debug, info, warning, error, critical"),
    ] = Field("info", description="the least urgent lines that are logged")
    log_format: Annotated[Literal["json", "plain"], Allowed("json or plain")] = Field(
        "json", description="how they look"
    )
    storage_initializer_image: Annotated[str, Field(min_length=1), Allowed("an image")] = Field(
        "kserve/storage-initializer:v0.21.0", description="downloads models"
    )
    warm_up_image: Annotated[
        str,
        Field(default_factory=lambda: f"evenkeel/operator:{__version__}", min_length=1),
        Allowed("an image", "`evenkeel/operator` of the operator's version"),
    ] = Field(description="sends warm-up requests")
    meter_image: Annotated[
        str,
        Field(default_factory=lambda: f"evenkeel/meter:{__version__}", min_length=1),
        Allowed("an image", "`evenkeel/meter` of the operator's version"),
    ] = Field(description="counts requests of models with `monitoring`")
    data_image: Annotated[
        str,
        Field(default_factory=lambda: f"evenkeel/data:{__version__}", min_length=1),
        Allowed("an image", "`evenkeel/data` of the operator's version"),
    ] = Field(description="brings training data into pods")
    workers: Number = Field(32, description="reconciles at the same time")

    @validates_model(mode="after")
    def _ports_differ(self) -> Self:
        ports: dict[int, str] = {}
        for name in ("webhook_port", "http_port", "metrics_port"):
            port = getattr(self, name)
            if port in ports:
                raise ValueError(
                    f"{variable(ports[port])} and {variable(name)} are both {port}; "
                    "give each a port of its own"
                )
            ports[port] = name
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The constructor's arguments alone."""
        return (init_settings,)

    @classmethod
    def from_environment(cls) -> Self:
        """Reads the environment. Raises SettingsError, also for an unknown EVENKEEL_ variable."""
        wrong = [_unknown(name) for name in unknown_variables(os.environ)]
        environment = EnvSettingsSource(cls)
        environment.env_vars = {
            name: value
            for name, value in environment.env_vars.items()
            if value is not None and not is_service_link(name.upper(), value)
        }
        try:
            made = cls(**environment())
        except ValidationError as error:
            raise SettingsError("; ".join([*_faults(error), *wrong])) from None
        if wrong:
            raise SettingsError("; ".join(wrong))
        return made

    def check_token_files(self) -> None:
        """Raises SettingsError unless every token file that is set holds a token."""
        for file in (self.webhook_token_file, self.prometheus_token_file):
            self.read_token(file)

    @staticmethod
    def in_pod() -> bool:
        """Whether this process runs in a pod of the cluster."""
        return SERVICE_ACCOUNT_NAMESPACE.exists()

    def read_token(self, file: str) -> str:
        """The token in a mounted file; empty if none is set. Raises SettingsError."""
        if not file:
            return ""
        try:
            token = Path(file).read_text().strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise SettingsError(
                f"cannot read the token file {file}: {why}; mount it, or unset its variable"
            ) from error
        if not token:
            # Compared with an empty token, every request would be let in.
            raise SettingsError(f"the token file {file} is empty; put the token into it")
        return token


def variable(field: str) -> str:
    """The environment variable of a field."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else PREFIX + field.upper()


def allowed(field: str) -> Allowed:
    """What people are told of a field."""
    return next(m for m in Settings.model_fields[field].metadata if isinstance(m, Allowed))


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables with the prefix that are no settings, service links aside."""
    known = {variable(field) for field in Settings.model_fields} | set(ELSEWHERE)
    return sorted(
        name
        for name, value in environment.items()
        if name.startswith(PREFIX) and name not in known and not is_service_link(name, value)
    )


def _unknown(name: str) -> str:
    known = [variable(field) for field in Settings.model_fields]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    remedy = f"did you mean {near[0]}?" if near else "remove it"
    return f"{name} is not a setting ({remedy})"


def _faults(error: ValidationError) -> list[str]:
    """One sentence for each wrong variable."""
    faults: dict[str, None] = {}
    by_variable = {variable(field): field for field in Settings.model_fields}
    for fault in error.errors(include_url=False):
        if not fault["loc"]:
            faults[str(fault["ctx"]["error"])] = None
            continue
        field = by_variable.get(str(fault["loc"][0]), str(fault["loc"][0]))
        found = os.environ.get(variable(field), "")
        # An address may hold a password, and so may a header.
        secret = "@" in found or field == "prometheus_headers"
        but = "" if secret else f", not {found!r}"
        faults[f"{variable(field)} must be {allowed(field).values}{but}"] = None
    return list(faults)
