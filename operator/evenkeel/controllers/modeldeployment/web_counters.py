"""What web APIs count of a trial: asked by polls, and taken as looks like those at Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.controllers.looks.wanted import Told
from evenkeel.outside.counters import KIND, Counters
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.rollout.probation import judged_by, taken_over
from evenkeel.verdict.indicators import Side
from evenkeel.verdict.samples import Look, Reading, Unobserved
from evenkeel.verdict.web_counters import WebQuestion, web_question

LEAST_INTERVAL = 5.0
"""Seconds from one answer to the next question, at least."""
KEY = "web"
"""The one process that counts."""


class _Sides(NamedTuple):
    """What each side is asked; stable nothing where it has no requests."""

    canary: WebQuestion
    stable: WebQuestion | None


def polls(md: ModelDeployment) -> dict[str, Poll]:
    """What is asked of web APIs about the trial, by name."""
    return {
        _name(spec, role): Poll(KIND, asked.url, asked.question, _interval(md), _secret(spec))
        for spec, sides in _asked(md)
        for role, asked in sides._asdict().items()
        if asked is not None
    }


def told(md: ModelDeployment, seen: Mapping[str, Sighting[object]]) -> dict[str, Told]:
    """By indicator what web APIs have told of both sides."""
    return {spec.name: Told(_look(spec, sides, seen)) for spec, sides in _asked(md)}


def _asked(md: ModelDeployment) -> Iterator[tuple[IndicatorSpec, _Sides]]:
    canary, stable, analysis = md.status.canary, md.status.stable, judged_by(md)
    if canary is None or stable is None or analysis is None:
        return
    if md.metadata.deletion_timestamp is not None:
        return
    meta = md.metadata
    for spec in analysis.indicators:
        if spec.web is None:
            continue
        here, there = (
            web_question(spec, Side(meta.namespace, meta.name, one.revision))
            for one in (canary, stable)
        )
        # What cannot be asked is told by the same rule where the trial is looked at.
        if isinstance(here, WebQuestion) and isinstance(there, WebQuestion) and here != there:
            yield spec, _Sides(here, None if taken_over(canary) else there)


def _look(
    spec: IndicatorSpec, sides: _Sides, seen: Mapping[str, Sighting[object]]
) -> Look | Unobserved | None:
    """What is seen of both sides; None until each has been asked."""
    assert spec.web is not None
    readings: dict[str, dict[str, Reading]] = {"canary": {}, "stable": {}}
    times: list[float] = []
    for role, asked in sides._asdict().items():
        if asked is None:
            continue
        sighting = seen[_name(spec, role)]
        if sighting.failure is not None:
            failure = sighting.failure
            message = f"counters of the {role}: {failure.message}"
            return Unobserved(failure.reason, message, unanswered=True)
        found = sighting.answer
        if not isinstance(found, Counters) or sighting.asked is None:
            return None
        time, good = sighting.asked.timestamp(), spec.web.bad is None
        readings[role][KEY] = Reading(found.total, found.counted, time, time, good=good)
        times.append(time)
    return Look(readings["canary"], readings["stable"], max(times))


def _name(spec: IndicatorSpec, role: str) -> str:
    return f"web:{spec.name}:{role}"


def _interval(md: ModelDeployment) -> float:
    assert md.spec.analysis is not None
    return max(LEAST_INTERVAL, float(md.spec.analysis.interval_seconds))


def _secret(spec: IndicatorSpec) -> str:
    return (spec.web.secret_name if spec.web is not None else None) or ""
