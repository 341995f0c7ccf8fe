"""The language of a container's command, args and env: the kubelet expands $(NAME) there.

The same is done to subPathExpr and to the commands of probes; every other field is taken as it is.
https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/
"""

from __future__ import annotations

from typing import Any

_CONTAINERS = (("containers",), ("initContainers",))
_EXPANDED = ("command", "args", "subPathExpr")


def literal(text: str) -> str:
    """What the kubelet turns into `text`, so that what comes from outside names no variable."""
    return text.replace("$", "$$")


def literal_env(values: dict[str, str]) -> list[dict[str, Any]]:
    """EnvVars with exactly these values."""
    return [{"name": name, "value": literal(value)} for name, value in values.items()]


def expands(path: tuple[str, ...]) -> bool:
    """Whether the kubelet expands the texts at `path`: the keys that lead there in a PodSpec."""
    if path[:1] not in _CONTAINERS or "lifecycle" in path:
        return False
    return path[-1] in _EXPANDED or path[-2:] == ("env", "value")
