"""Protocol buffers as bytes, by the numbers of their fields.

So that a trainer needs no TensorFlow, which takes a minute to import, to read a small file of its.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from evenkeel.trainer.profile.document import InvalidProfile

_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5


class Message:
    """One message. Its fields have their defaults where they are absent. Raises InvalidProfile."""

    def __init__(self, content: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = {}
        try:
            for number, value in _fields(content):
                self._fields.setdefault(number, []).append(value)
        except (IndexError, struct.error):
            raise InvalidProfile("it ends in the midst of a message of protocol buffers") from None

    def has(self, field: int) -> bool:
        return field in self._fields

    def contents(self, field: int) -> list[bytes]:
        """Of a field of bytes, texts or messages."""
        found = self._fields.get(field, [])
        plain = [value for value in found if isinstance(value, bytes)]
        if len(plain) < len(found):
            raise InvalidProfile(f"field {field} is of another type than statistics have")
        return plain

    def messages(self, field: int) -> list[Message]:
        return [Message(content) for content in self.contents(field)]

    def message(self, field: int) -> Message:
        """The field's message; an empty one if it is absent."""
        found = self.messages(field)
        return found[-1] if found else Message(b"")

    def text(self, field: int) -> str:
        found = self.contents(field)
        return found[-1].decode(errors="replace") if found else ""

    def whole(self, field: int) -> int:
        """Of an unsigned number or an enumeration."""
        found = self._fields.get(field, [0])[-1]
        if isinstance(found, bytes):
            raise InvalidProfile(f"field {field} is of another type than statistics have")
        return found

    def number(self, field: int) -> float:
        """Of a double."""
        found = self.contents(field)
        if found and len(found[-1]) != 8:
            raise InvalidProfile(f"field {field} is of another type than statistics have")
        return float(struct.unpack("<d", found[-1])[0]) if found else 0.0


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(content, place)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, place = _varint(content, place)
        else:
            size = {_DOUBLE: 8, _FLOAT: 4}.get(kind, -1)
        if size < 0 or place + size > len(content):
            raise IndexError
        yield key >> 3, content[place : place + size]
        place += size


def _varint(content: bytes, place: int) -> tuple[int, int]:
    found = 0
    for shift in range(0, 70, 7):
        byte = content[place]
        place += 1
        found |= (byte & 127) << shift
        if byte < 128:
            return found, place
    raise IndexError


def records(content: bytes) -> list[bytes]:
    """Those of a TFRecord file; the content itself, if it is none."""
    found, place = [], 0
    while place + 16 <= len(content):
        (size,) = struct.unpack_from("<Q", content, place)
        found.append(content[place + 12 : place + 12 + size])
        place += size + 16
    return found if found and place == len(content) else [content]
