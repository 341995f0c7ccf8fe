"""Merges a partial pod template over a complete one, in the manner of a strategic merge patch.

Maps merge, a null deletes. Lists whose elements have a name merge by it; other lists are replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = Any
Same = Callable[[Json, Json], bool]


def overlay(base: Json, patch: Json) -> Json:
    """`patch` merged over `base`; neither is changed and the result shares nothing with them."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return _merge_maps(base, patch)
    return _without_nulls(patch)


def _by(key: str) -> Same:
    return lambda one, other: key in one and one[key] == other.get(key)


def _same_port(one: Json, other: Json) -> bool:
    protocols = one.get("protocol", "TCP"), other.get("protocol", "TCP")
    return protocols[0] == protocols[1] and _by("containerPort")(one, other)


_MERGED: dict[str, tuple[Same, ...]] = {
    "containers": (_by("name"),),
    "initContainers": (_by("name"),),
    "ports": (_by("name"), _same_port),
}
"""Lists whose elements merge with the element that is the same by the first rule that finds one."""

_REPLACED: dict[str, tuple[Same, ...]] = {
    "volumes": (_by("name"),),
    "env": (_by("name"),),
    "volumeMounts": (_by("mountPath"),),
    "imagePullSecrets": (_by("name"),),
}
"""Lists whose elements take the place of their namesake: half a volume source makes no sense."""

_EXCLUSIVE = frozenset({"exec", "grpc", "httpGet", "sleep", "tcpSocket"})
"""Ways to probe or hook, of which a container allows one: a new one ousts the old."""


def _merge_maps(base: dict[str, Json], patch: dict[str, Json]) -> dict[str, Json]:
    ousted = _EXCLUSIVE - patch.keys() if _EXCLUSIVE & patch.keys() else frozenset()
    merged = {key: _copy(value) for key, value in base.items() if key not in ousted}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif _keyed(key, merged.get(key), value):
            merged[key] = _merge_lists(key, merged[key], value)
        else:
            merged[key] = overlay(merged.get(key), value)
    return merged


def _keyed(key: str, base: Json, patch: Json) -> bool:
    return (key in _MERGED or key in _REPLACED) and all(
        isinstance(side, list) and all(isinstance(item, dict) for item in side)
        for side in (base, patch)
    )


def _merge_lists(key: str, base: list[Json], patch: list[Json]) -> list[Json]:
    merged = list(base)
    for item in patch:
        at = _position(merged, item, _MERGED.get(key) or _REPLACED[key])
        if at is None:
            merged.append(overlay(None, item))
        else:
            merged[at] = overlay(merged[at] if key in _MERGED else None, item)
    return merged


def _position(items: list[Json], wanted: Json, rules: tuple[Same, ...]) -> int | None:
    return next((at for same in rules for at, item in enumerate(items) if same(wanted, item)), None)


def _copy(node: Json) -> Json:
    """A copy of JSON: `copy.deepcopy` serves any object, and was half of a plan's time."""
    if isinstance(node, dict):
        return {key: _copy(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_copy(item) for item in node]
    return node


def _without_nulls(node: Json) -> Json:
    if isinstance(node, dict):
        return {key: _without_nulls(value) for key, value in node.items() if value is not None}
    if isinstance(node, list):
        return [_without_nulls(item) for item in node]
    return node
