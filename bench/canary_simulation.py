"""Simulated canaries, judged by the shipped code: one rollout at a time, from given randomness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from evenkeel.verdict.block import Block
from evenkeel.verdict.verdict import Evidence, Indicator, Value, judge


@dataclass(frozen=True)
class Scene:
    """Mean canary requests per look, canary weight, bad ratios of canary and stable."""

    per_look: float
    weight: float
    canary: float
    stable: float

    def looks(self, random: np.random.Generator, looks: int) -> list[list[int]]:
        """One rollout: (canary bad, canary total, stable bad, stable total) of every look."""
        canary = random.poisson(self.per_look, looks)
        stable = random.poisson(self.per_look * (1 - self.weight) / self.weight, looks)
        counts = (
            random.binomial(canary, self.canary),
            canary,
            random.binomial(stable, self.stable),
            stable,
        )
        return [list(row) for row in np.stack(counts, axis=1).tolist()]


@dataclass(frozen=True)
class Outcomes:
    """What became of `runs` rollouts: the looks at which some failed, and how many passed."""

    runs: int
    failed_at: tuple[int, ...]
    passed: int


def simulate(scene: Scene, indicator: Indicator, runs: int, seed: int, looks: int) -> Outcomes:
    """Runs until the first fail, which ends a rollout; a pass is noted and does not."""
    random = np.random.default_rng(seed)
    failed_at: list[int] = []
    passed = 0
    for _ in range(runs):
        evidence = Evidence(indicator)
        has_passed = False
        for look, counts in enumerate(scene.looks(random, looks), start=1):
            evidence = evidence.fold(Block(counts[0], counts[1], counts[2], counts[3]))
            found = judge(evidence, min_requests=0, step_requests=evidence.canary_total)
            has_passed |= found.value is Value.PASS
            if found.value is Value.FAIL:
                failed_at.append(look)
                break
        passed += has_passed
    return Outcomes(runs, tuple(failed_at), passed)


def requests_until(
    value: Value, indicator: Indicator, bad: Iterator[int], limit: int, history: int = 0
) -> int:
    """Canary requests, one a block beside 9 faultless ones on stable, until `value` or `limit`.

    `bad` gives 1 for each bad canary request; `history` faultless ones come first, uncounted.
    """
    evidence = Evidence(indicator)
    for _ in range(history):
        evidence = evidence.fold(Block(0, 1, 0, 9))
    for request in range(1, limit + 1):
        evidence = evidence.fold(Block(next(bad), 1, 0, 9))
        if judge(evidence, min_requests=0, step_requests=request).value is value:
            return request
    return limit


def bad_events_until_pass(
    scene: Scene, indicator: Indicator, random: np.random.Generator, limit: int
) -> int:
    """Bad events on both sides until the canary passes, or until `limit` looks are over."""
    evidence = Evidence(indicator)
    bad_events = 0
    for _ in range(limit):
        (counts,) = scene.looks(random, 1)
        bad_events += counts[0] + counts[2]
        evidence = evidence.fold(Block(counts[0], counts[1], counts[2], counts[3]))
        found = judge(evidence, min_requests=0, step_requests=evidence.canary_total)
        if found.value is Value.PASS:
            break
    return bad_events
