"""How a server is reached: its address and what it is shown."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from evenkeel.adapters.sigv4 import Keys

_NAME = re.compile(r"^[A-Za-z0-9!#$%&*+.^_|~-]+$")
_VALUE = re.compile(r"^[!-~]([ -~]*[!-~])?$")
_NOT_FREE = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that have a place of their own, or belong to the transport."""


class AccessError(ValueError):
    """What a server is to be shown cannot be had; the message, one line, says what to do."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Trust and identity, as PEM texts.

    ca: certificates to trust, the system's if empty. cert, key: the client's own. server_name: the
    name that the certificate must bear, the URL's host if empty.
    """

    ca: str = field(default="", repr=False)
    cert: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    server_name: str = ""
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Access:
    """One way to one server; equal ones share connections, a breaker and bounds.

    url: base URL without user information, query and fragment. headers: pairs of name and value.
    authorization: the header's whole value, such as `Bearer <token>`. keys: what requests are
    signed with, where its protocol does so. signing: the same as one text. guarded: whether nobody
    but a tenant vouches for the address: none that no such server has, such as the cloud's
    metadata service, and narrower bounds. owner: the namespace that asks, which takes turns with
    others.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    authorization: str = field(default="", repr=False)
    tls: Tls = Tls()
    keys: Keys | None = None
    signing: str = field(default="", repr=False)
    guarded: bool = True
    owner: str = field(default="", compare=False)

    @property
    def confidential(self) -> tuple[str, ...]:
        """Texts that no message may hold."""
        values = [value for _, value in self.headers]
        if self.keys is not None:
            values += [self.keys.secret, self.keys.token]
        if self.signing:
            values.append(self.signing)
        if not self.authorization:
            return tuple(values)
        kind, _, credentials = self.authorization.partition(" ")
        values += [self.authorization, credentials]
        if kind == "Basic":
            try:
                both = base64.b64decode(credentials).decode(errors="replace")
            except binascii.Error:
                both = ""
            values += [both, both.partition(":")[2]]
        return tuple(values)


SHOWN = ("username", "password", "ca.crt", "tls.crt", "tls.key", "headers")
"""What a server can be shown; the names are those of Kubernetes' types of Secrets."""


class Shown(NamedTuple):
    """headers, authorization, tls: as of an Access."""

    headers: tuple[tuple[str, str], ...]
    authorization: str
    tls: Tls


def shown(texts: Mapping[str, str], within: str = "") -> Shown:
    """What the texts under the names of SHOWN come to. Raises AccessError.

    within: where they are, for messages.
    """
    place = f" in {within}" if within else ""
    for one, other in (("username", "password"), ("tls.crt", "tls.key")):
        if (one in texts) != (other in texts):
            raise AccessError(f"{one} and {other} go together{place}; give both or none")
    lines = texts.get("headers", "").splitlines()
    return Shown(
        tuple(header(line, ":") for line in lines if line.strip()),
        basic(texts["username"], texts["password"]) if "username" in texts else "",
        Tls(texts.get("ca.crt", ""), texts.get("tls.crt", ""), texts.get("tls.key", "")),
    )


SIGNING = {
    "accessKeyId": "AWS_ACCESS_KEY_ID",
    "secretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "sessionToken": "AWS_SESSION_TOKEN",
}
"""Names of what requests are signed with, each in both spellings."""


def signing_keys(texts: Mapping[str, str]) -> Keys | None:
    """The credentials among the texts, if there are any. Raises AccessError."""
    id_, secret, token = (texts.get(n) or texts.get(o, "") for n, o in SIGNING.items())
    if not (id_ or secret or token):
        return None
    if not (id_ and secret):
        raise AccessError("accessKeyId and secretAccessKey go together; give both or none")
    for name, value in (("accessKeyId", id_), ("sessionToken", token)):
        if value:
            check_header(name, value)
    return Keys(id_, secret, token)


def basic(username: str, password: str) -> str:
    """The value of an Authorization header for basic auth."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def header(text: str, separator: str) -> tuple[str, str]:
    """Name and value. Raises AccessError, whose message holds no value."""
    name, found, value = (part.strip(" \t") for part in text.partition(separator))
    if not found:
        raise AccessError(f"a header is written NAME{separator}VALUE")
    check_header(name, value)
    return name, value


def check_header(name: str, value: str) -> None:
    """Raises AccessError unless they can be sent."""
    if not _NAME.match(name):
        raise AccessError("a header's name needs letters, digits and hyphens")
    if name.lower() in _NOT_FREE:
        raise AccessError(f"the header {name} cannot be set; leave it out")
    if not _VALUE.match(value):
        raise AccessError(f"the value of the header {name} needs printable ASCII, on one line")
