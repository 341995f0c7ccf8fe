"""Looks at stable's meters become evidence on pairs."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.api.modeldeploymentstatus import IndicatorStatus
from evenkeel.verdict.indicators import Side, UnresolvedIndicator
from evenkeel.verdict.judgement import verdict_of
from evenkeel.verdict.pair_indicators import PairQueries, pair_queries
from evenkeel.verdict.sample_times import well_formed
from evenkeel.verdict.samples import Look, Reading
from evenkeel.verdict.tally import Tally, definition
from hypothesis import given, settings
from hypothesis import strategies as st

STABLE = Side("shop", "fraud", "fraud-0123456789", meter=True)
CANARY = Side("shop", "fraud", "fraud-abcdefghij", meter=True)


def analysis(**indicator: Any) -> Analysis:
    spec = {"name": "errors", "source": "Pairs", **indicator}
    return Analysis.model_validate({"indicators": [spec]})


def tally(begins: float = 0.0, **indicator: Any) -> Tally:
    made = analysis(**indicator)
    return Tally.resume(made.indicators[0], made, None, begins)


def look(now: float, counts: dict[str, tuple[float, int, int, int]]) -> Look:
    """By pod the time of its sample, pairs, those against the canary and those against stable."""

    def side(index: int) -> dict[str, Reading]:
        return {
            f"pod={pod}": Reading(one[1], int(one[index]), one[0], one[0], good=False)
            for pod, one in counts.items()
        }

    return Look(side(2), side(3), now)


def counted(of: Tally) -> tuple[int, int, int, int]:
    found = of.evidence
    assert found.canary_total == found.stable_total
    return found.canary_total, found.canary_bad, found.stable_bad, found.pending_canary_total


def test_pods_that_are_scraped_at_different_times_are_counted_without_waiting() -> None:
    seen = tally().take(look(10, {"a": (1, 100, 3, 2), "b": (7, 50, 0, 0)}))
    assert counted(seen) == (0, 0, 0, 0)
    seen = seen.take(look(17, {"a": (16, 140, 7, 3), "b": (7, 50, 0, 0)}))
    assert counted(seen) == (40, 4, 1, 0)
    seen = seen.take(look(23, {"a": (16, 140, 7, 3), "b": (22, 90, 1, 1)}))
    assert counted(seen) == (80, 5, 2, 0)
    assert counted(seen.take(look(24, {"a": (16, 140, 7, 3), "b": (22, 90, 1, 1)}))) == counted(
        seen
    ), "the same answer again changes nothing"


def test_a_pod_that_is_silent_for_long_loses_nothing_of_the_others() -> None:
    seen = tally().take(look(1, {"a": (1, 100, 0, 0), "b": (1, 100, 0, 0)}))
    for time in range(16, 300, 15):
        seen = seen.take(look(time, {"a": (time, 100 + time, 0, 0)}))
    assert counted(seen) == (286, 0, 0, 0)
    seen = seen.take(look(301, {"a": (301, 401, 0, 0), "b": (301, 900, 5, 5)}))
    seen = seen.take(look(316, {"a": (316, 402, 0, 0), "b": (316, 910, 6, 5)}))
    total, against, beside, _ = counted(seen)
    assert (against, beside) == (1, 0), "what it counted while it was unseen is no evidence"
    assert total == 302 + 10


def test_a_share_that_changes_sets_nothing_aside() -> None:
    seen = tally().take(look(1, {"a": (1, 100, 0, 0)}))
    seen = seen.divided(0.0, 1, 0).divided(0.5, 8, 1)
    assert counted(seen.take(look(16, {"a": (16, 200, 2, 2)}))) == (100, 2, 2, 0)


def test_first_pairs_of_each_pod_are_left_out_of_latency() -> None:
    slow = tally(name="latency", thresholdSeconds="0.1", burnInRequests=50)
    seen = slow.take(look(1, {"a": (1, 20, 20, 0)})).take(look(16, {"a": (16, 60, 30, 0)}))
    assert counted(seen) == (0, 0, 0, 0)
    assert counted(seen.take(look(31, {"a": (31, 100, 31, 2)}))) == (40, 1, 2, 0)


def test_predictions_that_differ_are_judged_by_max_ratio_alone() -> None:
    made = analysis(name="disagreement", maxRatio="0.02")
    few = Tally.resume(made.indicators[0], made, None, 0.0)

    def at(time: float, compared: int, differ: int) -> Look:
        return Look({"pod=a": Reading(compared, differ, time, time, good=False)}, {}, time)

    def says(of: Tally) -> tuple[str, str]:
        found = verdict_of(of, IndicatorStatus(name="disagreement"), 50)
        return found.reason, found.message

    few = few.take(at(1, 0, 0)).take(at(16, 200, 2))
    assert says(few)[0] == "NotEnoughEvidence"
    assert says(few)[1].startswith("2 of 200 pairs differ; e=")
    assert says(few.take(at(31, 3000, 20)))[0] == "WithinAcceptable"
    assert says(few.take(at(31, 3000, 300)))[0] == "AboveMaxRatio"


counts = st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 50))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), counts), min_size=1, max_size=25), st.data())
def test_each_pair_counts_once_whatever_the_order_and_restarts(
    steps: list[tuple[str, tuple[int, int, int]]], data: st.DataObject
) -> None:
    """Of the operator, too: what is kept of a tally goes on as it would have."""
    made = analysis()
    now = dict.fromkeys("abc", (0.0, 0, 0, 0))
    seen = Tally.resume(made.indicators[0], made, None, 0.0).take(look(0, now))
    for time, (pod, (against, beside, agreed)) in enumerate(steps, start=1):
        _, total, c, b = now[pod]
        now[pod] = (float(time), total + against + beside + agreed, c + against, b + beside)
        seen = seen.take(look(time, now))
        if data.draw(st.booleans()):
            kept = IndicatorStatus(
                name="errors",
                definition=definition(seen.spec),
                evidence=seen.to_status(),
                processes=seen.processes(),
            )
            seen = Tally.resume(made.indicators[0], made, kept, 0.0)
    sums = tuple(sum(one[index] for one in now.values()) for index in (1, 2, 3))
    assert counted(seen) == (*sums, 0)


def test_pairs_are_asked_of_stables_pods() -> None:
    spec = IndicatorSpec(name="paired-latency", source="Pairs", threshold_seconds="1")
    found = pair_queries(spec, CANARY, STABLE)
    assert isinstance(found, PairQueries)
    assert found.stable is not None
    of = (
        'namespace="shop",pod=~"fraud-0123456789-[a-z0-9]{1,10}-[a-z0-9]{5}",'
        'shadow="fraud-abcdefghij"'
    )
    assert found.canary.total == found.stable.total
    assert found.canary.total == f"sum by (pod) (evenkeel_model_shadow_pairs_total{{{of}}})"
    slow = f'sum by (pod) (evenkeel_model_shadow_discordant_slow_total{{{of},le=~"1|1[.]0|1e[+]00"'
    assert found.canary.bad == f'{slow},worse="shadow"}})'
    assert found.stable.bad == f'{slow},worse="own"}})'
    assert all(map(well_formed, (found.canary.total, found.canary.bad)))


@pytest.mark.parametrize(
    ("name", "extra", "bad"),
    [
        ("errors", {}, "evenkeel_model_shadow_discordant_errors_total"),
        ("paired-errors", {}, "evenkeel_model_shadow_discordant_errors_total"),
        ("disagreement", {"max_ratio": "0.1"}, "evenkeel_model_shadow_disagreed_total"),
    ],
)
def test_each_name_has_its_counter(name: str, extra: dict[str, str], bad: str) -> None:
    found = pair_queries(IndicatorSpec(name=name, source="Pairs", **extra), CANARY, STABLE)
    assert isinstance(found, PairQueries)
    assert bad in (found.canary.bad or "")
    assert (found.stable is None) == (name == "disagreement")


def test_pairs_need_a_meter_on_both_sides_and_a_bound_that_it_has() -> None:
    errors = IndicatorSpec(name="errors", source="Pairs")
    for sides in ((CANARY, STABLE._replace(meter=False)), (CANARY._replace(meter=False), STABLE)):
        found = pair_queries(errors, *sides)
        assert isinstance(found, UnresolvedIndicator)
        assert found.reason == "RevisionWithoutMeter"
    slow = IndicatorSpec(name="latency", source="Pairs", threshold_seconds="0.2")
    found = pair_queries(slow, CANARY, STABLE)
    assert isinstance(found, UnresolvedIndicator)
    assert found.reason == "UnknownThreshold"
    assert "0.1, 0.25" in found.message
