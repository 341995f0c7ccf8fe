"""What a condition is: how both versions behave, what the cluster does, and what may come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.conditions.servers import Server
from bench.conditions.verdict import Bound

if TYPE_CHECKING:
    from bench.conditions.trial import Trial
    from bench.conditions.world import World

JSON = dict[str, Any]
Script = Callable[["Trial"], Awaitable[None]]
Check = Callable[["Trial"], str]
Figures = Callable[["World"], Sequence[str]]
INTERVALS = {"s1": 1, "s5": 5, "s5b": 5, "s15": 15, "s15b": 15, "s30": 30, "own": 1}
"""Scrape interval in seconds of each Prometheus server."""
BEHIND: Mapping[str, tuple[str, ...]] = {
    "1s": ("s1",),
    "5s": ("s5",),
    "15s": ("s15",),
    "30s": ("s30",),
    "ha-5s": ("s5", "s5b"),
    "ha-15s": ("s15", "s15b"),
    "own": ("own",),
    **dict.fromkeys(("lag", "slow", "tenant", "basic", "lying"), ("s1",)),
    **dict.fromkeys(("drip", "bomb", "huge", "heads", "unasked"), ("s1",)),
}
"""By the name of a way to Prometheus the servers that it leads to."""


async def nothing(trial: Trial) -> None:
    """The cluster does nothing out of the ordinary."""


def no_figures(world: World) -> Sequence[str]:
    """Nothing but the rollouts is measured."""
    return ()


def all_well(trial: Trial) -> str:
    """No fault beyond the rollout's end."""
    return ""


@dataclass(frozen=True)
class Condition:
    """One condition, tried by many rollouts at once in a namespace of its own.

    servers: by side (stable, canary, next) how the pods behave. final: the side whose end counts.
    ways: to Prometheus, keys of BEHIND, which the rollouts take in turn. seconds: from the edit
    until the rollout must have ended. rate: requests a second of a model. spec: merged over the
    usual one. edit: merged in with the new version. script: what happens beside. check: names a
    fault of a rollout, for a bound on it. figures: what was measured besides. traffic: whether it
    is established only once the canary has had requests and was scraped. objects: what is created
    in the namespace before. alone: not beside other conditions, with an operator of its own that
    vouches for no address. after: the condition that it is compared with, which is tried first.
    """

    name: str
    about: str
    bounds: tuple[Bound, ...]
    servers: Mapping[str, Server]
    ways: tuple[str, ...] = ("1s",)
    seconds: float = 75.0
    rate: float = 300.0
    replicas: int = 2
    spec: JSON = field(default_factory=dict)
    edit: JSON = field(default_factory=dict)
    script: Script = nothing
    check: Check = all_well
    figures: Figures = no_figures
    final: str = "canary"
    traffic: bool = True
    objects: tuple[JSON, ...] = ()
    alone: bool = False
    after: str = ""

    @property
    def namespace(self) -> str:
        return f"c-{self.name}"


def usual(condition: Condition, url: str) -> JSON:
    """The ModelDeployment's spec before the edit: all at the defaults but for the steps' times."""
    spec: JSON = {
        "model": {"uri": "pvc://models/1", "format": {"name": "sklearn"}},
        "replicas": condition.replicas,
        "env": side("stable"),
        "rollout": {
            "steps": [{"weight": 34, "pauseSeconds": 5}],
            "progressDeadlineSeconds": 60,
            "scaleDownDelaySeconds": 5,
        },
        "analysis": {"prometheus": {"url": url}, "indicators": [{"name": "errors"}]},
    }
    return merged(spec, condition.spec)


def side(name: str) -> list[JSON]:
    """The environment that tells the player which version a pod is of."""
    return [{"name": "SIDE", "value": name}]


def edited(spec: JSON, name: str) -> JSON:
    """The change that makes the next version the wanted one; other variables stay."""
    kept = [v for v in spec["env"] if v["name"] != "SIDE"]
    number = {"canary": 2, "next": 3}[name]
    return {"model": {"uri": f"pvc://models/{number}"}, "env": [*side(name), *kept]}


def merged(base: JSON, over: JSON) -> JSON:
    """A JSON merge patch; lists are replaced, null removes."""
    found = dict(base)
    for key, value in over.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = merged(found[key], value)
        else:
            found[key] = value
    return found
