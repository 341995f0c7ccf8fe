"""An incident that hits both sides alike speaks for neither, whatever is down meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.api.modeldeploymentstatus import IndicatorStatus
from evenkeel.verdict.samples import Look, Reading
from evenkeel.verdict.tally import Tally, definition
from evenkeel.verdict.verdict import Value, judge

SPEC = IndicatorSpec(name="errors", total="t", bad="b")
ANALYSIS = Analysis(indicators=(SPEC,))
PHASES = {"c": 3, "s1": 1, "s2": 6, "s3": 11}
"""Seconds after the full interval at which each pod is scraped."""
RATES = {"c": 10, "s1": 30, "s2": 30, "s3": 30}
PODS = frozenset(PHASES)
Fails = Callable[[str, int], bool]


def count(pod: str, time: int, incident: range) -> Reading:
    """One of a hundred is bad, in the incident one of three."""
    rate = RATES[pod]
    during = min(max(time - incident.start, 0), len(incident))
    bad = rate * ((time - during) / 100 + during / 3)
    return Reading(rate * time, int(bad), float(time), float(time), -100.0, good=False)


def rollout(
    incident: range,
    *,
    unscraped: Fails = lambda pod, time: False,
    unread: range = range(0),
    restart: bool = False,
    intervals: tuple[int, int] = (15, 15),
) -> tuple[set[Value], Tally]:
    """All verdicts on the canary in 400 s. unscraped: whether a scrape fails without a trace;
    unread: when no looks are taken; restart: whether they go on from the status then."""
    tally = Tally.resume(SPEC, ANALYSIS, None, 0.0)
    shown: dict[str, Reading] = {}
    verdicts = set()
    for now in range(400):
        for pod, phase in PHASES.items():
            interval = intervals[0] if pod == "c" else intervals[1]
            if now % interval == phase % interval and not unscraped(pod, now):
                shown[pod] = count(pod, now, incident)
            elif now % interval == phase % interval and pod != "c":
                shown.pop(pod, None)
        if now in unread:
            continue
        if restart and now == unread.stop:
            kept = IndicatorStatus(
                name="errors",
                definition=definition(SPEC),
                evidence=tally.to_status(),
                processes=tally.processes(),
            )
            again = IndicatorStatus.model_validate_json(kept.model_dump_json(by_alias=True))
            tally = Tally.resume(SPEC, ANALYSIS, again, 0.0)
        sides = [
            {f"pod={p}": r for p, r in shown.items() if (p == "c") is of_canary}
            for of_canary in (True, False)
        ]
        tally = tally.take(Look(sides[0], sides[1], float(now), PODS))
        seen = judge(tally.evidence, min_requests=50, step_requests=tally.evidence.canary_total)
        verdicts.add(seen.value)
    return verdicts, tally


def test_an_incident_while_the_operator_is_away() -> None:
    verdicts, tally = rollout(range(100, 160), unread=range(95, 185), restart=True)
    assert Value.FAIL not in verdicts
    assert tally.evidence.canary_total > 3500


@pytest.mark.parametrize("seconds", [44, 80])
def test_an_incident_in_which_stable_cannot_be_scraped(seconds: int) -> None:
    away = range(98, 98 + seconds)
    verdicts, tally = rollout(
        range(100, 100 + seconds), unscraped=lambda pod, now: pod != "c" and now in away
    )
    assert Value.FAIL not in verdicts
    assert tally.evidence.canary_total > 3500


def test_an_incident_while_prometheus_does_not_scrape() -> None:
    verdicts, tally = rollout(range(140, 200), unscraped=lambda pod, now: 95 < now < 215)
    assert Value.FAIL not in verdicts
    assert tally.evidence.canary_total > 3500


def test_an_incident_where_stable_is_scraped_less_often() -> None:
    for begin in range(30, 90, 7):
        verdicts, _ = rollout(range(begin, begin + 60), intervals=(5, 30))
        assert Value.FAIL not in verdicts


def test_an_idle_pod_of_which_times_are_not_told_does_not_hold_up_more_and_more() -> None:
    tally, ends = Tally.resume(SPEC, ANALYSIS, None, 0.0), {0.0}
    for now in range(0, 1200, 5):
        canary = Reading(now * 10, 0, good=False)
        stable = {"pod=s": Reading(now * 90, 0, good=False), "pod=idle": Reading(7, 0, good=False)}
        tally = tally.take(Look({"pod=c": canary}, stable, float(now)))
        ends.add(tally.end or 0.0)
    assert max(ends) > 900
