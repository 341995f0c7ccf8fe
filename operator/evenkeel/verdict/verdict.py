"""The verdict on a canary: pass, fail or undecided, with the reason and the counts.

fail: the canary is worse than stable by more than the tolerance, and worse than the acceptable
ratio; or it is above max_ratio. pass: it is shown to be better than one of the two limits, and
below max_ratio. Anything else, no data above all, is undecided. docs/verdict.md has the proofs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log
from typing import NamedTuple

from evenkeel.verdict.block import Block
from evenkeel.verdict.evidence import Evidence, EvidenceError
from evenkeel.verdict.indicator import Indicator

__all__ = [
    "NO_EVIDENCE",
    "Block",
    "Evidence",
    "EvidenceError",
    "Indicator",
    "Value",
    "Verdict",
    "alpha_per_indicator",
    "combine",
    "judge",
]


NO_EVIDENCE = frozenset(
    {
        "NoData",
        "NoIndicators",
        "InconsistentCounts",
        "SourceUnavailable",
        "SourceAccessDenied",
        "SourceNotAllowed",
        "SourceNotFound",
        "SourceNotUnderstood",
        "PrometheusUnavailable",
        "PrometheusAccessDenied",
        "PrometheusNotAllowed",
        "QueryRefused",
        "NotANumber",
        "CountsVanished",
        "ScrapedApart",
        "TooManyProcesses",
        "InvalidIndicator",
        "AwaitingConfirmation",
    }
)
"""Reasons of an undecided verdict that never promote, whatever onUndecided says."""


class Value(StrEnum):
    """What a verdict says."""

    PASS = "Pass"
    FAIL = "Fail"
    UNDECIDED = "Undecided"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement: the indicator that decided, a CamelCase reason and a message for people."""

    value: Value
    reason: str
    message: str
    indicator: str = ""


def alpha_per_indicator(alpha: float, indicators: int) -> float:
    """Each indicator's share of the probability of a false fail (Bonferroni).

    beta needs no sharing: a canary passes only if every indicator passes.
    """
    if indicators < 1:
        raise ValueError("there must be at least one indicator to share alpha over")
    return alpha / indicators


def judge(evidence: Evidence, *, min_requests: int, step_requests: int) -> Verdict:
    """The verdict on one indicator.

    step_requests: canary requests within the current step; below min_requests nothing passes,
    but a bad canary fails at once.
    """
    for rule in (_uncounted, _worse, _thin, _better):
        if (found := rule(evidence, min_requests, step_requests)) is not None:
            return _told(evidence, *found)
    return _told(evidence, *_open(evidence))


class _Finding(NamedTuple):
    """A verdict without the counts."""

    value: Value
    reason: str
    message: str


def _told(evidence: Evidence, value: Value, reason: str, message: str) -> Verdict:
    return Verdict(value, reason, f"{_counts(evidence)}; {message}", evidence.indicator.name)


def _uncounted(evidence: Evidence, least: int, step_requests: int) -> _Finding | None:
    """Counts by which nothing can be judged."""
    if not evidence.canary_total:
        return _Finding(Value.UNDECIDED, "NoData", "the canary has had no requests")
    if evidence.canary_bad > evidence.canary_total or evidence.stable_bad > evidence.stable_total:
        return _Finding(
            Value.UNDECIDED,
            "InconsistentCounts",
            "more bad events than events: check that both queries select the same requests",
        )
    return None


def _worse(evidence: Evidence, least: int, step_requests: int) -> _Finding | None:
    """Worse than stable and than acceptable, or above the ceiling, however few the requests."""
    indicator, ceiling = evidence.indicator, evidence.vs_max.log_worse
    fail_at = log(indicator.fail_threshold)
    worse = min(evidence.vs_stable.log_worse, evidence.vs_acceptable.log_worse)
    reached = _reached(worse, indicator.fail_threshold)
    if worse >= fail_at and evidence.worse_in_a_row >= indicator.confirmations:
        return _Finding(Value.FAIL, "WorseThanStable", reached)
    if ceiling >= fail_at:
        above = f"above {indicator.max_ratio:.3g}; {_reached(ceiling, indicator.fail_threshold)}"
        return _Finding(Value.FAIL, "AboveMaxRatio", above)
    if worse >= fail_at:
        count = f"{evidence.worse_in_a_row} of {indicator.confirmations} comparisons"
        return _Finding(Value.UNDECIDED, "AwaitingConfirmation", f"{reached} in {count}")
    return None


def _thin(evidence: Evidence, least: int, step_requests: int) -> _Finding | None:
    """Too few requests in this step to pass it."""
    if not step_requests:
        return _Finding(Value.UNDECIDED, "NoData", "no canary requests in this step")
    if step_requests < least:
        return _Finding(
            Value.UNDECIDED,
            "TooFewRequests",
            f"{step_requests} of {least} canary requests in this step",
        )
    return None


def _better(evidence: Evidence, least: int, step_requests: int) -> _Finding | None:
    """No worse than stable, or within what is acceptable, and below the ceiling."""
    indicator = evidence.indicator
    pass_at, best = log(indicator.pass_threshold), _best(evidence)
    if best < pass_at:
        return None
    if indicator.max_ratio is not None and evidence.vs_max.log_better < pass_at:
        return None
    within = evidence.vs_acceptable.log_better >= pass_at
    reason = "WithinAcceptable" if within else "NoWorseThanStable"
    return _Finding(Value.PASS, reason, _reached(best, indicator.pass_threshold))


def _open(evidence: Evidence) -> _Finding:
    """What is still missing."""
    if not evidence.stable_total and not evidence.indicator.alone:
        return _Finding(Value.UNDECIDED, "NoStableTraffic", "nothing to compare with")
    indicator, stable = evidence.indicator, evidence.vs_stable
    worse = min(evidence.vs_stable.log_worse, evidence.vs_acceptable.log_worse)
    better = max(_best(evidence), stable.log_better)
    return _Finding(
        Value.UNDECIDED,
        "NotEnoughEvidence",
        f"e={exp(worse):.3g} of {indicator.fail_threshold:.3g} to fail,"
        f" e={exp(better):.3g} of {indicator.pass_threshold:.3g} to pass",
    )


def _best(evidence: Evidence) -> float:
    """The stronger evidence for passing; against stable only once it is confirmed."""
    if evidence.better_in_a_row >= evidence.indicator.confirmations:
        return max(evidence.vs_acceptable.log_better, evidence.vs_stable.log_better)
    return evidence.vs_acceptable.log_better


def combine(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of all indicators: any fail fails, all must pass, else undecided."""
    if not verdicts:
        return Verdict(Value.UNDECIDED, "NoIndicators", "there is no indicator to judge by")
    # Of the undecided ones that without data speaks, since it must not be promoted.
    told = sorted(verdicts, key=lambda one: one.reason not in NO_EVIDENCE)
    for value in (Value.FAIL, Value.UNDECIDED):
        for one in told:
            if one.value is value:
                return Verdict(value, one.reason, f"{one.indicator}: {one.message}", one.indicator)
    message = "; ".join(f"{one.indicator}: {one.message}" for one in verdicts)
    return Verdict(Value.PASS, "AllIndicatorsPass", message, verdicts[0].indicator)


def _reached(log_e: float, threshold: float) -> str:
    return f"e={exp(log_e):.3g} >= {threshold:.3g}"


def _counts(evidence: Evidence) -> str:
    if evidence.indicator.paired:
        alone = f"bad on the canary alone {evidence.canary_bad}, on stable alone"
        return f"{alone} {evidence.stable_bad}, of {evidence.canary_total} pairs"
    if evidence.indicator.alone:
        return f"{evidence.canary_bad} of {evidence.canary_total} pairs differ"
    parts = [f"canary {evidence.canary_bad}/{evidence.canary_total} bad"]
    parts[0] += f", stable {evidence.stable_bad}/{evidence.stable_total}"
    if evidence.canary_total and evidence.stable_bad and evidence.stable_total:
        times = (evidence.canary_bad / evidence.canary_total) / (
            evidence.stable_bad / evidence.stable_total
        )
        parts.append(f"{times:.1f} times stable")
    return "; ".join(parts)
