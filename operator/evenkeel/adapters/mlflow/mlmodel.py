"""What an MLmodel file says, read from its beginning on and no further than honest ones go."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

import yaml

EVENTS = 8192
"""Nodes and ends of nodes that are looked at. A wide signature is one node, since it is JSON."""
FLAVORS = 32
NAME = 128
"""Characters of a flavor's name."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class MLmodel(NamedTuple):
    """flavors: in the order of their names. signed: whether there is a signature with inputs."""

    flavors: tuple[str, ...]
    signed: bool


class _Open(NamedTuple):
    """A collection that is being read. key: whether the next node is a key of a mapping."""

    mapping: bool
    key: bool


def mlmodel(text: bytes) -> MLmodel:
    """Raises ValueError for anything else."""
    try:
        found = _outline(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise ValueError("it is no YAML") from None
    flavors = sorted(found.get("flavors", ()))
    if not flavors or len(flavors) > FLAVORS or max(map(len, flavors)) > NAME:
        raise ValueError("it names no flavors")
    return MLmodel(tuple(flavors), "inputs" in found.get("signature", ()))


def _outline(text: bytes) -> dict[str, list[str]]:
    """The keys of the mapping, each with those of the mapping below it, if there is one.

    Nothing is built of what lies deeper, whatever that would expand to.
    """
    found: dict[str, list[str]] = {}
    opened: list[_Open] = []
    top = ""
    events = yaml.parse(text, Loader=_LOADER)
    for event in islice(events, EVENTS):
        if isinstance(event, yaml.NodeEvent) and opened:
            inside = opened[-1]
            opened[-1] = inside._replace(key=inside.mapping and not inside.key)
            if inside.key and len(opened) <= 2:
                if not isinstance(event, yaml.ScalarEvent):
                    raise ValueError("it has keys that are no names")
                if len(opened) == 1:
                    top = event.value
                    found[top] = []
                else:
                    found[top].append(event.value)
        if isinstance(event, yaml.CollectionStartEvent):
            mapping = isinstance(event, yaml.MappingStartEvent)
            opened.append(_Open(mapping, mapping))
        elif isinstance(event, yaml.CollectionEndEvent):
            opened.pop()
    if next(events, None) is not None:
        raise ValueError("it is longer than any MLmodel")
    return found
