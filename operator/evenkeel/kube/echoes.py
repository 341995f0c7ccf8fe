"""Tells a watch's report of what is known already, such as an own write, before it is parsed."""

from __future__ import annotations

import re

from evenkeel.kube.lru import Lru

REMEMBERED = 4096
"""Versions; a report follows its write within far fewer."""
_VERSION = re.compile(rb'"resourceVersion":"(\d+)"')


class Echoes:
    """The versions that were lately taken into the store."""

    def __init__(self) -> None:
        self._taken: Lru[tuple[str, str], bool] = Lru(REMEMBERED)

    def took(self, kind: str, version: str) -> None:
        """The store holds, or has held, an object of the kind at that version."""
        self._taken.put((kind, version), True)

    def knows(self, kind: str, report: bytes) -> bool:
        """Whether the watch event, a line of JSON, brings an object that was taken before."""
        if report.startswith(b'{"type":"DELETED"'):
            return False
        # Within a text it would be escaped. Objects that hold another one are parsed.
        versions = _VERSION.findall(report)
        return len(versions) == 1 and self._taken.get((kind, versions[0].decode())) is not None
