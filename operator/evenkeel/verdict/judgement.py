"""Judges a canary's indicators: folds new counts into the evidence and combines the verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.api.modeldeploymentstatus import CanaryStatus, IndicatorStatus, SeriesCount
from evenkeel.verdict.counters import CANARY, Counts, Look, block_since
from evenkeel.verdict.evidence import Evidence, EvidenceError, Indicator
from evenkeel.verdict.samples import Unobserved
from evenkeel.verdict.verdict import Value, Verdict, alpha_per_indicator, combine, judge

ALPHA = 0.01
"""Greatest probability that a canary no worse than stable is ever rolled back."""


SERIES = 512
"""Counters kept for an indicator, the canary's first: a status has to fit into etcd.

A stable series beyond it adds no evidence.
"""


class Judgement(NamedTuple):
    """The verdict on a canary, and its indicators' new status."""

    verdict: Verdict
    indicators: tuple[IndicatorStatus, ...]


JUDGED = ("Stepping", "Promoting")
"""Stages of a canary in which its indicators are looked at."""

Observations = Mapping[str, Look | Unobserved]
"""What Prometheus said, by indicator."""


def assess(
    canary: CanaryStatus | None, analysis: Analysis | None, seen: Observations
) -> Judgement | None:
    """The judgement on the canary; None where there is none to judge yet.

    Evidence goes on from the one kept in the canary's status. An indicator that could not be
    looked at keeps its evidence and is undecided: a fault of Prometheus never passes.
    """
    if canary is None or canary.stage not in JUDGED or analysis is None or not seen:
        return None
    kept = {i.name: i for i in canary.indicators}
    alpha = alpha_per_indicator(ALPHA, len(analysis.indicators))
    verdicts: list[Verdict] = []
    statuses: list[IndicatorStatus] = []
    for spec in analysis.indicators:
        verdict, status = _one(spec, kept.get(spec.name), seen.get(spec.name), alpha, analysis)
        verdicts.append(verdict)
        statuses.append(status)
    return Judgement(combine(verdicts), tuple(statuses))


def next_step(indicators: tuple[IndicatorStatus, ...]) -> tuple[IndicatorStatus, ...]:
    """The indicators at the start of a step: evidence stays, the step's requests begin anew."""
    return tuple(i.model_copy(update={"step_requests": 0}) for i in indicators)


def indicator(spec: IndicatorSpec, alpha: float, confirmations: int) -> Indicator:
    """The statistical form of an indicator. Raises ValueError for limits that contradict."""
    return Indicator(
        name=spec.name,
        tolerance=float(spec.tolerance),
        acceptable=float(spec.acceptable),
        max_ratio=float(spec.max_ratio) if spec.max_ratio is not None else None,
        alpha=alpha,
        confirmations=confirmations,
    )


def _one(
    spec: IndicatorSpec,
    kept: IndicatorStatus | None,
    seen: Look | Unobserved | None,
    alpha: float,
    analysis: Analysis,
) -> tuple[Verdict, IndicatorStatus]:
    kept = kept or IndicatorStatus(name=spec.name)
    try:
        limits = indicator(spec, alpha, analysis.confirmations)
    except ValueError as error:
        return _blind(kept, Unobserved("InvalidIndicator", str(error)))
    if not isinstance(seen, Look):
        return _blind(kept, seen or Unobserved("NoData", "not looked at yet"))
    if not seen.canary and any(s.key.startswith(f"{CANARY}:") for s in kept.series):
        return _blind(kept, Unobserved("NoData", "the canary's counters have vanished"))
    try:
        evidence = Evidence.from_status(kept.evidence, limits) if kept.evidence else None
    except EvidenceError:
        # The limits were edited during the rollout: evidence starts anew, counters go on.
        evidence = None
    evidence = evidence or Evidence(limits)
    before: dict[str, Counts] | None = (
        {s.key: (s.total, s.bad) for s in kept.series} if kept.evidence else None
    )
    block, after = block_since(before, seen)
    evidence = evidence.fold(block)
    step_requests = kept.step_requests + block.canary_total
    verdict = judge(evidence, min_requests=analysis.min_requests, step_requests=step_requests)
    status = IndicatorStatus(
        name=spec.name,
        value=verdict.value.value,
        message=verdict.message[:1024],
        step_requests=step_requests,
        evidence=evidence.to_status(),
        series=tuple(
            SeriesCount(key=key, total=total, bad=bad)
            for key, (total, bad) in sorted(after.items())[:SERIES]
        ),
    )
    return verdict, status


def _blind(kept: IndicatorStatus, why: Unobserved) -> tuple[Verdict, IndicatorStatus]:
    verdict = Verdict(Value.UNDECIDED, why.reason, why.message, kept.name)
    return verdict, kept.model_copy(
        update={"value": Value.UNDECIDED.value, "message": why.message[:1024]}
    )
