"""Looks become evidence: equal windows, late and missing samples, burn-in, edits, restarts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from evenkeel.api.analysis import Analysis, IndicatorSpec
from evenkeel.api.modeldeploymentstatus import IndicatorStatus, ProcessCount
from evenkeel.verdict.judgement import assess
from evenkeel.verdict.kept import PROCESSES, left_out_of, with_left_out
from evenkeel.verdict.samples import Look, Reading, Unobserved
from evenkeel.verdict.tally import Tally, definition
from hypothesis import given, settings
from hypothesis import strategies as st

Scrape = tuple[float, int, int]
"""Time, total and bad."""


def analysis(**indicator: Any) -> Analysis:
    spec = {"name": "errors", "total": "t", "bad": "b", **indicator}
    return Analysis.model_validate({"indicators": [spec]})


def tally(begins: float = 0.0, **indicator: Any) -> Tally:
    made = analysis(**indicator)
    return Tally.resume(made.indicators[0], made, None, begins)


def side(scrapes: Mapping[str, Scrape], started: Mapping[str, float]) -> dict[str, Reading]:
    return {
        f"pod={pod}": Reading(total, bad, time, time, started.get(pod), good=False)
        for pod, (time, total, bad) in scrapes.items()
    }


def look(
    now: float,
    canary: Mapping[str, Scrape],
    stable: Mapping[str, Scrape],
    pods: frozenset[str] | None = None,
    started: Mapping[str, float] | None = None,
) -> Look:
    return Look(side(canary, started or {}), side(stable, started or {}), now, pods)


def counts(of: Tally) -> tuple[int, int, int, int]:
    evidence = of.evidence
    return (
        evidence.canary_bad,
        evidence.canary_total,
        evidence.stable_bad,
        evidence.stable_total,
    )


def test_the_first_look_only_remembers() -> None:
    seen = tally().take(look(1, {"c": (0, 100, 5)}, {"s": (0, 900, 9)}))
    assert counts(seen) == (0, 0, 0, 0)


def test_a_block_waits_until_stable_has_been_scraped_after_the_canary() -> None:
    seen = tally().take(look(8, {"c": (7, 100, 0)}, {"s": (0, 900, 0)}))
    seen = seen.take(look(16, {"c": (7, 100, 0)}, {"s": (15, 990, 1)}))
    waiting = seen.take(look(23, {"c": (22, 110, 3)}, {"s": (15, 990, 1)}))
    assert counts(waiting) == (0, 0, 0, 0)
    closed = waiting.take(look(31, {"c": (22, 110, 3)}, {"s": (30, 1080, 2)}))
    assert counts(closed) == (3, 10, 1, 90), "stable's window from 0 to 15, the canary's 7 to 22"


def test_the_same_answer_again_changes_nothing() -> None:
    seen = tally().take(look(8, {"c": (7, 100, 0)}, {"s": (0, 900, 0)}))
    seen = seen.take(look(31, {"c": (22, 110, 3)}, {"s": (30, 1080, 2)}))
    for now in (32, 33, 34):
        again = seen.take(look(now, {"c": (22, 110, 3)}, {"s": (30, 1080, 2)}))
        assert counts(again) == counts(seen)
        older = seen.take(look(now, {"c": (7, 100, 0)}, {"s": (0, 900, 0)}))
        assert counts(older) == counts(seen)


def test_a_pod_whose_scrape_is_missed_is_awaited_and_shifts_nothing() -> None:
    seen = tally().take(look(1, {"a": (0, 0, 0), "b": (0, 0, 0)}, {"s": (0, 0, 0)}))
    seen = seen.take(look(16, {"a": (15, 10, 0), "b": (0, 0, 0)}, {"s": (15, 90, 0)}))
    assert seen.evidence.canary_total == 0
    seen = seen.take(look(31, {"a": (30, 20, 0), "b": (30, 20, 0)}, {"s": (30, 180, 0)}))
    assert counts(seen) == (0, 40, 0, 180)


@pytest.mark.parametrize("behind", [0, 1000])
def test_a_late_pod_of_stable_is_awaited_however_old_all_samples_are(behind: int) -> None:
    seen = tally().take(look(behind + 8, {"c": (7, 0, 0)}, {"s": (0, 0, 0), "t": (5, 0, 0)}))
    late = look(behind + 23, {"c": (22, 10, 3)}, {"s": (22, 90, 30), "t": (20, 90, 0)})
    assert counts(seen.take(late)) == (0, 0, 0, 0)
    later = look(behind + 36, {"c": (22, 10, 3)}, {"s": (22, 90, 30), "t": (35, 180, 45)})
    assert seen.take(late).take(later).evidence.canary_total == 10


@pytest.mark.parametrize("pods", [None, frozenset({"c", "d", "s", "t"})])
@pytest.mark.parametrize("missing", ["d", "t"])
def test_a_pod_that_fails_a_scrape_is_awaited(missing: str, pods: frozenset[str] | None) -> None:
    def at(time: int, *names: str) -> dict[str, Scrape]:
        return {n: (time, 10 * time, 0) for n in names if n != missing or time != 15}

    seen = tally()
    for time in (0, 15):
        seen = seen.take(look(time + 1, at(time, "c", "d"), at(time, "s", "t"), pods))
    assert seen.evidence.canary_total == 0
    seen = seen.take(look(31, at(30, "c", "d"), at(30, "s", "t"), pods))
    assert counts(seen) == (0, 600, 0, 600)


@pytest.mark.parametrize("missing", ["d", "t"])
def test_a_pod_that_was_silent_for_too_long_begins_anew(missing: str) -> None:
    def at(time: int, *names: str) -> dict[str, Scrape]:
        here = dict.fromkeys(names, (time, 10 * time, 0))
        return here if not 0 < time < 120 else {n: s for n, s in here.items() if n != missing}

    seen, pods = tally(), frozenset({"c", "d", "s", "t"})
    for time in range(0, 165, 15):
        seen = seen.take(look(time + 1, at(time, "c", "d"), at(time, "s", "t"), pods))
    one, other = 150 * 10, (150 - 120) * 10
    canary, stable = (one + other, 2 * one) if missing == "d" else (2 * one, one + other)
    assert counts(seen) == (0, canary, 0, stable)


def test_what_is_not_counted_is_told_after_a_restart_too() -> None:
    slow = {"name": "errors", "burnInRequests": 20}
    made, seen = analysis(**slow), tally(**slow)
    for time in range(0, 165, 15):
        readings = {"c": (time, 4 * time, 0), "d": (time, 4 * time, 0)}
        if 15 < time < 120:
            del readings["d"]
        seen = seen.take(look(time + 1, readings, {"s": (time, 1000 + 9 * time, 0)}))
    status = kept(seen, made)
    told = (
        "not counted: 120 first requests of new pods (burnInRequests), "
        "420 requests of pods that Prometheus did not scrape for long"
    )
    assert told in status.message
    again = Tally.resume(made.indicators[0], made, status, 0.0)
    assert again.uncounted == seen.uncounted


def test_a_pod_that_is_gone_is_not_awaited_and_what_it_counted_stays() -> None:
    seen = tally().take(look(1, {"a": (0, 0, 0), "b": (0, 0, 0)}, {"s": (0, 0, 0)}))
    seen = seen.take(look(10, {"a": (0, 0, 0), "b": (9, 7, 2)}, {"s": (0, 0, 0)}))
    seen = seen.take(look(16, {"a": (15, 10, 0)}, {"s": (15, 90, 0)}, frozenset({"a", "s"})))
    assert counts(seen)[:2] == (2, 17)


def test_a_silent_pod_is_left_out_once_patience_ends() -> None:
    seen = tally().take(look(1, {"a": (0, 0, 0), "b": (0, 0, 0)}, {"s": (0, 0, 0)}))
    for now in range(15, 90, 15):
        total = now
        seen = seen.take(look(now + 1, {"a": (now, total, 0)}, {"s": (now, 9 * total, 0)}))
    assert seen.evidence.canary_total > 0


@pytest.mark.parametrize("restarts", [False, True])
def test_a_pod_that_was_left_out_begins_anew_also_after_a_restart(restarts: bool) -> None:
    seen, bad = tally(), (0, 100)
    for now in range(0, 300, 15):
        gone = {} if 30 < now < 240 else {"a": (now, 1000 + now, bad[now > 200])}
        seen = seen.take(look(now + 1, {**gone, "b": (now, now, 0)}, {"s": (now, now, 0)}))
        if restarts and now == 150:
            known = analysis()
            seen = Tally.resume(known.indicators[0], known, kept(seen, known), 0.0)
    assert seen.evidence.canary_bad == 0
    assert seen.evidence.canary_total < 600


def test_no_more_processes_are_kept_than_there_is_room_for() -> None:
    known = tuple(ProcessCount(key=f"canary:{n}", millis=0, total=0, bad=0) for n in range(510))
    left = {f"canary:{name}": n for n, name in enumerate("xyz", 1)}
    found = with_left_out(known, left)
    assert len(found) == PROCESSES
    assert left_out_of(found) == {"canary:y": 2, "canary:z": 3}
    assert with_left_out(found, left) == found


def test_evidence_begins_at_the_first_sample_after_the_warm_up() -> None:
    seen = tally(begins=20.0)
    seen = seen.take(look(16, {"c": (15, 50, 50)}, {"s": (15, 900, 0)}))
    seen = seen.take(look(31, {"c": (30, 80, 70)}, {"s": (29, 990, 0)}))
    seen = seen.take(look(46, {"c": (45, 90, 70)}, {"s": (45, 1080, 0)}))
    assert counts(seen)[:2] == (0, 10)


def test_why_nothing_counts_is_told_where_prometheus_is_behind() -> None:
    seen = tally(begins=1000.0).take(look(1010, {"c": (700, 50, 0)}, {"s": (700, 900, 0)}))
    assert seen.evidence.canary_total == 0
    assert "the newest sample is 310 s old" in kept(seen, analysis()).message


def test_the_first_requests_of_a_pod_are_left_out_of_latency_on_both_sides() -> None:
    slow = {"name": "latency", "thresholdSeconds": "0.3"}
    seen = tally(**slow).take(look(1, {"c": (0, 0, 0)}, {"s": (0, 5000, 0), "n": (0, 0, 0)}))
    seen = seen.take(look(16, {"c": (15, 90, 90)}, {"s": (15, 5090, 0), "n": (15, 90, 80)}))
    seen = seen.take(look(31, {"c": (30, 150, 99)}, {"s": (30, 5180, 0), "n": (30, 180, 99)}))
    assert counts(seen) == (0, 0, 0, 0)
    seen = seen.take(look(46, {"c": (45, 200, 100)}, {"s": (45, 5270, 0), "n": (45, 270, 99)}))
    assert counts(seen)[:2] == (1, 50)
    assert seen.evidence.stable_bad == 0


def test_the_first_requests_count_for_errors() -> None:
    seen = tally().take(look(1, {"c": (0, 0, 0)}, {"s": (0, 0, 0)}))
    seen = seen.take(look(16, {"c": (15, 90, 90)}, {"s": (15, 90, 0)}))
    assert counts(seen) == (90, 90, 0, 90)


def test_a_pod_that_restarts_counts_again_from_zero() -> None:
    one, two = {"c": 0.0, "s": 0.0}, {"c": 20.0, "s": 0.0}
    seen = tally().take(look(1, {"c": (0, 0, 0)}, {"s": (0, 0, 0)}, started=one))
    seen = seen.take(look(16, {"c": (15, 100, 1)}, {"s": (15, 90, 0)}, started=one))
    seen = seen.take(look(31, {"c": (30, 8, 1)}, {"s": (30, 180, 0)}, started=two))
    assert counts(seen) == (2, 108, 0, 180)


def test_a_stable_pod_of_unknown_age_is_only_remembered() -> None:
    seen = tally().take(look(1, {"c": (0, 0, 0)}, {"s": (0, 0, 0)}))
    seen = seen.take(look(16, {"c": (15, 10, 0)}, {"s": (15, 90, 0), "t": (15, 9000, 80)}))
    seen = seen.take(look(31, {"c": (30, 20, 0)}, {"s": (30, 180, 0), "t": (30, 9001, 80)}))
    assert counts(seen) == (0, 20, 0, 181)


@pytest.mark.parametrize("quiet", ["stable", "canary"])
def test_idle_pods_do_not_hold_up_the_others(quiet: str) -> None:
    seen = tally()
    for now in range(0, 60, 15):
        busy, idle = (now, 10 * now, 0), (now, 0, 0)
        canary = {"a": busy, "b": idle if quiet == "canary" else busy}
        stable = {"s": busy, "t": idle if quiet == "stable" else busy}
        seen = seen.take(look(now + 1, canary, stable))
    assert seen.evidence.canary_total > 0
    assert seen.evidence.compared


def test_stables_requests_without_any_of_the_canary_are_no_evidence() -> None:
    seen = tally().take(look(1, {"c": (0, 0, 0)}, {"s": (0, 0, 0)}))
    for now in (15, 30, 45):
        seen = seen.take(look(now + 1, {"c": (now, 0, 0)}, {"s": (now, 100 * now, now)}))
    assert counts(seen) == (0, 0, 0, 0)


def test_without_times_each_look_is_a_sample() -> None:
    def at(now: float, canary: int, stable: int) -> Look:
        readings = (Reading(canary, 0, good=False), Reading(stable, 0, good=False))
        return Look({"pod=c": readings[0]}, {"pod=s": readings[1]}, now)

    seen = tally().take(at(1, 100, 900)).take(at(2, 110, 990)).take(at(3, 100, 900))
    assert counts(seen) == (0, 10, 0, 90)


def test_counts_that_vanish_make_the_look_void() -> None:
    seen = tally().take(look(1, {"c": (0, 10, 0)}, {"s": (0, 10, 0)}))
    gone = Look({"pod=c": Reading(50, None, 15, good=False)}, {}, 16)
    assert seen.take(gone).fault is not None
    assert seen.take(gone).fault.reason == "CountsVanished"  # type: ignore[union-attr]


def test_total_and_bad_of_different_scrapes_are_not_compared() -> None:
    apart = Look({"pod=c": Reading(50, 1, 15, 9)}, {}, 16)
    assert tally().take(apart).fault.reason == "ScrapedApart"  # type: ignore[union-attr]


def test_too_many_processes_are_told_and_none_is_dropped() -> None:
    crowd = {f"s{n}": (0.0, n, 0) for n in range(PROCESSES)}
    fault = tally().take(look(1, {"c": (0, 0, 0)}, crowd)).fault
    assert fault is not None
    assert fault.reason == "TooManyProcesses"


def test_canary_counters_that_vanish_are_no_data() -> None:
    seen = tally().take(look(1, {"c": (0, 10, 0)}, {"s": (0, 10, 0)}))
    assert seen.take(look(2, {}, {"s": (0, 10, 0)})).fault == Unobserved(
        "NoData", "the canary's counters have vanished"
    )


def kept(of: Tally, made: Analysis) -> IndicatorStatus:
    """The indicator's status as it comes back from the API server."""
    judgement = assess(_canary(), made, {"errors": of})
    assert judgement is not None
    return IndicatorStatus.model_validate_json(judgement.indicators[0].model_dump_json())


def _canary() -> Any:
    from evenkeel.api.modeldeploymentstatus import CanaryStatus

    now = "2026-01-31T09:00:00Z"
    return CanaryStatus(revision="b", stage="Stepping", start_time=now, stage_time=now)


def test_a_restart_of_the_operator_goes_on_where_it_was() -> None:
    made = analysis()
    through = tally()
    resumed = tally()
    for number, now in enumerate(range(0, 150, 15)):
        seen = look(now + 1, {"c": (now, 4 * now, now // 5)}, {"s": (now, 36 * now, now // 9)})
        through, resumed = through.take(seen), resumed.take(seen)
        if number % 3 == 2:
            resumed = Tally.resume(made.indicators[0], made, kept(resumed, made), 0.0)
    assert resumed.evidence == through.evidence


def test_an_edited_indicator_begins_anew_and_says_so() -> None:
    made, edited = analysis(), analysis(tolerance="0.5")
    seen = tally().take(look(1, {"c": (0, 0, 0)}, {"s": (0, 0, 0)}))
    seen = seen.take(look(16, {"c": (15, 90, 90)}, {"s": (15, 90, 0)}))
    status = kept(seen, made)
    anew = Tally.resume(edited.indicators[0], edited, status, 0.0)
    assert counts(anew) == (0, 0, 0, 0)
    judgement = assess(_canary(), edited, {"errors": anew})
    assert judgement is not None
    assert "edited" in judgement.indicators[0].message
    again = kept(anew, edited)
    assert Tally.resume(edited.indicators[0], edited, again, 0.0).anew


def test_the_definition_changes_with_the_queries_and_the_limits_alone() -> None:
    spec = IndicatorSpec(name="errors", total="t", bad="b")
    assert definition(spec) == definition(spec.model_copy())
    assert definition(spec) != definition(spec.model_copy(update={"bad": "c"}))
    assert definition(spec) != definition(spec.model_copy(update={"acceptable": "0.1"}))


@dataclass
class Truth:
    """A pod whose process restarts now and then: its counter, and all that it ever counted."""

    started: float
    total: int = 0
    ever: int = 0

    def live(self, now: float, random: Random, restarts: bool) -> None:
        requests = random.randrange(6)
        self.total += requests
        self.ever += requests
        if restarts and random.random() < 0.02:
            self.started, self.total = now, 0


@pytest.mark.parametrize("restarts", [False, True])
@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_whatever_comes_late_or_not_at_all_no_request_counts_twice(
    seed: int, restarts: bool
) -> None:
    """Two replicas of Prometheus scrape apart; one of them, by chance, answers, with a delay."""
    random, seen = Random(seed), tally()
    pods = {name: Truth(0.0) for name in ("c0", "c1", "s0", "s1", "s2")}
    phases = {(name, replica): random.randrange(15) for name in pods for replica in (0, 1)}
    answers: dict[tuple[str, int], list[tuple[float, int, float]]] = {k: [] for k in phases}
    for now in range(1, 400):
        for name, pod in pods.items():
            pod.live(float(now), random, restarts)
            for replica in (0, 1):
                if now % 15 == phases[name, replica] and random.random() > 0.1:
                    answers[name, replica].append((float(now), pod.total, pod.started))
        replica, delay = random.randrange(2), random.randrange(20)
        sides: tuple[dict[str, Reading], dict[str, Reading]] = ({}, {})
        for name in pods:
            known = [a for a in answers[name, replica] if a[0] <= now - delay]
            if known:
                time, total, _ = known[-1]
                side = sides[0 if name.startswith("c") else 1]
                started = pods[name].started
                side[f"pod={name}"] = Reading(total, 0, time, time, started, good=False)
        seen = seen.take(Look(*sides, float(now), frozenset(pods)))
    counted = seen.evidence
    assert counted.canary_total <= pods["c0"].ever + pods["c1"].ever
    assert counted.stable_total <= sum(pods[n].ever for n in ("s0", "s1", "s2"))
    if not restarts:
        assert counted.canary_total > 0.5 * (pods["c0"].ever + pods["c1"].ever)


def test_a_canary_that_is_looked_at_alone_before_it_has_counted_is_judged() -> None:
    """As at a take-over right after its pods came up: nobody is left with samples for a moment."""
    made = tally(maxRatio="0.2")
    for second in range(3):
        made = made.take(look(second, {}, {"s": (second, 100 * second, 0)}))
    made = made.since(0.0, alone=True).take(look(3, {}, {"s": (3, 300, 0)}))
    for second in range(4, 8):
        seen = look(second, {"c": (second, 20 * second, 20 * second)}, {"s": (second, 300, 0)})
        made = made.take(seen)
    assert counts(made) == (60, 60, 0, 0)
