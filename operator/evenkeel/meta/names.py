"""Deterministic names of children."""

from __future__ import annotations

import hashlib


def digest(*parts: str, length: int = 10) -> str:
    """A short stable name part: lower-case hexadecimal of the SHA-256 of the parts."""
    # A message may hold what is no text in UTF-8, such as half a surrogate pair.
    text = "\0".join(parts).encode(errors="backslashreplace")
    return hashlib.sha256(text).hexdigest()[:length]


def child_name(base: str, suffix: str, limit: int = 63) -> str:
    """`base-suffix` within `limit` characters; a longer base is cut and told apart by a digest."""
    room = limit - len(suffix) - 1
    if len(base) <= room:
        return f"{base}-{suffix}"
    return f"{base[: room - 7].rstrip('-.')}-{digest(base, length=6)}-{suffix}"
