"""The placeholders of a runtime's pod template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evenkeel.meta.refusal import Refused
from evenkeel.pods.expansion import expands, literal

_PLACEHOLDER = re.compile(r"\{\{-?\s*\.([^{}]*?)\s*-?\}\}")
"""Only those with a dot: a chat template's {{ messages }} is none of ours."""


def fill(node: Any, values: Mapping[str, str], path: tuple[str, ...] = ()) -> Any:
    """A copy of the JSON `node` in which `{{.Key}}` is replaced by `values["Key"]` in all strings.

    Where the kubelet expands $(NAME) the values are escaped, so that it hands them on literally.
    Placeholders that `values` lacks are left as they are; `unknown` finds them. path: the keys that
    lead to the node.
    """
    if isinstance(node, str):
        written = literal if expands(path) else str
        return _PLACEHOLDER.sub(
            lambda match: written(values[match[1]]) if match[1] in values else match[0], node
        )
    if isinstance(node, dict):
        return {key: fill(value, values, (*path, key)) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [fill(item, values, path) for item in node]
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
