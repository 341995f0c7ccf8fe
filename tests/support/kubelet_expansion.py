"""What the kubelet makes of $(NAME) in a container's command, args and env.

After Expand of k8s.io/kubernetes, third_party/forked/golang/expansion/expand.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """The text that the container gets; an unknown variable's reference stays as it is."""
    made, checkpoint, cursor = "", 0, 0
    while cursor < len(text):
        if text[cursor] == "$" and cursor + 1 < len(text):
            made += text[checkpoint:cursor]
            name, is_variable, advance = _read(text[cursor + 1 :])
            if is_variable:
                made += variables.get(name, f"$({name})")
            else:
                made += name
            cursor += advance
            checkpoint = cursor + 1
        cursor += 1
    return made + text[checkpoint:]


def _read(text: str) -> tuple[str, bool, int]:
    if text[0] == "$":
        return "$", False, 1
    if text[0] == "(":
        end = text.find(")", 1)
        if end < 0:
            return "$(", False, 1
        return text[1:end], True, end + 1
    return "$" + text[0], False, 1


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a container with values of their own, each expanded by those before it."""
    found: dict[str, str] = {}
    for variable in container.get("env") or ():
        if "value" in variable:
            found[variable["name"]] = expanded(variable["value"], found)
    return found


def arguments(container: Mapping[str, Any], secrets: Mapping[str, str]) -> list[str]:
    """What the container's process is called with; secrets: variables of envFrom."""
    variables = {**secrets, **environment(container)}
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    return [expanded(word, variables) for word in words]
