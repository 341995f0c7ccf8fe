"""Indicators of pairs: requests of stable's that its meters copied to the canary.

A pair has an outcome on both sides, and stable's meters count those that differ: who alone failed,
who alone was slow, and whose predictions are another. So both sides of these indicators come from
stable's pods, and each pair is in both totals.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from evenkeel.api.analysis import IndicatorSpec
from evenkeel.verdict.indicators import Queries, Side, UnresolvedIndicator, le_pattern, pods
from evenkeel.verdict.meter_indicators import BOUNDS

SOURCE = "Pairs"
DISAGREEMENT = "disagreement"
_DISCORDANT = {"errors": "discordant_errors", "latency": "discordant_slow"}
_PREFIX = "paired-"
"""Of a name that another indicator of the analysis has without it."""


class PairQueries(NamedTuple):
    """Queries of pairs against the canary, and of those against stable; None of the latter where
    the two merely differ."""

    canary: Queries
    stable: Queries | None


def of_pairs(spec: IndicatorSpec) -> bool:
    """Whether it counts pairs."""
    return spec.source == SOURCE


def differs(spec: IndicatorSpec) -> bool:
    """Whether it counts pairs whose predictions differ, which says nothing of who is right."""
    return of_pairs(spec) and spec.name == DISAGREEMENT


def paired(spec: IndicatorSpec) -> bool:
    """Whether it counts pairs that speak against one side alone."""
    return of_pairs(spec) and spec.name != DISAGREEMENT


def pair_queries(
    spec: IndicatorSpec, canary: Side, stable: Side
) -> PairQueries | UnresolvedIndicator:
    """What is asked of the meters of stable's pods."""
    without = next((side for side in (stable, canary) if not side.meter), None)
    if without is not None:
        return UnresolvedIndicator(
            "RevisionWithoutMeter",
            f"indicator {spec.name!r} has source {SOURCE}, and revision {without.revision} has no "
            "meter to count pairs; wait until a revision with spec.monitoring serves",
        )
    of = f'namespace="{stable.namespace}",pod=~"{pods(stable.revision)}",shadow="{canary.revision}"'
    if spec.name == DISAGREEMENT:
        return PairQueries(_asked(spec, stable, "compared", "disagreed", of), None)
    more = ""
    if spec.threshold_seconds is not None:
        threshold = Decimal(spec.threshold_seconds)
        if threshold not in {Decimal(bound) for bound in BOUNDS}:
            return UnresolvedIndicator(
                "UnknownThreshold",
                f"thresholdSeconds {spec.threshold_seconds} of indicator {spec.name!r} is no bound "
                f"of the meter's; take one of {', '.join(BOUNDS)}",
            )
        more = f',le=~"{le_pattern(threshold)}"'
    counted = _DISCORDANT[spec.name.removeprefix(_PREFIX)]
    against, beside = (
        _asked(spec, stable, "pairs", counted, of, f'{more},worse="{worse}"')
        for worse in ("shadow", "own")
    )
    return PairQueries(against, beside)


def _asked(
    spec: IndicatorSpec, stable: Side, total: str, bad: str, of: str, more: str = ""
) -> Queries:
    return Queries(
        spec.name,
        total=f"sum by (pod) (evenkeel_model_shadow_{total}_total{{{of}}})",
        bad=f"sum by (pod) (evenkeel_model_shadow_{bad}_total{{{of}{more}}})",
        revision=stable.revision,
        beside=True,
    )
