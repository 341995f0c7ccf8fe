"""What a traffic strategy is: how requests are divided between the revisions of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from evenkeel.api.exposure import Match
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.meta.objects import Manifest
from evenkeel.meta.resources import Watch
from evenkeel.serving.ports import Ports


class Division(NamedTuple):
    """Whom the requests go to: `weight` percent to the canary, the others to stable.

    canary: the revision on trial, with requests or without (weight 0); None without a trial.
    The versions are the ModelVersions that they serve, empty without one.
    mirror: percent of stable's requests that are copied to the canary. matches: requests that are
    the canary's whatever the weight; one of them has to match. preview: whether there is a Service
    apart that leads to the canary, from the trial's beginning to its end. passed: percent of the
    values of spec.traffic.affinity.header whose requests stable's meters pass on to the canary;
    weight is 0 then. apart: whether each revision needs a Service of its own. baseline: a copy of
    stable that gets as much as the canary, of what would be stable's.
    """

    stable: str
    canary: str | None = None
    weight: int = 0
    stable_version: str = ""
    canary_version: str = ""
    mirror: int = 0
    matches: tuple[Match, ...] = ()
    preview: bool = False
    passed: int = 0
    apart: bool = False
    baseline: str | None = None

    @property
    def revisions(self) -> tuple[str, ...]:
        """The revisions that exist: stable first."""
        return tuple(r for r in (self.stable, self.canary, self.baseline) if r is not None)

    @property
    def undivided(self) -> str:
        """The revision for who knows of no shares: stable, unless it gets no requests."""
        return self.canary if self.canary is not None and self.weight == 100 else self.stable


def by_weight(weight: int, canary: int, stable: int) -> float:
    """The canary's share of the requests where they are divided by weight, in percent."""
    return weight / 100


@dataclasses.dataclass(frozen=True, slots=True)
class Strategy:
    """One way to divide requests, an entry of `traffic.STRATEGIES`.

    field: the field of spec.traffic that chooses it; empty for the one that needs none.
    watches: the kinds of its objects.
    objects: the objects that divide the requests so, for a model and the ports of its pods.
    kinds, revision_kinds: kinds of which it has one object a model or one a revision; those of
    other strategies are deleted.
    url: where clients send their requests.
    share: the canary's share of the requests, by its weight and the sides' ready pods.
    diagnoses: by kind, why an object of it does not do its work; empty text if it does.
    """

    field: str
    watches: tuple[Watch, ...]
    objects: Callable[[ModelDeployment, Ports, Division], list[Manifest]]
    kinds: frozenset[str]
    url: Callable[[ModelDeployment], str]
    share: Callable[[int, int, int], float] = by_weight
    revision_kinds: frozenset[str] = frozenset()
    diagnoses: Mapping[str, Callable[[Mapping[str, Any]], str]] = dataclasses.field(
        default_factory=dict
    )

    def keeps(self, kind: str, revision: str) -> bool:
        """Whether it has objects of that kind, for a revision or (empty) for the model."""
        return kind in (self.revision_kinds if revision else self.kinds)
