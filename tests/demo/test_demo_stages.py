"""A stage counts as observed by what the world shows, and by nothing less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from demo import observations
from demo.stages import stages
from demo.world import Count, Figures, Snapshot

JSON = dict[str, Any]
ONE, TWO, THREE = "elec2-01", "elec2-02", "elec2-03"
STEPS = [{"weight": w} for w in (20, 50, 80)]


def run(name: str, version: str = "", cause: JSON | None = None, ready: str = "True") -> JSON:
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"cause": cause or {"type": "Manual"}},
        "status": {
            "modelVersion": version or None,
            "conditions": [
                {"type": "Ready", "status": ready, "reason": "Reason", "message": "words"}
            ],
        },
    }


def version(passed: bool = True, approved: str = "True") -> JSON:
    return {
        "status": {
            "gates": [{"name": "accurate", "passed": passed, "message": "accuracy 0.7 >= 0.5"}],
            "conditions": [
                {"type": "Approved", "status": approved, "reason": "R", "message": "m"},
                {"type": "Validated", "status": str(passed), "reason": "R", "message": "m"},
            ],
        }
    }


def deployment(
    stable: tuple[str, str],
    canary: tuple[str, str] | None = None,
    *outcomes: tuple[str, str, str],
    stage: str = "Stepping",
    drifted: tuple[str, str] = ("False", "NoDrift"),
) -> JSON:
    def named(pair: tuple[str, str], **more: Any) -> JSON:
        return {"revision": pair[0], "version": pair[1], **more}

    return {
        "spec": {"rollout": {"steps": STEPS, "probation": {"seconds": 30}}},
        "status": {
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "R", "message": "m"},
                {"type": "Drifted", "status": drifted[0], "reason": drifted[1], "message": "m"},
            ],
            "monitoring": MONITORING,
            "stable": named(stable, readyReplicas=1),
            "canary": named(canary, stage=stage) if canary else None,
            "history": [
                {"revision": r, "version": v, "outcome": o, "reason": "Why", "message": "counts"}
                for r, v, o in outcomes
            ],
        },
    }


MONITORING = {
    "blocks": 4,
    "void": 1,
    "groups": [
        {
            "name": "Data",
            "statistic": "3e+08",
            "threshold": "9e+07",
            "features": [
                {
                    "name": "vicprice",
                    "distance": "0.81",
                    "bins": [
                        {"range": "to 1", "before": "0", "now": "0"},
                        {"range": "1 to 2", "before": "1", "now": "0.19"},
                        {"range": "above 2", "before": "0", "now": "0.81"},
                    ],
                }
            ],
        }
    ],
}
DRIFT = {"type": "Drift", "trigger": "drifted", "champion": {"evidence": "Data since noon"}}
ALERT = {"type": "Alert", "trigger": "errors", "alertCount": 1}

RUNS = {
    "first": run("first", "v1"),
    "again": run("again", "v2", DRIFT),
    "bad": run("bad", "v3"),
}
VERSIONS = {name: version() for name in ("v1", "v2", "v3")}


def at(
    time: float,
    *,
    served: Mapping[str, Count] | None = None,
    route: Mapping[str, int] | None = None,
    md: JSON | None = None,
    **more: Any,
) -> Snapshot:
    return Snapshot(
        time=time,
        figures=Figures(served=served or {}, **more),
        route=route if route is not None else {ONE: 100},
        deployment=md or deployment((ONE, "v1")),
        runs=RUNS,
        versions=VERSIONS,
    )


def test_training_needs_gates_that_passed_and_approval() -> None:
    now = at(0)
    assert observations.trained([now]) == "v1: accuracy 0.7 >= 0.5"
    assert (
        observations.trained([replace(now, versions={"v1": version(approved="Unknown")})]) is None
    )
    assert observations.trained([replace(now, versions={"v1": version(passed=False)})]) is None
    assert observations.trained([replace(now, runs={})]) is None


def test_serving_needs_the_whole_weight_on_the_version() -> None:
    assert observations.serving([at(0)])
    assert observations.serving([at(0, route={})]) is None
    assert observations.serving([at(0, route={ONE: 80, TWO: 20})]) is None
    assert observations.serving([at(0, md=deployment((ONE, "other")))]) is None


@pytest.mark.parametrize(
    ("requests", "failed", "labelled", "wrong", "observed"),
    [
        (150, 0, 200, 40, True),
        (150, 1, 200, 40, False),
        (50, 0, 200, 40, False),
        (150, 0, 100, 20, False),
        (150, 0, 200, 80, False),
    ],
    ids=["all well", "a failure", "too few requests", "too few labels", "too many wrong"],
)
def test_traffic_needs_answers_and_labels(
    requests: int, failed: int, labelled: int, wrong: int, observed: bool
) -> None:
    history = [
        at(0, clients=Count(1000, 0)),
        at(5, clients=Count(1000 + requests, failed), labelled=Count(labelled, wrong)),
    ]
    assert (observations.traffic(history) is not None) is observed


def _drifts() -> list[Snapshot]:
    found = deployment((ONE, "v1"), drifted=("True", "Data"))
    return [at(0), at(30, md=found, record=17424)]


def test_drift_needs_the_detectors_word_and_quiet_blocks_before() -> None:
    quiet, found = _drifts()
    assert observations.drift([quiet]) is None
    assert observations.drift([found]) is None, "never seen quiet"
    assert observations.drift([found, at(60)]) is None, "quiet afterwards"
    assert observations.drift([quiet, found]) == (
        "5 May 1997: vicprice: 1 to 2 100 % -> 19 %, above 2 0 % -> 81 %; evidence 3e+08, "
        "9e+07 is drift, after 3 blocks; quiet before"
    )
    other = deployment((ONE, "v1"), drifted=("True", "Prediction"))
    assert observations.drift([quiet, at(30, md=other, record=17424)]) is None


def test_a_drift_of_what_did_not_change_counts_for_nothing() -> None:
    quiet, found = _drifts()
    assert found.deployment is not None
    found.group("Data")["features"][0]["name"] = "nswprice"
    try:
        assert observations.drift([quiet, found]) is None
    finally:
        found.group("Data")["features"][0]["name"] = "vicprice"


def test_a_pending_alert_is_not_enough() -> None:
    pending, firing = at(10, alert="pending", error=0.4), at(13, alert="firing", error=0.5)
    assert observations.alert([at(9), pending]) is None
    evidence = observations.alert([at(9), replace(pending), replace(firing)])
    assert evidence is not None
    assert evidence.endswith("50 % wrong; the alert fires after 3 s pending")


def test_only_a_run_that_a_trigger_caused_counts_as_retraining() -> None:
    quiet, found = (replace(s, runs={"first": RUNS["first"]}) for s in _drifts())
    assert observations.retraining([quiet, found]) is None
    assert observations.retraining([quiet, found, at(32)]) == (
        "TrainingRun again, 2 s after the drift, trigger drifted: Data since noon"
    )


def test_a_retraining_may_be_an_alerts() -> None:
    fired = replace(at(10, alert="firing"), runs={})
    again = replace(at(12), runs={"again": run("again", "v2", ALERT)})
    assert observations.retraining([fired, again]) == (
        "TrainingRun again, 2 s after the alert, trigger errors: 1 alert"
    )


def _canary(shares: Mapping[int, float]) -> list[Snapshot]:
    """One step after the other, each with 100 requests of which that share meets the canary."""
    history, time, one, two = [at(0, served={ONE: Count(500, 0)})], 0.0, 500, 0
    for weight, share in shares.items():
        for _ in range(3):
            time += 1
            served = {ONE: Count(one, 0), TWO: Count(two, 0)}
            md = deployment((ONE, "v1"), (TWO, "v2"))
            history.append(at(time, served=served, route={ONE: 100 - weight, TWO: weight}, md=md))
            one, two = one + round(100 * (1 - share)), two + round(100 * share)
    return history


def test_a_canary_needs_every_weight_and_the_traffic_to_match() -> None:
    assert observations.canary(_canary({20: 0.2, 50: 0.5, 80: 0.8})) == (
        "weight -> measured: 20 % -> 20 % of 100, 50 % -> 50 % of 100, 80 % -> 80 % of 100 requests"
    )
    assert observations.canary(_canary({20: 0.2, 50: 0.5})) is None
    assert observations.canary(_canary({20: 0.2, 50: 0.0, 80: 0.8})) is None


def test_probation_needs_the_whole_route_and_the_former_pods() -> None:
    md = deployment((ONE, "v1"), (TWO, "v2"), stage="Probation")
    assert observations.probation([at(0, md=md, route={TWO: 100})]) == (
        "elec2-02 has 100 % of the route; 1 pod of elec2-01 stays for 30 s"
    )
    assert observations.probation([at(0, md=md, route={ONE: 20, TWO: 80})]) is None
    stepping = deployment((ONE, "v1"), (TWO, "v2"))
    assert observations.probation([at(0, md=stepping, route={TWO: 100})]) is None
    md["status"]["stable"]["readyReplicas"] = 0
    assert observations.probation([at(0, md=md, route={TWO: 100})]) is None


def test_promotion_needs_the_outcome_and_the_whole_route() -> None:
    md = deployment((TWO, "v2"), None, (TWO, "v2", "Promoted"))
    assert observations.promoted([at(0, md=md, route={TWO: 100})]) == "v2: Why: counts"
    assert observations.promoted([at(0, md=md, route={ONE: 20, TWO: 80})]) is None
    assert observations.promoted([at(0, md=deployment((TWO, "v2")), route={TWO: 100})]) is None


@pytest.mark.parametrize(
    ("wrong", "baseline", "observed"), [(60, 200, True), (190, 200, False), (260, 590, False)]
)
def test_recovery_is_judged_on_the_same_requests(wrong: int, baseline: int, observed: bool) -> None:
    md = deployment((TWO, "v2"), None, (TWO, "v2", "Promoted"))
    watched = deployment((ONE, "v1"), (TWO, "v2"), stage="Probation")
    both, one = Count(1000, 300), {TWO: 100}
    history = [
        at(0, error=0.6),
        at(1, md=watched, route=one),
        at(14, md=watched, route=one, labelled=both, baseline=both),
        at(
            34,
            md=md,
            route=one,
            labelled=Count(1600, 300 + wrong),
            baseline=Count(1600, 300 + baseline),
        ),
    ]
    assert (observations.recovered(history) is not None) is observed
    assert observations.recovered(history[:3]) is None


def _rollback() -> list[Snapshot]:
    trial = deployment((TWO, "v2"), (THREE, "v3"), (TWO, "v2", "Promoted"))
    over = deployment((TWO, "v2"), None, (THREE, "v3", "RolledBack"), (TWO, "v2", "Promoted"))
    both, one = {TWO: 80, THREE: 20}, {TWO: 100}
    return [
        at(0, md=trial, route=both, served={TWO: Count(90, 0)}, clients=Count(1000, 0)),
        at(1, md=trial, route=both, served={TWO: Count(99, 0), THREE: Count(3, 3)}),
        at(3, md=over, route=one, served={TWO: Count(150, 0)}, clients=Count(1070, 7)),
        at(8, md=over, route=one, served={TWO: Count(300, 0)}, clients=Count(1220, 8)),
        at(20, md=over, route=one, served={TWO: Count(660, 0)}, clients=Count(1580, 8)),
    ]


def test_failing_and_rolling_back_a_bad_version() -> None:
    history = _rollback()
    assert observations.bad_fails(history[:1]) is None
    assert (
        observations.bad_fails(history) == "3 of 3 requests to elec2-03 failed, 0 of 99 elsewhere"
    )
    assert observations.rolled_back(history[:2]) is None
    assert observations.rolled_back(history[:3]) == (
        "traffic back 2 s after the first failed request; Why: counts"
    )


def test_serving_on_needs_ten_quiet_seconds() -> None:
    history = _rollback()
    assert observations.served_on(history[:4]) is None
    evidence = observations.served_on(history)
    assert evidence is not None
    assert evidence.startswith("360 requests since, none failed, v3 not tried again")
    worse = replace(history[4], figures=replace(history[4].figures, clients=Count(1580, 9)))
    assert observations.served_on([*history[:4], worse]) is None
    again = replace(history[4], deployment=deployment((TWO, "v2"), (THREE, "v3")))
    assert observations.served_on([*history[:4], again]) is None
    over = ((TWO, "v2"), None, (THREE, "v3", "RolledBack"))
    drifted = replace(history[4], deployment=deployment(*over, drifted=("True", "Data")))
    assert observations.served_on([*history[:4], drifted]) is None


def test_a_training_that_failed_for_good_ends_the_wait() -> None:
    assert observations.trouble([at(0)]) is None
    failed = replace(at(0), runs={"first": run("first", ready="False")})
    assert observations.trouble([failed]) == "TrainingRun first: Reason: words"
    refused = replace(at(0), versions={"v1": version(passed=False)})
    assert observations.trouble([refused]) == "ModelVersion v1: R: m"


def test_an_alarm_is_false_until_the_market_has_changed() -> None:
    alarm = _drifts()[-1]
    assert observations.trouble([alarm]) is None
    early = replace(alarm, figures=replace(alarm.figures, record=17423))
    assert observations.trouble([early]) == "a false alarm before the market changed: m"


def test_every_stage_of_the_scenario_sees_nothing_in_an_empty_world() -> None:
    for stage in stages("alert")[2:]:
        assert stage.observe is not None
        assert stage.observe([Snapshot(0.0)]) is None


def test_an_alert_is_a_stage_only_where_it_begins_the_training() -> None:
    by_drift, by_alert = stages("drift"), stages("alert")
    assert {s.key for s in by_alert} - {s.key for s in by_drift} == {"alert"}
    begun = [m for s in by_drift for m in s.begin], [m for s in by_alert for m in s.begin]
    assert ["schedule.yaml" in b for b in begun] == [True, False]
    assert ["schedule-alert.yaml" in b for b in begun] == [False, True]
