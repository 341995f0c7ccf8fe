"""Lives of a model through the detectors as shipped, and the usual rules, for bench.monitoring.

Functions of their arguments alone, so that processes can share the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from math import inf, log
from typing import NamedTuple

import numpy as np
from evenkeel.monitoring.columns import Labels
from evenkeel.monitoring.detector import Detection
from evenkeel.monitoring.settings import Settings, log_cap

from bench import drift_scenes as made
from bench.drift_rules import Rules
from bench.drift_scenes import Change, Counts, Day, Profile, Scene

SETTINGS = Settings(max_ratio=made.LIMIT)
A_YEAR = 365
BEFORE = 5
"""Days before a change."""
MOST = 40
"""Days within which a change is found, or not."""
SHIPPED = "min(sqrt(T F), T/2), as shipped"
CAPS: dict[str, Callable[[float, int], float]] = {
    "none": lambda threshold, members: inf,
    "T/2": lambda threshold, members: log(threshold / 2),
    SHIPPED: log_cap,
    "cube root of T F": lambda threshold, members: log(threshold * members) / 3,
}
"""By threshold T and features F of a group, the most that a block counts for, in nats."""


class Year(NamedTuple):
    """Alarms that began, and days on which there was one; for each rule its days, or none."""

    alarms: int
    days: int
    rules: tuple[int, int, int] | None


def random_of(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def begun(profile: Profile, cap: str) -> Detection:
    """Before the first day, with one of CAPS."""
    detection = Detection.begun(profile.columns, SETTINGS)
    groups = [chart.histogram.group for chart in detection.charts]
    charts = [
        chart._replace(log_cap=CAPS[cap](detection.threshold, groups.count(group)))
        for chart, group in zip(detection.charts, groups, strict=True)
    ]
    return replace(detection, charts=tuple(charts))


def drifted(detection: Detection) -> frozenset[str]:
    return frozenset(detection.state.drifted)


def seen(
    scene: Scene, profile: Profile, random: np.random.Generator, rules: bool,
    change: Change = made.NONE,
) -> Iterator[tuple[Counts, Labels, Day | None]]:  # fmt: skip
    """Days one after the other; with their single values where rules are to see them."""
    if rules:
        for day in scene.days(random, change, BEFORE):
            yield made.binned(profile.edges, day), day.labels, day
    else:
        for counts, labels in scene.counted(profile, random, change, BEFORE):
            yield counts, labels, None


def year(scene: Scene, seed: tuple[int, ...], rules: bool, cap: str = SHIPPED) -> Year:
    """One year without drift, with a reference of its own."""
    random = random_of(*seed)
    profile = scene.profile(random)
    detection = begun(profile, cap)
    usual = Rules(profile) if rules else None
    alarms = days = 0
    said = np.zeros(3, int)
    for counts, labels, day in islice(seen(scene, profile, random, rules), A_YEAR):
        before = drifted(detection)
        detection = detection.fold(made.block(counts, labels))
        alarms += len(drifted(detection) - before)
        days += bool(drifted(detection))
        if usual and day:
            said += np.array(usual.alarms(day, counts))
    return Year(alarms, days, tuple(said.tolist()) if usual else None)


class Delay(NamedTuple):
    """Days from a change until each says so (None: not within MOST); of the rules, False: it had
    said so before, or was not asked."""

    found: int | None
    rules: tuple[int | bool | None, ...]


def delay(
    scene: Scene, change: Change, seed: tuple[int, ...], rules: bool, cap: str = SHIPPED
) -> Delay:
    """Of one life, for ourselves and the three rules."""
    random = random_of(*seed)
    profile = scene.profile(random)
    detection = begun(profile, cap)
    usual = Rules(profile) if rules else None
    found: int | None = None
    said: list[int | bool | None] = [None if usual else False] * 3
    life = islice(seen(scene, profile, random, rules, change), BEFORE + MOST)
    for since, (counts, labels, day) in enumerate(life, 1 - BEFORE):
        if found is None:
            detection = detection.fold(made.block(counts, labels))
            if drifted(detection):
                found = since
        if usual and day and None in said:
            for at, alarm in enumerate(usual.alarms(day, counts)):
                if alarm and said[at] is None:
                    said[at] = since if since > 0 else False
        if found is not None and None not in said:
            break
    return Delay(found, tuple(said))
