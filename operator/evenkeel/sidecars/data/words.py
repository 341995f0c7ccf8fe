"""How bringing data ends other than well."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 1500
"""Characters of a message; the kubelet keeps 4096 bytes."""


class Failed(Exception):
    """There are no data; the message, one line, is for people."""


class Again(Exception):
    """A fault that may end, such as data that are not there yet."""


def one_line(text: str, secrets: Iterable[str] = (), most: int = LONGEST) -> str:
    """The text without line breaks and secrets, cut."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
