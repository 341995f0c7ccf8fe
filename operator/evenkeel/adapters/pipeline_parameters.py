"""Parameters of a pipeline: written as text, given as the JSON that the pipeline declares.

Kubeflow Pipelines converts nothing: a number in quotes is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any


class Untyped(Exception):
    """A text that is none of its parameter's type; the message says what to write."""


def typed(texts: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, Any]:
    """The values by name. declared: the types; what is not declared stays text, for the server to
    refuse. Raises Untyped."""
    return {name: _value(name, text, declared.get(name, "STRING")) for name, text in texts.items()}


def _value(name: str, text: str, kind: str) -> Any:
    match kind:
        case "NUMBER_INTEGER":
            return _number(name, text, whole=True)
        case "NUMBER_DOUBLE":
            return _number(name, text, whole=False)
        case "BOOLEAN":
            if text.lower() not in ("true", "false"):
                raise Untyped(f"parameter {name}: the pipeline wants true or false, not {text!r}")
            return text.lower() == "true"
        case "LIST":
            return _json(name, text, list, "a JSON list")
        case "STRUCT":
            return _json(name, text, dict, "a JSON object")
        case _:
            return text


def _number(name: str, text: str, *, whole: bool) -> int | float:
    wanted = "a whole number" if whole else "a number"
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        raise Untyped(f"parameter {name}: the pipeline wants {wanted}, not {text!r}") from None
    if isinstance(number, float) and not isfinite(number):
        raise Untyped(f"parameter {name}: JSON has no {text}")
    return number


def _json(name: str, text: str, shape: type, wanted: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, shape):
        raise Untyped(f"parameter {name}: the pipeline wants {wanted}, not {text[:80]!r}")
    return value
