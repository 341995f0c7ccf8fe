"""The verdict on a canary: pass, fail or undecided, with the reason and the counts.

fail: the canary is worse than stable by more than the tolerance, and worse than the acceptable
ratio; or it is above max_ratio. pass: it is shown to be better than one of the two limits, and
below max_ratio. Anything else, no data above all, is undecided. docs/verdict.md has the proofs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log

from evenkeel.verdict.evidence import Block, Evidence, EvidenceError, Indicator

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
        "PrometheusUnavailable",
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
    indicator = evidence.indicator

    def verdict(value: Value, reason: str, finding: str) -> Verdict:
        counts = _counts(evidence)
        return Verdict(value, reason, f"{counts}; {finding}" if finding else counts, indicator.name)

    if not evidence.canary_total:
        return verdict(Value.UNDECIDED, "NoData", "the canary has had no requests")
    if evidence.canary_bad > evidence.canary_total or evidence.stable_bad > evidence.stable_total:
        return verdict(
            Value.UNDECIDED,
            "InconsistentCounts",
            "more bad events than events: check that both queries select the same requests",
        )
    stable, acceptable, ceiling = evidence.vs_stable, evidence.vs_acceptable, evidence.vs_max

    fail_at = log(indicator.fail_threshold)
    worse = min(stable.log_worse, acceptable.log_worse)
    confirmed = evidence.worse_in_a_row >= indicator.confirmations
    if worse >= fail_at and confirmed:
        return verdict(Value.FAIL, "WorseThanStable", _reached(worse, indicator.fail_threshold))
    if ceiling.log_worse >= fail_at:
        return verdict(
            Value.FAIL,
            "AboveMaxRatio",
            f"above {indicator.max_ratio:.3g}; "
            + _reached(ceiling.log_worse, indicator.fail_threshold),
        )
    if worse >= fail_at:
        return verdict(
            Value.UNDECIDED,
            "AwaitingConfirmation",
            f"{_reached(worse, indicator.fail_threshold)} in {evidence.worse_in_a_row} of"
            f" {indicator.confirmations} comparisons",
        )
    if not step_requests:
        return verdict(Value.UNDECIDED, "NoData", "no canary requests in this step")
    if step_requests < min_requests:
        return verdict(
            Value.UNDECIDED,
            "TooFewRequests",
            f"{step_requests} of {min_requests} canary requests in this step",
        )
    pass_at = log(indicator.pass_threshold)
    best = acceptable.log_better
    if evidence.better_in_a_row >= indicator.confirmations:
        best = max(best, stable.log_better)
    if best >= pass_at and (indicator.max_ratio is None or ceiling.log_better >= pass_at):
        reason = "WithinAcceptable" if acceptable.log_better >= pass_at else "NoWorseThanStable"
        return verdict(Value.PASS, reason, _reached(best, indicator.pass_threshold))
    if not evidence.stable_total:
        return verdict(Value.UNDECIDED, "NoStableTraffic", "nothing to compare with")
    return verdict(
        Value.UNDECIDED,
        "NotEnoughEvidence",
        f"e={exp(worse):.3g} of {indicator.fail_threshold:.3g} to fail,"
        f" e={exp(max(best, stable.log_better)):.3g} of {indicator.pass_threshold:.3g} to pass",
    )


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
    parts = [f"canary {evidence.canary_bad}/{evidence.canary_total} bad"]
    parts[0] += f", stable {evidence.stable_bad}/{evidence.stable_total}"
    if evidence.canary_total and evidence.stable_bad and evidence.stable_total:
        times = (evidence.canary_bad / evidence.canary_total) / (
            evidence.stable_bad / evidence.stable_total
        )
        parts.append(f"{times:.1f} times stable")
    return "; ".join(parts)
