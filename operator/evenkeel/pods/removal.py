"""Paths to fields of a pod template, and the template without them.

A null in a stored object says the same, but `kubectl apply` drops nulls before it sends them; a
list of paths is the same by every way of applying.

A path is written as in kustomize's replacements: keys separated by dots, an element of a list by
one of its fields in brackets, a key with dots or slashes in brackets too:
`spec.containers[name=model].livenessProbe`, `metadata.labels[example.com/team]`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from evenkeel.meta.refusal import Refused

Json = Any

_PART = re.compile(r"\.?\[([^\[\]=]+)(?:=([^\[\]]+))?\]|\.?([A-Za-z0-9_-]+)")
_NAMES = ("name", "mountPath", "key", "containerPort", "ip")
"""Fields by which people know an element of a list, the best first."""


class _Part(NamedTuple):
    """`key` of a map, or where `value` is given the elements of a list with that value there."""

    key: str
    value: str | None

    def __str__(self) -> str:
        if self.value is not None:
            return f"[{self.key}={self.value}]"
        return f".{self.key}" if re.fullmatch(r"[A-Za-z0-9_-]+", self.key) else f"[{self.key}]"


def without(
    template: dict[str, Json], paths: Sequence[str], where: str
) -> dict[str, Json] | Refused:
    """A copy of the template without the fields and elements at `paths`.

    Refuses a path that leads nowhere, since what was meant would silently stay. Each is looked for
    in the template as it was given, so that the order of paths means nothing. `where`: the field
    that people know the list by.
    """
    doomed: list[tuple[int, Any]] = []
    for path in paths:
        parents: list[Json] = [template]
        parts = _parts(path)
        for done, part in enumerate(parts):
            found = [(parent, key) for parent in parents for key in _keys(parent, part)]
            if not found:
                return _nowhere(f"{where}: {path}", parts[:done], part, parents)
            if done == len(parts) - 1:
                doomed += [(id(parent), key) for parent, key in found]
            parents = [parent[key] for parent, key in found]
    kept: dict[str, Json] = _kept(template, set(doomed))
    return kept


def _parts(path: str) -> list[_Part]:
    return [_Part(m[1] or m[3], m[2]) for m in _PART.finditer(path)]


def _keys(node: Json, part: _Part) -> list[Any]:
    """Where in the node the part leads: keys of a map, positions in a list."""
    if part.value is None:
        return [part.key] if isinstance(node, dict) and part.key in node else []
    if not isinstance(node, list):
        return []
    return [
        at
        for at, item in enumerate(node)
        if isinstance(item, dict) and part.key in item and str(item[part.key]) == part.value
    ]


def _kept(node: Json, doomed: set[tuple[int, Any]]) -> Json:
    if isinstance(node, dict):
        return {k: _kept(v, doomed) for k, v in node.items() if (id(node), k) not in doomed}
    if isinstance(node, list):
        return [_kept(v, doomed) for at, v in enumerate(node) if (id(node), at) not in doomed]
    return node


def _nowhere(path: str, done: list[_Part], part: _Part, parents: list[Json]) -> Refused:
    at = "".join(map(str, done)).lstrip(".")
    there = sorted({name for parent in parents for name in _names(parent)})
    known = f"there are {', '.join(there)}" if there else "there is nothing below it"
    return Refused(
        "NothingToRemove",
        f"{path} leads nowhere: {at or 'the pod template'} has no {str(part).lstrip('.')}; {known}",
    )


def _names(node: Json) -> list[str]:
    """The parts that would lead on from a node."""
    if isinstance(node, dict):
        return [str(_Part(key, None)).lstrip(".") for key in node]
    items = [item for item in node if isinstance(item, dict)] if isinstance(node, list) else []
    return [
        str(_Part(field, str(item[field])))
        for item in items
        if (field := next((n for n in _NAMES if n in item), None)) is not None
    ]
