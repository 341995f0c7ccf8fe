"""Objects in a pack, read within bounds: whoever sends it may have made it to fill memory.

Source: https://git-scm.com/docs/gitformat-pack.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

COMMIT, TREE, BLOB, TAG, OFS_DELTA, REF_DELTA = 1, 2, 3, 4, 6, 7
NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}

OBJECTS = 50_000
LARGE = 2**20
"""Bytes of a blob that is not kept; data that are in Git themselves are not looked into."""
LARGEST = 16 * 2**20
"""The same of any other object."""
STEP = 2**16
HASH = 20
DIGITS = 9
"""Bytes of a number, seven bits each; of millions it would take hours to add them up."""


class Limits(NamedTuple):
    """What a pack may have, in bytes. inflated: all objects, those included that are not kept.
    kept: the objects that are kept, and what deltas make. deltas: all deltas, each of which may
    take an instruction for every two bytes."""

    inflated: int = 192 * 2**20
    kept: int = 48 * 2**20
    deltas: int = 8 * 2**20


MOST = Limits()
QUICK = Limits(inflated=16 * 2**20, kept=16 * 2**20, deltas=2**19)
"""What takes less than a tenth of a second, however it was made."""


class BadPack(ValueError):
    """It is no pack, or larger than what is taken; the message says which."""


class TooMuch(BadPack):
    """It goes beyond the limits."""


class Entry(NamedTuple):
    """An entry of a folder. folder: whether it is one itself."""

    name: str
    oid: str
    folder: bool


@dataclass(slots=True)
class _Reader:
    """Reads a pack from its beginning. found: by hexadecimal name. deltas: by offset or name of
    their base, each with its own offset."""

    data: bytes
    limits: Limits
    at: int = 12
    inflated: int = 0
    kept: int = 0
    in_deltas: int = 0
    found: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    offsets: dict[int, str] = field(default_factory=dict)
    deltas: dict[int | str, list[tuple[int, bytes]]] = field(default_factory=dict)

    def run(self) -> None:
        """Raises BadPack."""
        if self.data[:4] != b"PACK" or int.from_bytes(self.data[4:8], "big") not in (2, 3):
            raise BadPack("it is no pack")
        number = int.from_bytes(self.data[8:12], "big")
        if number > OBJECTS:
            raise BadPack(f"it has {number} objects, more than {OBJECTS}")
        for _ in range(number):
            self._one()
        self._resolve()

    def _one(self) -> None:
        begin = self.at
        kind, size = self._head()
        base: int | str = 0
        if kind == OFS_DELTA:
            base = begin - self._offset()
        elif kind == REF_DELTA:
            base = self._take(HASH).hex()
        elif kind not in NAMES:
            raise BadPack(f"it has an object of the unknown type {kind}")
        if kind not in NAMES:
            self.in_deltas += size
            self._within(self.in_deltas, self.limits.deltas, "deltas")
        keep = size <= (LARGE if kind == BLOB else LARGEST)
        data = self._inflate(size, keep=keep)
        if not keep:
            return
        if kind in NAMES:
            self._add(begin, kind, data)
        else:
            self.deltas.setdefault(base, []).append((begin, data))

    def _head(self) -> tuple[int, int]:
        first, *more = self._digits()
        size = first & 15
        for place, digit in enumerate(more):
            size |= digit << 4 + 7 * place
        return first >> 4, size

    def _offset(self) -> int:
        offset, *more = self._digits()
        for digit in more:
            offset = (offset + 1 << 7) | digit
        return offset

    def _digits(self) -> list[int]:
        """Those of the number that comes next, as many as say that they are not the last."""
        found: list[int] = []
        for _ in range(DIGITS):
            byte = self._take(1)[0]
            found.append(byte & 127)
            if not byte & 128:
                return found
        raise BadPack("a number is larger than any that is taken")

    def _take(self, number: int) -> bytes:
        taken = self.data[self.at : self.at + number]
        if len(taken) != number:
            raise BadPack("it broke off")
        self.at += number
        return taken

    def _inflate(self, size: int, *, keep: bool) -> bytes:
        self.inflated += size
        self._within(self.inflated, self.limits.inflated, "objects")
        stream, kept, length = zlib.decompressobj(), bytearray(), 0
        step = min(STEP, size + size // 1000 + 64)
        try:
            while not stream.eof:
                fed = stream.unconsumed_tail or self._take(min(step, len(self.data) - self.at))
                if not fed:
                    raise BadPack("it broke off")
                part = stream.decompress(fed, min(STEP, size - length + 1))
                length += len(part)
                if length > size:
                    raise BadPack("an object is larger than it says")
                if keep:
                    kept += part
        except zlib.error:
            raise BadPack("an object cannot be unpacked") from None
        self.at -= len(stream.unused_data)
        if length != size:
            raise BadPack("an object is smaller than it says")
        return bytes(kept)

    def _add(self, offset: int, kind: int, data: bytes) -> str:
        self.kept += len(data)
        self._within(self.kept, self.limits.kept, "folders and small files")
        head = b"%s %d\0" % (NAMES[kind], len(data))
        oid = hashlib.sha1(head + data, usedforsecurity=False).hexdigest()
        self.found[oid] = kind, data
        self.offsets[offset] = oid
        return oid

    def _within(self, size: int, limit: int, of: str) -> None:
        if size > limit:
            raise TooMuch(f"it has more than {limit // 2**20} MiB of {of}")

    def _resolve(self) -> None:
        """Makes what deltas make, of those whose base is there."""
        ready = list(self.offsets.items())
        while ready:
            offset, oid = ready.pop()
            kind, base = self.found[oid]
            for key in (offset, oid):
                for at, delta in self.deltas.pop(key, ()):
                    ready.append((at, self._add(at, kind, applied(base, delta))))


def objects(pack: bytes, limits: Limits = MOST) -> dict[str, tuple[int, bytes]]:
    """Types and contents by name, without large blobs. Raises BadPack, and TooMuch beyond the
    limits."""
    reader = _Reader(pack, limits)
    reader.run()
    return reader.found


def applied(base: bytes, delta: bytes) -> bytes:
    """What a delta makes of its base. Raises BadPack."""
    try:
        return _applied(base, delta)
    except IndexError:
        raise BadPack("a delta broke off") from None


def _applied(base: bytes, delta: bytes) -> bytes:
    source, at = _size(delta, 0)
    target, at = _size(delta, at)
    if source != len(base) or target > LARGEST:
        raise BadPack("a delta does not fit its base")
    made = bytearray()
    while at < len(delta):
        op = delta[at]
        at += 1
        if op & 128:
            offset = length = 0
            for bit in range(7):
                if op & 1 << bit:
                    if bit < 4:
                        offset |= delta[at] << 8 * bit
                    else:
                        length |= delta[at] << 8 * (bit - 4)
                    at += 1
            part = base[offset : offset + (length or 0x10000)]
            if len(part) != (length or 0x10000):
                raise BadPack("a delta does not fit its base")
        elif op:
            part = delta[at : at + op]
            at += op
        else:
            raise BadPack("a delta has an unknown instruction")
        made += part
        if len(made) > target:
            break
    if len(made) != target:
        raise BadPack("a delta makes another size than it says")
    return bytes(made)


def _size(delta: bytes, at: int) -> tuple[int, int]:
    size = 0
    for place in range(DIGITS):
        byte = delta[at + place]
        size |= (byte & 127) << 7 * place
        if not byte & 128:
            return size, at + place + 1
    raise BadPack("a delta does not fit its base")


def tree_of(commit: bytes) -> str:
    """The name of a commit's root folder. Raises BadPack."""
    first = commit.partition(b"\n")[0]
    if not first.startswith(b"tree "):
        raise BadPack("a commit has no folder")
    return first[5:].decode(errors="replace")


def entries(tree: bytes, names: Iterable[str]) -> list[Entry]:
    """Those in a folder that have one of the names, for it may have hundreds of thousands. Raises
    BadPack."""
    wanted = {name.encode() for name in names}
    found, at = [], 0
    while at < len(tree):
        space, end = tree.find(b" ", at), tree.find(b"\0", at)
        if not at < space < end or end + 1 + HASH > len(tree):
            raise BadPack("a folder is malformed")
        name = tree[space + 1 : end]
        if name in wanted:
            oid = tree[end + 1 : end + 1 + HASH].hex()
            found.append(Entry(name.decode(), oid, tree[at:space] == b"40000"))
        at = end + 1 + HASH
    return found
