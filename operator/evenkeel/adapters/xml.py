"""XML that anybody may have sent, as a small tree.

Documents that declare types are refused, and entities with them, so that none outgrows its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

ELEMENTS = 20_000
"""Those of a thousand objects, and more."""
DEPTH = 8
ATTRIBUTES = 4096
"""Attributes cost more than anything else of their size, and nobody needs them."""

_ATTRIBUTE = re.compile(rb"=\s*[\"']")


class BadXml(ValueError):
    """The message says what is wrong."""


@dataclass(slots=True)
class Element:
    """One element. name: without its namespace. text: all of its own."""

    name: str
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> Iterator[Element]:
        """The children of that name."""
        return (child for child in self.children if child.name == name)

    def get(self, *names: str) -> str:
        """The text of the first child of that name, of that one's and so on; empty if there is
        none."""
        here: Element | None = self
        for name in names:
            here = next(here.all(name), None) if here is not None else None
        return here.text.strip() if here is not None else ""


def read(body: bytes) -> Element:
    """The document's root. Raises BadXml."""
    if len(_ATTRIBUTE.findall(body)) > ATTRIBUTES:
        raise BadXml("it has more attributes than are taken")
    document, parser = _Document(), expat.ParserCreate("UTF-8", namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = document.doctype
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.character_data
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError) as error:
        raise BadXml(f"it is no XML ({error})") from None
    return document.top.children[0]


class _Document:
    """One that is being read."""

    def __init__(self) -> None:
        self.top = Element("")
        self._open = [self.top]
        self._texts: list[list[str]] = [[]]
        self._left = ELEMENTS

    def doctype(self, *_: object) -> None:
        raise BadXml("it declares types of its own")

    def start(self, name: str, _: object) -> None:
        self._left -= 1
        if self._left < 0 or len(self._open) > DEPTH:
            raise BadXml("it has more elements than are taken")
        element = Element(name.rpartition(" ")[2])
        self._open[-1].children.append(element)
        self._open.append(element)
        self._texts.append([])

    def end(self, _: object) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def character_data(self, text: str) -> None:
        self._texts[-1].append(text)
