"""A refusal: the wish cannot be met; the cause and the remedy are for people."""

from __future__ import annotations

from typing import NamedTuple


class Refused(NamedTuple):
    """Why something is not done. reason: CamelCase for conditions; message: cause and remedy."""

    reason: str
    message: str
