"""What a container shows an outside system: keys of a Secret as its variables."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]

KEYS = {
    "TOKEN": "token",
    "USERNAME": "username",
    "PASSWORD": "password",
    "CA": "ca.crt",
    "CERTIFICATE": "tls.crt",
    "KEY": "tls.key",
    "HEADERS": "headers",
}
"""By variable the key of the Secret, which may be left out."""


def secret_variables(prefix: str, secret: str | None) -> list[JSON]:
    """All that the Secret has of it, as variables that begin with the prefix; empty without one."""
    if not secret:
        return []
    return [secret_variable(f"{prefix}{variable}", secret, key) for variable, key in KEYS.items()]


def secret_variable(variable: str, secret: str, key: str) -> JSON:
    """A variable of a key that may be left out."""
    reference = {"name": secret, "key": key, "optional": True}
    return {"name": variable, "valueFrom": {"secretKeyRef": reference}}
