"""The simulated models: their pods, and the requests that the operator's objects send to them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bench.conditions.servers import Incident, Pod, Server

JSON = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""
REVISION = "evenkeel.dev/revision"


@dataclass
class Member:
    """A pod with the labels by which Services find it, of a version: stable, canary or next."""

    pod: Pod
    labels: dict[str, str]
    deployment: str
    side: str


@dataclass
class Model:
    """One ModelDeployment's pods and traffic.

    rate: requests a second in all. limit: requests a second that a ready pod is made for;
    overloaded: seconds in which a pod of any revision got more than 1.6 times that.
    """

    namespace: str
    name: str
    rate: float
    limit: float
    servers: Mapping[str, Server]
    chance: Random
    services: dict[str, dict[str, str]] = field(default_factory=dict)
    route: list[tuple[str, int]] | None = None
    members: dict[str, Member] = field(default_factory=dict)
    incidents: list[Incident] = field(default_factory=list)
    gone: list[Member] = field(default_factory=list)
    overloaded: float = 0.0
    _last: float = 0.0

    def advance(self, now: float) -> None:
        """Serves all requests up to now; then the division may change."""
        rates = [m.pod.rate for m in self.members.values()]
        if self._last and any(rate > 1.6 * self.limit for rate in rates):
            self.overloaded += now - self._last
        self._last = now
        for member in self.members.values():
            member.pod.advance(now, self.incidents)

    def divide(self, now: float) -> None:
        """Sends the requests to those pods that the operator's objects name from now on."""
        self.advance(now)
        for member in self.members.values():
            member.pod.rate = 0.0
        backends = self.route if self.route else [(self.name, 1)]
        whole = sum(weight for _, weight in backends)
        for service, weight in backends:
            ready = self._behind(service)
            for member in ready:
                member.pod.rate += self.rate * weight / whole / len(ready)

    def _behind(self, service: str) -> list[Member]:
        selector = self.services.get(service)
        if not selector:
            return []
        return [
            m for m in self.members.values() if m.pod.ready and selector.items() <= m.labels.items()
        ]

    def of(self, side: str) -> list[Member]:
        """All pods that a version has had, gone ones too."""
        both = (*self.members.values(), *self.gone)
        return [m for m in both if m.side == side]

    def served(self, side: str) -> int:
        return sum(m.pod.served for m in self.of(side))

    def scrapes(self, side: str) -> int:
        return sum(m.pod.scrapes for m in self.of(side))


class Fleet:
    """All models of this run, by namespace and name."""

    def __init__(self) -> None:
        self.models: dict[Key, Model] = {}
        self._pods: dict[Key, Member] = {}

    def add(self, model: Model) -> None:
        self.models[model.namespace, model.name] = model

    def join(self, model: Model, member: Member) -> None:
        """A pod has been created."""
        model.members[member.pod.name] = member
        self._pods[model.namespace, member.pod.name] = member

    def leave(self, model: Model, name: str) -> None:
        """A pod has been deleted; what it served is remembered."""
        member = model.members.pop(name, None)
        if member is not None:
            member.pod.advance(time.time(), model.incidents)
            member.pod.stop()
            self._pods.pop((model.namespace, name), None)
            model.gone.append(member)

    def pod(self, namespace: str, name: str) -> Pod | None:
        found = self._pods.get((namespace, name))
        return found.pod if found else None

    def service_changed(self, service: JSON, *, deleted: bool) -> None:
        """A Service selects other pods from now on."""
        meta = service["metadata"]
        name = (meta.get("labels") or {}).get("evenkeel.dev/deployment", "")
        model = self.models.get((meta["namespace"], name))
        if model is None:
            return
        selector = {} if deleted else dict(service["spec"].get("selector") or {})
        if model.services.get(meta["name"]) != selector:
            model.services[meta["name"]] = selector
            model.divide(time.time())

    def route_changed(self, route: JSON, *, deleted: bool) -> None:
        """An HTTPRoute has other weights from now on."""
        meta = route["metadata"]
        model = self.models.get((meta["namespace"], meta["name"]))
        if model is None:
            return
        rules = route["spec"].get("rules") or [{}]
        refs = rules[0].get("backendRefs") or []
        model.route = None if deleted else [(r["name"], r.get("weight", 1)) for r in refs]
        model.divide(time.time())

    def forget(self, namespace: str) -> None:
        """A condition is over."""
        self.models = {k: m for k, m in self.models.items() if k[0] != namespace}
        self._pods = {k: m for k, m in self._pods.items() if k[0] != namespace}
