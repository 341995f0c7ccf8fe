"""Judges a canary's indicators: their tallies become verdicts, and these one verdict."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from math import inf
from typing import Any, NamedTuple

from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.api.modeldeploymentstatus import CanaryStatus, IndicatorStatus, ProcessCount
from evenkeel.meta.times import parse
from evenkeel.verdict.samples import Unobserved
from evenkeel.verdict.tally import Tally, definition
from evenkeel.verdict.verdict import Value, Verdict, combine, judge


def begins(canary: CanaryStatus, warm_up_seconds: int) -> float:
    """Since when samples are evidence on the canary, Unix seconds: since its warm-up ended."""
    if not warm_up_seconds:
        return 0.0
    if canary.stage in ("Stopping", "Starting", "WarmingUp"):
        return inf
    first = canary.stage == "Stepping" and canary.step == 0
    return parse(canary.stage_time if first else canary.start_time).timestamp()


class Judgement(NamedTuple):
    """The verdict on a canary, and its indicators' new status.

    unlooked: names of indicators of which nothing is known now, for they have not been looked at
    yet or their source does not answer; uncounted: those of which no event of the canary has ever
    been counted.
    """

    verdict: Verdict
    indicators: tuple[IndicatorStatus, ...]
    unlooked: tuple[str, ...] = ()
    uncounted: tuple[str, ...] = ()


JUDGED = ("Stepping", "Promoting", "Probation")
"""Stages of a canary in which its indicators are judged."""

Observations = Mapping[str, Tally | Unobserved]
"""What is known of the indicators, by name."""


def assess(
    canary: CanaryStatus | None,
    analysis: Analysis | None,
    seen: Observations,
    not_awaited: Container[str] = (),
) -> Judgement | None:
    """The judgement on the canary; None where there is none to judge yet.

    not_awaited: names of indicators that may fail it, and that it may pass without.

    One on a dry run is shown and has no part in it.
    An indicator that could not be looked at keeps its evidence and is undecided: a fault of
    Prometheus never passes.
    """
    if canary is None or canary.stage not in JUDGED or analysis is None or not seen:
        return None
    kept = {i.name: i for i in canary.indicators}
    found = [
        _one(
            spec,
            kept.get(spec.name, IndicatorStatus(name=spec.name)),
            seen.get(spec.name),
            analysis,
        )
        for spec in analysis.indicators
    ]
    deciding = [(v, s) for v, s in found if not s.dry_run]
    counted = [v for v, s in deciding if v.value is Value.FAIL or s.name not in not_awaited]
    awaited = [s for _, s in deciding if s.name not in not_awaited]
    return Judgement(
        combine(counted),
        tuple(status for _, status in found),
        unlooked=tuple(s.name for s in awaited if not _answered(seen.get(s.name))),
        uncounted=tuple(s.name for s in awaited if not s.evidence.get("canaryTotal")),
    )


def _answered(seen: Tally | Unobserved | None) -> bool:
    fault = seen.fault if isinstance(seen, Tally) else seen
    return seen is not None and not (fault is not None and fault.unanswered)


def next_step(indicators: tuple[IndicatorStatus, ...]) -> tuple[IndicatorStatus, ...]:
    """The indicators at the start of a step: evidence stays, the step's requests begin anew."""
    return tuple(
        i.model_copy(
            update={
                "step_requests": 0,
                "earlier_requests": i.earlier_requests + i.step_requests,
            }
        )
        for i in indicators
    )


def step_requests(tally: Tally, kept: IndicatorStatus) -> int:
    """Canary requests in this step, of evidence that began anew all of them."""
    same = kept.definition == definition(tally.spec)
    earlier = kept.earlier_requests if same else 0
    return max(0, tally.evidence.canary_total - earlier)


def verdict_of(tally: Tally, kept: IndicatorStatus, min_requests: int) -> Verdict:
    """The verdict on one indicator now, given its status at the last write."""
    if tally.fault is not None:
        return Verdict(Value.UNDECIDED, tally.fault.reason, tally.fault.message, tally.spec.name)
    requests = step_requests(tally, kept)
    found = judge(tally.evidence, min_requests=min_requests, step_requests=requests)
    apart = tally.apart.told() if found.value is Value.UNDECIDED else ""
    for told in filter(None, (tally.uncounted.told(), apart, tally.warning)):
        found = replace(found, message=f"{found.message}; {told}")
    if not tally.anew:
        return found
    told = f"the indicator or its template was edited, so its evidence began anew; {found.message}"
    return Verdict(found.value, found.reason, told, found.indicator)


_WOULD = {
    Value.PASS: "let the canary pass",
    Value.FAIL: "roll the canary back",
    Value.UNDECIDED: "wait",
}


def _shown(spec: IndicatorSpec, verdict: Verdict) -> dict[str, Any]:
    """Fields of the status that say what the verdict is."""
    message = verdict.message
    if spec.dry_run:
        message = f"on a dry run, would {_WOULD[verdict.value]}: {message}"
    return {"value": verdict.value.value, "message": message[:1024], "dry_run": spec.dry_run}


def _one(
    spec: IndicatorSpec,
    before: IndicatorStatus | None,
    seen: Tally | Unobserved | None,
    analysis: Analysis,
) -> tuple[Verdict, IndicatorStatus]:
    kept = before or IndicatorStatus(name=spec.name)
    if not isinstance(seen, Tally):
        why = seen or Unobserved("NoData", "not looked at yet")
        verdict = Verdict(Value.UNDECIDED, why.reason, why.message, kept.name)
        return verdict, kept.model_copy(update=_shown(spec, verdict))
    verdict = verdict_of(seen, kept, analysis.min_requests)
    requests = step_requests(seen, kept)
    return verdict, IndicatorStatus(
        name=kept.name,
        **_shown(spec, verdict),
        step_requests=requests,
        earlier_requests=seen.evidence.canary_total - requests,
        definition=definition(seen.spec),
        anew=seen.anew,
        evidence=seen.to_status(),
        processes=_unmoved(kept.processes, seen.processes()),
    )


def _unmoved(
    kept: tuple[ProcessCount, ...], now: tuple[ProcessCount, ...]
) -> tuple[ProcessCount, ...]:
    """Those that are kept, if no process has counted anything since: idle ones cost no writes."""
    if [p.model_copy(update={"millis": 0}) for p in kept] == [
        p.model_copy(update={"millis": 0}) for p in now
    ]:
        return kept
    return now
