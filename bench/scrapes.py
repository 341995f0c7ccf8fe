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

    interval: seconds between scrapes; then: in its second half. rate: requests a second on both
    sides together. canary, stable: bad ratios. pods: of canary and of stable. incidents: how often
    both sides have `incident_ratio` (the canary `incident_canary`, if it has one of its own) for
    `incident` seconds, at any time. missed: share of the
    scrapes of one canary pod, or of every pod, that fail, marked stale or not. lag: seconds until
    a sample can be read. behind: by which Prometheus' clock is. replicas: of Prometheus, one of
    which answers, by chance, a query. restamped: whether another Prometheus federates the counters
    and tells its own times of all pods alike. slow: first requests of each canary pod that are
    bad. lead: seconds by which good events are counted ahead of total, or after it if negative.
    latency: whether the indicator is one of speed. seconds: length of the rollout. timed: whether
    times are told. known: whether the cluster tells of pods and their starts. added: pods of
    canary and stable that come in mid-trial. rolled: seconds between two of stable's pods that
    are replaced, one after another. rises: after how many seconds the canary gets another weight.
    soon: whether the incidents begin within two scrapes of the canary's first request, or of that.
    prompt: whether the canary's pods get requests at once, and nothing was looked at before.
    """

    interval: float
    then: float | None = None
    rate: float = 20.0
    weight: float = 0.1
    canary: float = 0.01
    stable: float = 0.01
    pods: tuple[int, int] = (1, 3)
    incidents: int = 0
    incident: float = 60.0
    incident_ratio: float = 0.3
    incident_canary: float | None = None
    missed: float = 0.0
    all_miss: bool = False
    stale: bool = True
    lag: float = 0.0
    behind: float = 0.0
    replicas: int = 1
    restamped: bool = False
    slow: int = 0
    lead: float = 0.0
    latency: bool = False
    seconds: float = 300.0
    timed: bool = True
    known: bool = False
    added: tuple[int, int] = (0, 0)
    rolled: float | None = None
    rises: tuple[float, float] | None = None
    soon: bool = False
    prompt: bool = False

    def shares(self, idle: int, ticks: int) -> Floats:
        """The canary's share of the requests by tick."""
        found = np.full(ticks, self.weight)
        if self.rises is not None:
            found[idle + self.ticks(self.rises[0]) :] = self.rises[1]
        found[:idle] = 0
        return found

    @property
    def tick(self) -> float:
        """Seconds of a tick."""
        return min(1.0, self.interval / 8, abs(self.lead) / 2 or 1.0)

    def ticks(self, seconds: float) -> int:
        """Ticks of so many seconds."""
        return round(seconds / self.tick)


@dataclass(frozen=True)
class End:
    """How a rollout ended, and when, in seconds; requests: those of the canary until then."""

    value: Value
    second: float
    requests: int


LIFE = 100_000
"""Requests that each stable pod has answered before."""
SETTLES = 2.0
"""Seconds from a pod's beginning until it has requests."""

Counters = tuple[Array, Array]
"""All events and good events of a pod, by tick."""
Life = tuple[int, int]
"""The first tick of a pod, below zero where it was there before, and the one after its last."""


def _counters(
    random: np.random.Generator, scene: Scene, rate: Floats, ratio: Floats, slow: int
) -> Counters:
    ahead = scene.ticks(scene.lead)
    # Good events lead or lag from the first tick to the last.
    around = max(0, -ahead), max(0, ahead)
    rate, ratio = np.pad(rate, around, mode="edge"), np.pad(ratio, around, mode="edge")
    total = random.poisson(rate * scene.tick)
    bad = random.binomial(total, ratio)
    sums, bads = np.cumsum(total), np.cumsum(bad)
    if slow:
        first = np.minimum(sums, slow)
        bads = first + np.cumsum(np.where(sums > slow, bad, 0))
    good, shown = sums - bads, len(sums) - abs(ahead)
    sums, good = sums[around[0] :][:shown], good[around[1] :][:shown]
    return sums, good


def _scrapes(
    random: np.random.Generator, scene: Scene, ticks: int, fails: bool, life: Life
) -> list[Array]:
    """The ticks at which each replica of Prometheus scrapes a pod."""
    per, middle = max(1, scene.ticks(scene.interval)), ticks // 2
    found = []
    for _ in range(scene.replicas):
        phase = int(random.integers(0, per))
        at = np.arange(phase, ticks, per)
        if scene.then is not None:
            at = np.concatenate(
                [at[at < middle], np.arange(middle + phase, ticks, scene.ticks(scene.then))]
            )
        at = at[(at >= life[0]) & (at < life[1])]
        found.append(at[random.random(len(at)) >= scene.missed] if fails else at)
    return found


@dataclass(frozen=True)
class Pod:
    """Its side (0 canary, 1 stable), its counters by tick, the scrapes of each Prometheus."""

    side: int
    life: Life
    counters: Counters
    scrapes: list[Array]

    def reading(self, scene: Scene, replica: int, tick: int) -> Reading | None:
        """What a Prometheus shows of it at a tick; None where it shows nothing."""
        known = tick - scene.ticks(scene.lag)
        stamped = known
        if scene.restamped:
            known = stamped = known - known % max(1, scene.ticks(scene.interval))
        at = self.scrapes[replica]
        index = int(np.searchsorted(at, known, side="right")) - 1
        if index < 0:
            return None
        scraped = int(at[index])
        slowest = max(scene.interval, scene.then or 0.0)
        if known - scraped > scene.ticks(slowest) and (scene.stale or known >= self.life[1]):
            return None  # A scrape has failed, which marks the series stale.
        before = LIFE if self.life[0] < 0 and self.side else 0
        time = (stamped if scene.restamped else scraped) * scene.tick - scene.behind
        told = time if scene.timed else None
        total, good = (before + int(counter[scraped]) for counter in self.counters)
        started = self.life[0] * scene.tick if scene.known else None
        return Reading(total, good, told, told, started)


def _lives(random: np.random.Generator, scene: Scene, idle: int, ticks: int) -> list[list[Life]]:
    """The lives of the pods of both sides."""
    ages = (0, -1000)
    if scene.prompt:
        ages = (idle - scene.ticks(SETTLES), -1000)
    found = [[(age, ticks)] * number for age, number in zip(ages, scene.pods, strict=True)]
    for lives, number in zip(found, scene.added, strict=True):
        lives += [(int(random.integers(idle, ticks)), ticks)] * number
    if scene.rolled is not None:
        begin = int(random.integers(idle, idle + (ticks - idle) // 2))
        for number, (age, _) in enumerate(found[1][: scene.pods[1]]):
            at = begin + number * scene.ticks(scene.rolled)
            if at < ticks:
                found[1][number] = (age, at)
                found[1].append((max(0, at - scene.ticks(SETTLES)), ticks))
    return found


def _pods(random: np.random.Generator, scene: Scene, idle: int, ticks: int) -> list[Pod]:
    ratios = [np.full(ticks, scene.canary), np.full(ticks, scene.stable)]
    share = scene.shares(idle, ticks)
    moment = idle if scene.rises is None else idle + scene.ticks(scene.rises[0])
    soon = (moment - scene.ticks(scene.interval), moment + scene.ticks(scene.interval))
    for _ in range(scene.incidents):
        begin = int(random.integers(*(soon if scene.soon else (idle - 1, ticks))))
        own = scene.incident_ratio if scene.incident_canary is None else scene.incident_canary
        for ratio, now in zip(ratios, (own, scene.incident_ratio), strict=True):
            ratio[begin : begin + max(1, scene.ticks(scene.incident))] = now
    at = np.arange(ticks)
    found: list[Pod] = []
    lives = _lives(random, scene, idle, ticks)
    for side, ratio in enumerate(ratios):
        ready = [
            (at >= life[0] + (scene.ticks(SETTLES) if life[0] > 0 else 0)) & (at < life[1])
            for life in lives[side]
        ]
        part = 1 - share if side else share
        requests = scene.rate * part / np.maximum(1, np.sum(ready, axis=0))
        for life, serves in zip(lives[side], ready, strict=True):
            slow = 0 if side else scene.slow
            counters = _counters(random, scene, requests * serves, ratio, slow)
            fails = scene.all_miss or not found
            scrapes = _scrapes(random, scene, ticks, fails, life)
            found.append(Pod(side, life, counters, scrapes))
    return found


def rollout(scene: Scene, random: np.random.Generator) -> End:
    """One simulated rollout until its verdict: the first Fail or Pass ends it.

    The canary gets requests from the fourth scrape on; stable has been looked at before.
    """
    idle = scene.ticks(3 * scene.interval)
    ticks = idle + scene.ticks(scene.seconds)
    pods, share = _pods(random, scene, idle, ticks), scene.shares(idle, ticks)
    spec = IndicatorSpec(
        name="latency" if scene.latency else "errors",
        threshold_seconds="0.1" if scene.latency else None,
        total="t",
        good="g",
    )
    analysis = Analysis(indicators=(spec,))
    tally = Tally.resume(spec, analysis, None, -scene.behind)
    shown: tuple[dict[str, Reading], dict[str, Reading]] = ({}, {})
    begin = idle - scene.ticks(1.0) if scene.prompt else 0
    for tick in range(begin, ticks, max(1, round(1.0 / scene.tick))):
        tally = tally.divided(float(share[tick]), tick * scene.tick, 0.0)
        replica = int(random.integers(0, scene.replicas))
        sides: tuple[dict[str, Reading], dict[str, Reading]] = ({}, {})
        for number, pod in enumerate(pods):
            if (reading := pod.reading(scene, replica, tick)) is not None:
                sides[pod.side][f"pod={number}"] = reading
        if scene.timed and sides == shown:
            continue
        shown = sides
        there = {str(n) for n, p in enumerate(pods) if p.life[0] <= tick < p.life[1]}
        known = frozenset(there) if scene.known else None
        tally = tally.take(Look(*sides, tick * scene.tick, known))
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
    "an incident of 15 s as the canary gets its first requests": _scene(
        rate=100, incidents=1, incident=15, soon=True
    ),
    "the same at 34 % of 300 requests/s, looked at from then on": _scene(
        rate=300,
        weight=0.34,
        canary=0.001,
        stable=0.001,
        pods=(1, 2),
        incidents=1,
        incident=15,
        soon=True,
        prompt=True,
        known=True,
    ),
    "an incident as its weight rises from 10 to 50 %": _scene(
        rate=100, incidents=1, incident=15, soon=True, rises=(60, 0.5)
    ),
    "the same, 3 and 9 pods, in a rise": _scene(
        rate=100, incidents=1, incident=15, soon=True, rises=(60, 0.5), pods=(3, 9)
    ),
    "an incident as its weight falls from 50 to 10 %": _scene(
        rate=100, incidents=1, incident=15, soon=True, weight=0.5, rises=(60, 0.1)
    ),
    "two Prometheus by turns": _scene(replicas=2, rate=100),
    "the same, times not told": _scene(replicas=2, rate=100, timed=False),
    "20 % of a pod's scrapes fail": _scene(missed=0.2, pods=(3, 9), rate=100),
    "20 % come late, an incident besides": _scene(
        missed=0.2, stale=False, pods=(3, 9), rate=100, incidents=1
    ),
    "20 % of all scrapes fail, an incident": _scene(
        missed=0.2, all_miss=True, pods=(3, 9), rate=100, incidents=1, known=True
    ),
    "samples readable a minute late": _scene(lag=60, rate=100),
    "the same, an incident besides": _scene(lag=60, rate=100, incidents=1, known=True),
    "Prometheus' clock 90 s behind, an incident": _scene(
        behind=90, rate=100, incidents=1, pods=(3, 9), known=True
    ),
    "3 pods join each side, an incident besides": _scene(
        added=(3, 3), rate=100, incidents=1, pods=(3, 9), known=True
    ),
    "stable's pods are replaced, an incident besides": _scene(
        rolled=20, rate=100, incidents=1, pods=(3, 9), known=True
    ),
    "1 request/s on the canary, an incident": _scene(rate=10, incidents=1, seconds=900, known=True),
    "scrapes become 4 times rarer, an incident": lambda interval: Scene(
        interval, then=4 * interval, rate=100, incidents=1, pods=(3, 9), known=True
    ),
    "good counted 0.5 s ahead of total": _scene(lead=0.5, rate=50),
    "total counted 0.5 s before good, 3 and 9 pods": _scene(lead=-0.5, rate=100, pods=(3, 9)),
    "first 20 requests slow": _scene(slow=20, latency=True, rate=50),
    "first 100 requests slow, 3 pods": _scene(slow=100, latency=True, rate=100, pods=(3, 9)),
}
"""Conditions under which a canary as good as stable must not fail."""

_WORSE_INCIDENT: dict[str, Any] = {
    "canary": 0.05,
    "rate": 50,
    "incidents": 1,
    "incident": 15,
    "incident_ratio": 0.06,
    "incident_canary": 0.3,
}
BAD: dict[str, Condition] = {
    "5 %, stable 1 %": _scene(canary=0.05),
    "10 %, stable 1 %": _scene(canary=0.1),
    "5 %, two Prometheus by turns": _scene(canary=0.05, replicas=2, rate=50),
    "5 %, 20 % of a pod's scrapes fail": _scene(canary=0.05, missed=0.2, pods=(3, 9), rate=50),
    "5 %, 20 % of all scrapes fail": _scene(
        canary=0.05, missed=0.2, all_miss=True, pods=(3, 9), rate=50, known=True
    ),
    "5 %, 3 pods join each side": _scene(
        canary=0.05, added=(3, 3), pods=(3, 9), rate=50, known=True
    ),
    "5 %, stable's pods are replaced": _scene(
        canary=0.05, rolled=20, pods=(3, 9), rate=50, known=True
    ),
    "5 %, an incident of a minute": _scene(canary=0.05, incidents=1, rate=50),
    "5 %, in an incident 30 (stable 6), as its weight rises": _scene(
        **_WORSE_INCIDENT, soon=True, rises=(30, 0.5)
    ),
    "the same, as its weight falls": _scene(
        **_WORSE_INCIDENT, soon=True, weight=0.5, rises=(30, 0.1)
    ),
    "5 %, total counted 0.5 s before good": _scene(canary=0.05, lead=-0.5, rate=50),
}
"""Conditions under which a canary worse than stable must not pass."""

DELAYED: dict[str, Condition] = {
    "5 %, 20 requests/s": _scene(canary=0.05),
    "10 %, 20 requests/s": _scene(canary=0.1),
    "5 %, 100 requests/s": _scene(canary=0.05, rate=100),
    "5 %, 100 requests/s, 3 and 9 pods": _scene(canary=0.05, rate=100, pods=(3, 9)),
    "50 %, 100 requests/s": _scene(canary=0.5, rate=100),
}
