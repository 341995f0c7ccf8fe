"""Simulated rollouts as Prometheus shows them: many pods, each scraped at its own moments.

Only the pure parts run, with their defaults: looks are folded by Tally and judged. Time is cut
into ticks; requests and bad ones are drawn for each pod and tick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.verdict.samples import Look, Reading
from evenkeel.verdict.tally import Tally
from evenkeel.verdict.verdict import Value, judge

Array = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """A rollout under one condition.

    interval: seconds between scrapes. rate: requests a second on both sides together. canary,
    stable: bad ratios. pods: of canary and of stable. incidents: how often both sides have
    `incident_ratio` for `incident` seconds, at any time. missed: share of one canary pod's scrapes
    that fail, marked stale or not. lag: seconds until a sample can be read. replicas: of
    Prometheus, one of which answers, by chance, a query. slow: first requests of each canary pod
    that are bad. lead: seconds by which good events are counted ahead of total. latency: whether
    the indicator is one of speed. seconds: length of the rollout. timed: whether times are told.
    """

    interval: float
    rate: float = 20.0
    weight: float = 0.1
    canary: float = 0.01
    stable: float = 0.01
    pods: tuple[int, int] = (1, 3)
    incidents: int = 0
    incident: float = 60.0
    incident_ratio: float = 0.3
    missed: float = 0.0
    stale: bool = True
    lag: float = 0.0
    replicas: int = 1
    slow: int = 0
    lead: float = 0.0
    latency: bool = False
    seconds: float = 300.0
    timed: bool = True

    @property
    def tick(self) -> float:
        """Seconds of a tick."""
        return min(1.0, self.interval / 8)


@dataclass(frozen=True)
class End:
    """How a rollout ended, and when, in seconds; requests: those of the canary until then."""

    value: Value
    second: float
    requests: int


LIFE = 100_000
"""Requests that each stable pod has answered before."""

Counters = tuple[Array, Array]
"""All events and good events of a pod, by tick."""


def _pod(
    random: np.random.Generator, scene: Scene, rate: float, ratio: Floats, side: int, idle: int
) -> Counters:
    total = random.poisson(rate * scene.tick, len(ratio))
    slow = 0 if side else scene.slow
    if not side:
        total[:idle] = 0
    bad = random.binomial(total, ratio)
    sums, bads = np.cumsum(total), np.cumsum(bad)
    if slow:
        first = np.minimum(sums, slow)
        bads = first + np.cumsum(np.where(sums > slow, bad, 0))
    good = sums - bads
    ahead = round(scene.lead / scene.tick)
    if ahead:
        good = np.concatenate([good[ahead:], np.repeat(good[-1], ahead)])
    return sums, good


def _scrapes(random: np.random.Generator, scene: Scene, ticks: int, fails: bool) -> list[Array]:
    """The ticks at which each replica of Prometheus scrapes a pod."""
    per = max(1, round(scene.interval / scene.tick))
    found = []
    for _ in range(scene.replicas):
        at = np.arange(int(random.integers(0, per)), ticks, per)
        found.append(at[random.random(len(at)) >= scene.missed] if fails else at)
    return found


@dataclass(frozen=True)
class Pod:
    """Its side (0 canary, 1 stable), its counters by tick, the scrapes of each Prometheus."""

    side: int
    counters: Counters
    scrapes: list[Array]

    def reading(self, scene: Scene, replica: int, tick: int) -> Reading | None:
        """What a Prometheus shows of it at a tick; None where it shows nothing."""
        at, known = self.scrapes[replica], tick - round(scene.lag / scene.tick)
        index = int(np.searchsorted(at, known, side="right")) - 1
        if index < 0:
            return None
        scraped = int(at[index])
        if scene.stale and known - scraped > round(scene.interval / scene.tick):
            return None  # A scrape has failed, which marks the series stale.
        before = LIFE if self.side else 0
        time = scraped * scene.tick if scene.timed else None
        total, good = (before + int(counter[scraped]) for counter in self.counters)
        return Reading(total, good, time, time)


def _pods(random: np.random.Generator, scene: Scene, idle: int, ticks: int) -> list[Pod]:
    ratios = [np.full(ticks, scene.canary), np.full(ticks, scene.stable)]
    for _ in range(scene.incidents):
        begin = int(random.integers(idle - 1, ticks))
        for ratio in ratios:
            ratio[begin : begin + max(1, round(scene.incident / scene.tick))] = scene.incident_ratio
    shares = (scene.weight, 1 - scene.weight)
    found: list[Pod] = []
    for side, (number, share, ratio) in enumerate(zip(scene.pods, shares, ratios, strict=True)):
        for _ in range(number):
            counters = _pod(random, scene, scene.rate * share / number, ratio, side, idle)
            scrapes = _scrapes(random, scene, ticks, fails=not found)
            found.append(Pod(side, counters, scrapes))
    return found


def rollout(scene: Scene, random: np.random.Generator) -> End:
    """One simulated rollout until its verdict: the first Fail or Pass ends it.

    The canary gets requests from the fourth scrape on; stable has been looked at before.
    """
    idle = round(3 * scene.interval / scene.tick)
    ticks = idle + round(scene.seconds / scene.tick)
    pods = _pods(random, scene, idle, ticks)
    spec = IndicatorSpec(
        name="latency" if scene.latency else "errors",
        threshold_seconds="0.1" if scene.latency else None,
        total="t",
        good="g",
    )
    analysis = Analysis(indicators=(spec,))
    tally = Tally.resume(spec, analysis, None, 0.0)
    shown: tuple[dict[str, Reading], dict[str, Reading]] = ({}, {})
    for tick in range(0, ticks, max(1, round(1.0 / scene.tick))):
        replica = int(random.integers(0, scene.replicas))
        sides: tuple[dict[str, Reading], dict[str, Reading]] = ({}, {})
        for number, pod in enumerate(pods):
            if (reading := pod.reading(scene, replica, tick)) is not None:
                sides[pod.side][f"pod={number}"] = reading
        if scene.timed and sides == shown:
            continue
        shown = sides
        tally = tally.take(Look(*sides, tick * scene.tick))
        requests = tally.evidence.canary_total
        found = judge(tally.evidence, min_requests=analysis.min_requests, step_requests=requests)
        if found.value is not Value.UNDECIDED:
            return End(found.value, (tick - idle) * scene.tick, requests)
    return End(Value.UNDECIDED, scene.seconds, tally.evidence.canary_total)


def ends(scene: Scene, runs: int, seed: int) -> list[End]:
    """How `runs` rollouts ended."""
    random = np.random.default_rng(seed)
    return [rollout(scene, random) for _ in range(runs)]


Condition = Callable[[float], Scene]
"""A scene by the seconds between scrapes."""


def _scene(**fields: Any) -> Condition:
    return lambda interval: Scene(interval, **fields)


GOOD: dict[str, Condition] = {
    "clean, 20 requests/s": _scene(),
    "clean, 100 requests/s, 3 and 9 pods": _scene(rate=100, pods=(3, 9)),
    "an incident of a minute, 30 % bad": _scene(rate=100, incidents=1),
    "the same, 3 and 9 pods": _scene(rate=100, incidents=1, pods=(3, 9)),
    "a burst of 3 s, all bad": _scene(rate=100, incidents=1, incident=3, incident_ratio=1.0),
    "two Prometheus by turns": _scene(replicas=2, rate=100),
    "the same, times not told": _scene(replicas=2, rate=100, timed=False),
    "20 % of a pod's scrapes fail": _scene(missed=0.2, pods=(3, 9), rate=100),
    "20 % come late, an incident besides": _scene(
        missed=0.2, stale=False, pods=(3, 9), rate=100, incidents=1
    ),
    "samples readable a minute late": _scene(lag=60, rate=100),
    "good counted 0.5 s ahead of total": _scene(lead=0.5, rate=50),
    "first 20 requests slow": _scene(slow=20, latency=True, rate=50),
    "first 100 requests slow, 3 pods": _scene(slow=100, latency=True, rate=100, pods=(3, 9)),
}
"""Conditions under which a canary as good as stable must not fail."""

BAD: dict[str, Condition] = {
    "5 %, stable 1 %": _scene(canary=0.05),
    "10 %, stable 1 %": _scene(canary=0.1),
    "5 %, two Prometheus by turns": _scene(canary=0.05, replicas=2, rate=50),
    "5 %, 20 % of a pod's scrapes fail": _scene(canary=0.05, missed=0.2, pods=(3, 9), rate=50),
    "5 %, an incident of a minute": _scene(canary=0.05, incidents=1, rate=50),
}
"""Conditions under which a canary worse than stable must not pass."""

DELAYED: dict[str, Condition] = {
    "5 %, 20 requests/s": _scene(canary=0.05),
    "10 %, 20 requests/s": _scene(canary=0.1),
    "5 %, 100 requests/s": _scene(canary=0.05, rate=100),
    "5 %, 100 requests/s, 3 and 9 pods": _scene(canary=0.05, rate=100, pods=(3, 9)),
    "50 %, 100 requests/s": _scene(canary=0.5, rate=100),
}
