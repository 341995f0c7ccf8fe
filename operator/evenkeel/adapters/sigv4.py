"""Signs requests as AWS Signature Version 4 says, in headers.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. Paths are taken as
they are, which is the way of S3; other services sign them normalised.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
UNRESERVED = "-._~"
NO_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials. token: of a session, empty for lasting ones."""

    id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for."""

    region: str
    service: str
    time: datetime

    @property
    def stamp(self) -> str:
        """The time as it is signed, in UTC."""
        return self.time.strftime("%Y%m%dT%H%M%SZ")

    @property
    def parts(self) -> tuple[str, ...]:
        """From the day to the end."""
        return (self.stamp[:8], self.region, self.service, "aws4_request")


def encoded(text: str, safe: str = "") -> str:
    """The text as it is sent and signed. safe: what stays besides, such as a path's slashes."""
    return quote(text, safe=UNRESERVED + safe)


def query(parameters: Mapping[str, str]) -> str:
    """The query as it is sent and signed."""
    pairs = sorted((encoded(name), encoded(value)) for name, value in parameters.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def authorization(
    keys: Keys,
    scope: Scope,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: str = NO_BODY,
) -> str:
    """The header's value. path, query: encoded. headers: those that are signed, with `host`.

    body: its SHA-256.
    """
    signed = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    names = ";".join(name for name, _ in signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed)
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{body}"
    where = "/".join(scope.parts)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{keys.secret}".encode()
    for part in (*scope.parts, f"{ALGORITHM}\n{scope.stamp}\n{where}\n{digest}"):
        key = hmac.digest(key, part.encode(), "sha256")
    return f"{ALGORITHM} Credential={keys.id}/{where}, SignedHeaders={names}, Signature={key.hex()}"
