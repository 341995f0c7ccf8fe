"""Names of ports that are taken from a container, by which Services and scrapes would find it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evenkeel.serving.ports import MODEL

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_HOOKS = ("postStart", "preStop")
_HANDLERS = ("httpGet", "tcpSocket")


def without_port_names(container: dict[str, Any], taken: Sequence[str]) -> dict[str, Any]:
    """The container with other names for the ports that have these, wherever it names them."""
    ports = container.get("ports") or []
    renamed = dict(_renamed([p.get("name") for p in ports], taken))
    if not renamed:
        return container
    named = [{**p, "name": renamed[p["name"]]} if p.get("name") in renamed else p for p in ports]
    found = {**container, "ports": named}
    for probe in _PROBES:
        if isinstance(found.get(probe), dict):
            found[probe] = _retargeted(found[probe], renamed)
    hooks = found.get("lifecycle")
    if isinstance(hooks, dict):
        kept = {name: hooks[name] for name in _HOOKS if isinstance(hooks.get(name), dict)}
        moved = {name: _retargeted(hook, renamed) for name, hook in kept.items()}
        found["lifecycle"] = {**hooks, **moved}
    return found


def _renamed(names: list[str | None], taken: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in taken:
        if name in names:
            free = (f"{MODEL}{name[: 9 - len(end)]}{end}" for end in ("", "-2", "-3"))
            yield name, next(one for one in free if one not in names)


def _retargeted(action: dict[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """A probe or hook that goes to the same port as before."""
    found = dict(action)
    for handler in _HANDLERS:
        if isinstance(how := found.get(handler), dict) and how.get("port") in renamed:
            found[handler] = {**how, "port": renamed[how["port"]]}
    return found
