"""Packets of Git's smart protocol (pkt-line), and what both versions of it say with them.

Source: https://git-scm.com/docs/protocol-common, protocol-v2 and protocol-http.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

_LENGTH = re.compile(rb"[0-9a-fA-F]{4}")


class Mark(Enum):
    """A packet without content."""

    FLUSH = "0000"
    DELIMITER = "0001"
    END = "0002"


Packet = bytes | Mark


class Malformed(ValueError):
    """No packets, or none of the protocol; the message says what was found."""


class Told(ValueError):
    """The server says what is wrong; the message has its words."""


class Advertisement(NamedTuple):
    """How a server begins. refs: by name, only of version 0, which tells them unasked."""

    version: int
    capabilities: dict[str, str]
    refs: dict[str, str]


def packet(text: str) -> bytes:
    """A line as a packet."""
    data = f"{text}\n".encode()
    return f"{len(data) + 4:04x}".encode() + data


def joined(*parts: str | Mark) -> bytes:
    """Lines and marks as packets."""
    return b"".join(p.value.encode() if isinstance(p, Mark) else packet(p) for p in parts)


def packets(body: bytes) -> Iterator[Packet]:
    """The packets in order. Raises Malformed, and Told for what the server calls wrong."""
    at = 0
    while at < len(body):
        if not _LENGTH.fullmatch(body, at, at + 4):
            raise Malformed("no packets of Git's protocol")
        length = int(body[at : at + 4], 16)
        if length < 4:
            if length == 3:
                raise Malformed("a packet without a meaning")
            yield (Mark.FLUSH, Mark.DELIMITER, Mark.END)[length]
            at += 4
            continue
        data = body[at + 4 : at + length]
        if len(data) != length - 4:
            raise Malformed("the answer broke off")
        if data.startswith(b"ERR "):
            raise Told(data[4:].decode(errors="replace"))
        yield data
        at += length


def advertisement(body: bytes) -> Advertisement:
    """What the server offers. Raises Malformed and Told."""
    lines = [_text(one) for one in packets(body) if isinstance(one, bytes)]
    if lines and lines[0].startswith("# service="):
        lines = lines[1:]
    if not lines:
        raise Malformed("an empty answer")
    if lines[0] == "version 2":
        return Advertisement(2, _capabilities(lines[1:]), {})
    first, _, offered = lines[0].partition("\0")
    refs = dict(_ref(line) for line in (first, *lines[1:]) if not line.startswith("version "))
    return Advertisement(0, _capabilities(offered.split(" ")), refs)


def refs(body: bytes) -> dict[str, str]:
    """Version 2's answer to ls-refs: commits by name."""
    return dict(_ref(_text(one)) for one in packets(body) if isinstance(one, bytes))


def pack(body: bytes) -> bytes:
    """The pack in an answer to a fetch of either version. Raises Malformed and Told."""
    found: list[bytes] = []
    begun = False
    for one in packets(body):
        if not isinstance(one, bytes):
            continue
        if not begun:
            begun = one in (b"packfile\n", b"NAK\n") or one.startswith(b"ACK ")
            continue
        channel, data = one[:1], one[1:]
        if channel == b"\1":
            found.append(data)
        elif channel == b"\3":
            raise Told(data.decode(errors="replace"))
        elif channel != b"\2":
            raise Malformed("a pack without channels")
    if not found:
        raise Malformed("no pack")
    return b"".join(found)


def _ref(line: str) -> tuple[str, str]:
    commit, _, name = line.partition(" ")
    if len(commit) not in (40, 64) or not name:
        raise Malformed("no list of branches")
    return name.partition(" ")[0], commit


def _capabilities(offered: Iterable[str]) -> dict[str, str]:
    pairs = (one.partition("=") for one in offered)
    return {name: value for name, _, value in pairs}


def _text(data: bytes) -> str:
    return data.decode(errors="replace").removesuffix("\n")
