"""The placeholders of a runtime's pod template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evenkeel.meta.refusal import Refused

_PLACEHOLDER = re.compile(r"\{\{-?\s*\.([^{}]*?)\s*-?\}\}")
"""Only those with a dot: a chat template's {{ messages }} is none of ours."""


def fill(node: Any, values: Mapping[str, str]) -> Any:
    """A copy of the JSON `node` in which `{{.Key}}` is replaced by `values["Key"]` in all strings.

    Placeholders that `values` lacks are left as they are; `unknown` finds them.
    """
    if isinstance(node, str):
        return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), node)
    if isinstance(node, dict):
        return {key: fill(value, values) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [fill(item, values) for item in node]
    return node


def unknown(node: Any, values: Mapping[str, str]) -> Refused | None:
    """Refuses a template that has a placeholder for which there is no value."""
    for text in _strings(node):
        for match in _PLACEHOLDER.finditer(text):
            if match[1] not in values:
                known = ", ".join(f"{{{{.{key}}}}}" for key in sorted(values))
                return Refused(
                    "UnknownPlaceholder",
                    f"the runtime has the placeholder {match[0]}, which has no value; known are "
                    f"{known}",
                )
    return None


def _strings(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list | tuple):
        return [text for item in node for text in _strings(item)]
    return []
