"""What is counted of versions in production for triggers of their metrics, window by window.

A window is asked about once it is over, in its turn, and its answer is folded into the evidence
that the schedule's status keeps with the end of the last window: a crash between the two asks for
the same window again, and windows that passed meanwhile are asked about afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from math import exp

from evenkeel.api.decay import DecayEvidence
from evenkeel.api.modelversion import ModelVersion
from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.api.trigger import MetricDecayTrigger
from evenkeel.controllers import windows
from evenkeel.outside.poll import Poll, Sighting
from evenkeel.outside.prometheus import WindowCounts
from evenkeel.retraining.counted import digest
from evenkeel.retraining.triggers import metric_decay
from evenkeel.retraining.triggers.kind import InvalidTrigger
from evenkeel.verdict.decay import Decay, from_text, to_text

Evidence = Mapping[str, DecayEvidence]
"""By trigger."""


def begun(schedule: RetrainSchedule, champion: ModelVersion | None, now: datetime) -> Evidence:
    """The evidence on the version in production: as the status has it, or anew."""
    kept = {t.name: t.decay for t in schedule.status.triggers if t.decay is not None}
    if champion is None:
        # As after a restore: it may well be the version that it was.
        return {name: kept[name] for name, _ in _triggers(schedule) if name in kept}
    found = {}
    for name, spec in _triggers(schedule):
        known = kept.get(name)
        fresh = DecayEvidence(
            version=champion.metadata.name,
            terms=digest((spec.model_dump_json(by_alias=True),)),
            until=windows.aligned(now, spec.window_seconds),
        )
        same = known is not None and (known.version, known.terms) == (fresh.version, fresh.terms)
        found[name] = _recent(known, spec, now) if known is not None and same else fresh
    return found


def polls(
    schedule: RetrainSchedule, evidence: Evidence, champion: ModelVersion | None, now: datetime
) -> dict[str, Poll]:
    """By trigger the question about the window that is next, if it is over."""
    places = _places(champion)
    if places is None or schedule.spec.suspend or schedule.metadata.deletion_timestamp is not None:
        return {}
    found = {}
    for name, spec in _triggers(schedule):
        known = evidence[name]
        if known.decayed_time is None and _asked_at(known, spec) <= now:
            try:
                metric_decay.check(spec)
            except InvalidTrigger:
                continue
            found[name] = metric_decay.poll(spec, places, _end(known, spec))
    return found


def folded(
    schedule: RetrainSchedule, evidence: Evidence, sightings: Mapping[str, Sighting[object]]
) -> Evidence:
    """The evidence with the windows that were answered."""
    found = dict(evidence)
    for name, spec in _triggers(schedule):
        answer = sightings[name].answer if name in sightings else None
        if isinstance(answer, WindowCounts) and answer.end == _end(found[name], spec):
            found[name] = _with(found[name], spec, answer)
    return found


def due(
    schedule: RetrainSchedule, before: Evidence, after: Evidence, now: datetime
) -> datetime | None:
    """When there is a window to ask about next; one that is being asked about calls by itself."""
    times = []
    for name, spec in _triggers(schedule):
        known = after.get(name)
        if known is not None and known.decayed_time is None:
            time = _asked_at(known, spec)
            if time > now or known != before.get(name):
                times.append(max(time, now + timedelta(seconds=1)))
    return min(times, default=None)


def _triggers(schedule: RetrainSchedule) -> Iterator[tuple[str, MetricDecayTrigger]]:
    for trigger in schedule.spec.triggers:
        if trigger.metric_decay is not None:
            yield trigger.name, trigger.metric_decay


def _places(champion: ModelVersion | None) -> dict[str, str] | None:
    """The values of placeholders: where the version was promoted last."""
    if champion is None:
        return None
    promoted = [r for r in champion.status.rollouts if r.outcome == "Promoted"]
    newest = max(promoted, key=lambda r: (r.time, r.deployment), default=None)
    if newest is None:
        return None
    namespace = champion.metadata.namespace
    return {
        "namespace": namespace,
        "deployment": newest.deployment,
        "revision": newest.revision,
    }


def _recent(known: DecayEvidence, spec: MetricDecayTrigger, now: datetime) -> DecayEvidence:
    """The evidence without windows of too long ago."""
    missed = windows.too_old(known.until, spec.window_seconds, now)
    if not missed or known.decayed_time is not None:
        return known
    until = windows.later(known.until, missed, spec.window_seconds)
    return known.model_copy(update={"until": until, "void": known.void + missed})


def _with(known: DecayEvidence, spec: MetricDecayTrigger, seen: WindowCounts) -> DecayEvidence:
    """The evidence with one more window."""
    until = windows.time_text(seen.end)
    void = seen.void
    if not void and seen.total < spec.min_requests:
        void = f"{seen.total} events are fewer than minRequests {spec.min_requests}"
    if void:
        message = f"the window until {until} tells nothing: {void}"[:512]
        return known.model_copy(update={"until": until, "void": known.void + 1, "message": message})
    try:
        wealth = from_text(known.wealth)
    except ValueError:
        wealth = from_text("")
    now = Decay(float(spec.max_ratio), float(spec.alpha), known.windows, wealth)
    now = now.fold(seen.bad, seen.total)
    bad, total = known.bad + seen.bad, known.total + seen.total
    message = (
        f"{bad} of {total} bad in {now.windows} windows of {spec.window_seconds} s, "
        f"{seen.bad} of {seen.total} in the last, {spec.max_ratio} allowed; "
        f"e={exp(min(now.log_e, 700)):.2g} {'>=' if now.shown else '<'} {1 / now.alpha:.4g}"
    )
    return known.model_copy(
        update={
            "until": until,
            "windows": now.windows,
            "bad": bad,
            "total": total,
            "wealth": to_text(now.wealth),
            "message": message,
            "decayed_time": until if now.shown else None,
        }
    )


def _end(known: DecayEvidence, spec: MetricDecayTrigger) -> int:
    return windows.end_after(known.until, spec.window_seconds)


def _asked_at(known: DecayEvidence, spec: MetricDecayTrigger) -> datetime:
    return windows.time_of(_end(known, spec) + windows.lag(spec.window_seconds))
