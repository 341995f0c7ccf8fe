"""What others say, fit for status, Events and logs: one line, bounded, without credentials."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote

WORDS = 200
"""Characters of somebody else's words that are repeated."""
SHORTEST_SECRET = 4
"""Characters. Shorter ones are no secrets, and taking them out would make words unreadable."""
HIDDEN = "***"


def one_line(text: str, limit: int = WORDS) -> str:
    """The text's beginning; control characters and line ends become spaces."""
    # Cut twice: the whole may be megabytes.
    plain = "".join(c if c.isprintable() else " " for c in text[: 4 * limit])
    return " ".join(plain.split())[:limit]


def without(secrets: Iterable[str], text: str) -> str:
    """The text without the secrets, however they are commonly written."""
    spellings = {
        spelling
        for secret in secrets
        if len(secret) >= SHORTEST_SECRET
        for spelling in (
            secret,
            base64.b64encode(secret.encode()).decode(),
            quote(secret, safe=""),
        )
    }
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, HIDDEN)
    return text
