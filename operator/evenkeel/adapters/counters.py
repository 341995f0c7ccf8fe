"""Asks a web API for two counters in a JSON document."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

from evenkeel.adapters.access import Access
from evenkeel.adapters.body import parsed
from evenkeel.adapters.source import NotUnderstood
from evenkeel.adapters.web import Web, refusal
from evenkeel.adapters.words import one_line
from evenkeel.outside.counters import MOST_EVENTS, Counters, CountersQuestion

ANSWER = 2**16
"""Bytes of an answer."""
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class WebCounters:
    """Asks by the connections to outside systems."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def __call__(self, question: CountersQuestion, access: Access, last: Any) -> Counters:
        """The counters now. Raises SourceError."""
        accepts = {"Accept": "application/json"}
        reply = await self._web.request(
            access, "GET", "", query=question.query, headers=accepts, limit=ANSWER
        )
        if reply.status != 200:
            raise refusal(reply, access)
        try:
            found = parsed(reply.body)
        except ValueError:
            raise NotUnderstood(f"{reply.url} answers no JSON: {_shown(reply.body)}") from None
        return Counters(
            count(found, question.total, reply.url), count(found, question.counted, reply.url)
        )


def count(document: Any, pointer: str, url: str) -> int:
    """The counter at a JSON pointer. Raises NotUnderstood."""
    found = document
    for part in pointer.split("/")[1:]:
        found = _member(found, part.replace("~1", "/").replace("~0", "~"))
        if found is None:
            raise NotUnderstood(
                f"{url} has nothing at {pointer} of its answer: correct the pointer; a revision "
                "that has no events yet has 0"
            )
    number = isinstance(found, int | float) and not isinstance(found, bool)
    if not number or not isfinite(found) or found != int(found) or not 0 <= found <= MOST_EVENTS:
        raise NotUnderstood(
            f"{url} has no count at {pointer} of its answer but {one_line(repr(found), 40)}: an "
            f"indicator needs whole numbers from 0 to {MOST_EVENTS:g}"
        )
    return int(found)


def _member(of: Any, name: str) -> Any:
    if isinstance(of, dict):
        return of.get(name)
    if isinstance(of, list) and _INDEX.fullmatch(name) and int(name) < len(of):
        return of[int(name)]
    return None


def _shown(body: bytes) -> str:
    return one_line(body[:80].decode(errors="replace"))
