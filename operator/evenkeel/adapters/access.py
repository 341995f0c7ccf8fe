"""How a Prometheus is reached: its address and what it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field


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
    """One way to one Prometheus; equal ones share connections, a breaker and bounds.

    url: base URL without user information, query and fragment. headers: pairs of name and value.
    authorization: the header's whole value, such as `Bearer <token>`. guarded: whether addresses
    are refused that no Prometheus has, such as the cloud's metadata service.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    authorization: str = field(default="", repr=False)
    tls: Tls = Tls()
    guarded: bool = True
