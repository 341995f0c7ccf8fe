"""Takes a query about many canaries apart, for stubs of Prometheus."""

from __future__ import annotations

import re

_PART = re.compile(
    r'label_replace\((?:topk\(\d+, )?(.*?)\n\)?, "evenkeel_part", "([^"]+)", "", ""\)', re.DOTALL
)


def parts(query: str) -> list[tuple[str, str]]:
    """The queries in it, each with the value that its series get of the label evenkeel_part."""
    found: list[tuple[str, str]] = _PART.findall(query)
    return found
