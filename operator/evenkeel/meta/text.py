"""Text from outside in messages for people: it may not steer a terminal, nor look like a log line.

"\\x1b[2J" becomes the eight characters that Python writes for it.
"""

from __future__ import annotations

import re

_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters but the line feed, and those that turn the direction of writing."""


def printable(text: str) -> str:
    """The text with control characters written as escapes; lines stay lines, a tab is a blank."""
    return _CONTROLS.sub(_escaped, text)


def one_line(text: str) -> str:
    """The same, with line breaks as escapes too."""
    return printable(text).replace("\n", "\\n")


def _escaped(match: re.Match[str]) -> str:
    return " " if match[0] == "\t" else ascii(match[0])[1:-1]
