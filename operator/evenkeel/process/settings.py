"""The operator's settings, from environment variables named EVENKEEL_<SETTING>."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


class SettingsError(Exception):
    """A setting has a wrong value; the message names it."""


@dataclass(frozen=True)
class Settings:
    """How this process runs. Ports are TCP ports on all addresses."""

    namespace: str = "default"
    identity: str = "evenkeel"
    watch_namespaces: tuple[str, ...] = ()
    prometheus_url: str = ""
    prometheus_token_file: str = ""
    leader_election: bool = True
    webhook_port: int = 8088
    webhook_token_file: str = ""
    http_port: int = 8080
    metrics_port: int = 9090
    log_level: str = "info"
    log_format: str = "json"
    storage_initializer_image: str = "kserve/storage-initializer:v0.21.0"
    workers: int = 32

    @classmethod
    def from_environment(cls) -> Self:
        """Reads the environment. Raises SettingsError."""

        def text(name: str, default: str) -> str:
            return os.environ.get(f"EVENKEEL_{name}", default)

        def number(name: str, default: int) -> int:
            value = text(name, str(default))
            if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
                raise SettingsError(f"EVENKEEL_{name} must be a number from 1 to 65535: {value!r}")
            return int(value)

        def flag(name: str, default: bool) -> bool:
            value = text(name, str(default)).lower()
            if value not in ("true", "false"):
                raise SettingsError(f"EVENKEEL_{name} must be true or false, not {value!r}")
            return value == "true"

        own = SERVICE_ACCOUNT_NAMESPACE
        namespace = own.read_text().strip() if own.exists() else "default"
        watched = text("WATCH_NAMESPACES", "")
        log_format = text("LOG_FORMAT", cls.log_format)
        if log_format not in ("json", "plain"):
            raise SettingsError(f"EVENKEEL_LOG_FORMAT must be json or plain, not {log_format!r}")
        log_level = text("LOG_LEVEL", cls.log_level).lower()
        if log_level not in LOG_LEVELS:
            raise SettingsError(
                f"EVENKEEL_LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}, not {log_level!r}"
            )
        return cls(
            namespace=text("NAMESPACE", namespace),
            identity=text("POD_NAME", f"{socket.gethostname()}-{os.getpid()}"),
            watch_namespaces=tuple(n.strip() for n in watched.split(",") if n.strip()),
            prometheus_url=text("PROMETHEUS_URL", ""),
            prometheus_token_file=text("PROMETHEUS_TOKEN_FILE", ""),
            leader_election=flag("LEADER_ELECTION", True),
            webhook_port=number("WEBHOOK_PORT", cls.webhook_port),
            webhook_token_file=text("WEBHOOK_TOKEN_FILE", ""),
            http_port=number("HTTP_PORT", cls.http_port),
            metrics_port=number("METRICS_PORT", cls.metrics_port),
            log_level=log_level,
            log_format=log_format,
            storage_initializer_image=text(
                "STORAGE_INITIALIZER_IMAGE", cls.storage_initializer_image
            ),
            workers=number("WORKERS", cls.workers),
        )

    def read_token(self, file: str) -> str:
        """The token in a mounted file; empty if none is set. Raises SettingsError."""
        if not file:
            return ""
        try:
            token = Path(file).read_text().strip()
        except (OSError, ValueError) as error:
            raise SettingsError(f"cannot read the token file {file}: {error}") from error
        if not token:
            # Compared with an empty token, every request would be let in.
            raise SettingsError(f"the token file {file} is empty; put the token into it")
        return token
