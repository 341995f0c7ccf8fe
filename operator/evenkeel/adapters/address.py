"""Which addresses may be asked: base URLs in one spelling, what a list allows, what none may be."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

IP = ipaddress.IPv4Address | ipaddress.IPv6Address

_SEGMENT = re.compile(r"^[A-Za-z0-9._~!$&'()*+,;=:@-]+$")
_HOST = re.compile(r"^[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$")
_NUMBER = re.compile(r"^([0-9]+|0x[0-9a-f]*)$")
_NAMESPACE = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_PORTS = {"http": 80, "https": 443}
_METADATA = frozenset(
    ipaddress.ip_address(one) for one in ("100.100.100.200", "168.63.129.16", "fd00:ec2::254")
)
"""Services of clouds for their machines (Alibaba, Azure, AWS) that are not link-local."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL in its one spelling: host in lower case, port always told, no slash at the end."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises ValueError, whose message says what to write instead and holds no part of the URL
        that might be a secret."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("the URL is malformed; write http(s)://HOST:PORT/PATH") from None
        _plain(url, parts)
        segments = parts.path.removesuffix("/").split("/")[1:]
        if not all(_SEGMENT.match(one) and one.strip(".") for one in segments):
            raise ValueError(
                "the URL's path must be plain: segments of letters, digits and punctuation, "
                "no empty ones, no `..` and no %"
            )
        if port == 0:
            raise ValueError("the URL's port must be from 1 to 65535")
        path = "".join(f"/{one}" for one in segments)
        return cls(parts.scheme, _host(parts), port or _PORTS[parts.scheme], path)

    @property
    def ip(self) -> IP | None:
        """The host, where it is no name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    def within(self, other: Address) -> bool:
        """Whether it is the other or below its path, segment by segment."""
        here = (self.scheme, self.host, self.port)
        return here == (other.scheme, other.host, other.port) and f"{self.path}/".startswith(
            f"{other.path}/"
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def _plain(url: str, parts: SplitResult) -> None:
    """Raises ValueError for what a base URL has no place for."""
    # urlsplit drops some of these and other parsers others, so that they would see other hosts.
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("the URL must have no spaces, backslashes or letters beyond ASCII")
    if parts.scheme not in _PORTS or not parts.netloc:
        raise ValueError("the URL must begin with http:// or https:// and a host")
    if "@" in parts.netloc:
        raise ValueError("the URL must have no user or password; name a Secret with them")
    if "?" in url or "#" in url:
        raise ValueError(
            "the URL must end with its path, without ? and #; give parameters as headers"
        )


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if parts.netloc.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host)) if "%" not in host else _refuse_host()
        except ValueError:
            return _refuse_host()
    host = host.removesuffix(".")
    if not _HOST.match(host) or ".." in host:
        return _refuse_host()
    if _NUMBER.match(host.rsplit(".", 1)[-1]):
        # Resolvers take 2130706433, 0x7f.1 and 017700000001 for addresses as well.
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            return _refuse_host()
    return host


def _refuse_host() -> str:
    raise ValueError(
        "the URL's host must be a name, an IPv4 address such as 10.0.0.1 or an IPv6 address in "
        "brackets"
    )


@dataclass(frozen=True, slots=True)
class Allowed:
    """Addresses that specs may name. entries: pairs of namespace, empty for all, and address."""

    entries: tuple[tuple[str, Address], ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """From `URL` and `NAMESPACE=URL`. Raises ValueError."""
        found: list[tuple[str, Address]] = []
        for entry in entries:
            namespace, equals, url = entry.partition("=")
            if not equals or "/" in namespace:
                namespace, url = "", entry
            elif not _NAMESPACE.match(namespace):
                raise ValueError(f"{namespace!r} is no namespace")
            found.append((namespace, Address.parse(url)))
        return cls(tuple(found))

    def names(self, address: Address, namespace: str) -> bool:
        """Whether an entry allows it to the namespace."""
        return any(where in ("", namespace) and address.within(one) for where, one in self.entries)


def never_elsewhere(ip: IP, *, loopback: bool) -> bool:
    """Whether it is an address of the machine or the cloud that no server of others has.

    loopback: whether the process's own addresses count, since in a pod they are its own alone.
    """
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None and never_elsewhere(inner, loopback=loopback):
            return True
    if ip.is_loopback or ip.is_unspecified:
        return loopback
    return ip.is_link_local or ip.is_multicast or ip in _METADATA
