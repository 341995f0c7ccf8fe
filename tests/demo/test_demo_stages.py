"""A stage counts as observed by what the world shows, and by nothing less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from demo import stages
from demo.world import Count, Figures, Snapshot

JSON = dict[str, Any]
ONE, TWO, THREE = "elec2-01", "elec2-02", "elec2-03"
STEPS = [{"weight": w} for w in (20, 50, 80)]


def run(name: str, version: str = "", cause: str = "Manual", ready: str = "True") -> JSON:
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"cause": {"type": cause, "trigger": "errors", "alertCount": 1}},
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
    stable: tuple[str, str], canary: tuple[str, str] | None = None, *outcomes: tuple[str, str, str]
) -> JSON:
    def named(pair: tuple[str, str]) -> JSON:
        return {"revision": pair[0], "version": pair[1]}

    return {
        "spec": {"rollout": {"steps": STEPS}},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "reason": "R", "message": "m"}],
            "stable": named(stable),
            "canary": named(canary) if canary else None,
            "history": [
                {"revision": r, "version": v, "outcome": o, "reason": "Why", "message": "counts"}
                for r, v, o in outcomes
            ],
        },
    }


RUNS = {
    "first": run("first", "v1"),
    "again": run("again", "v2", "Alert"),
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
    assert stages.trained([now]) == "v1: accuracy 0.7 >= 0.5"
    assert stages.trained([replace(now, versions={"v1": version(approved="Unknown")})]) is None
    assert stages.trained([replace(now, versions={"v1": version(passed=False)})]) is None
    assert stages.trained([replace(now, runs={})]) is None


def test_serving_needs_the_whole_weight_on_the_version() -> None:
    assert stages.serving([at(0)])
    assert stages.serving([at(0, route={})]) is None
    assert stages.serving([at(0, route={ONE: 80, TWO: 20})]) is None
    assert stages.serving([at(0, md=deployment((ONE, "other")))]) is None


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
    assert (stages.traffic(history) is not None) is observed


def test_drift_looks_at_the_features_that_are_quiet_in_quiet_times() -> None:
    assert stages.drift([at(0, psi={"nswprice": 3.0, "vicprice": 0.1}, record=17424)]) is None
    evidence = stages.drift([at(0, psi={"vicprice": 15.0}, record=17424)])
    assert evidence == "5 May 1997: PSI of vicprice is 15.0 (above 0.2 is a shift)"


def test_a_pending_alert_is_not_enough() -> None:
    pending, firing = at(10, alert="pending", error=0.4), at(13, alert="firing", error=0.5)
    assert stages.alert([at(9), pending]) is None
    evidence = stages.alert([at(9), replace(pending), replace(firing)])
    assert evidence is not None
    assert evidence.endswith("50 % wrong; the alert fires after 3 s pending")


def test_only_a_run_that_an_alert_caused_counts_as_retraining() -> None:
    quiet = replace(at(0), runs={"first": RUNS["first"]})
    fired = replace(at(10, alert="firing"), runs=quiet.runs)
    assert stages.retraining([quiet, fired]) is None
    evidence = stages.retraining([quiet, fired, at(12, alert="firing")])
    assert evidence == "TrainingRun again, 2 s after the alert (1 alert, trigger errors)"


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
    assert stages.canary(_canary({20: 0.2, 50: 0.5, 80: 0.8})) == (
        "weight -> measured: 20 % -> 20 % of 100, 50 % -> 50 % of 100, 80 % -> 80 % of 100 requests"
    )
    assert stages.canary(_canary({20: 0.2, 50: 0.5})) is None
    assert stages.canary(_canary({20: 0.2, 50: 0.0, 80: 0.8})) is None


def test_promotion_needs_the_outcome_and_the_whole_route() -> None:
    md = deployment((TWO, "v2"), None, (TWO, "v2", "Promoted"))
    assert stages.promoted([at(0, md=md, route={TWO: 100})]) == "v2: counts"
    assert stages.promoted([at(0, md=md, route={ONE: 20, TWO: 80})]) is None
    assert stages.promoted([at(0, md=deployment((TWO, "v2")), route={TWO: 100})]) is None


@pytest.mark.parametrize(
    ("wrong", "baseline", "observed"), [(60, 200, True), (190, 200, False), (260, 590, False)]
)
def test_recovery_is_judged_on_the_same_requests(wrong: int, baseline: int, observed: bool) -> None:
    md = deployment((TWO, "v2"), None, (TWO, "v2", "Promoted"))
    history = [
        at(0, error=0.6),
        at(1, md=md),
        at(14, md=md, labelled=Count(1000, 300), baseline=Count(1000, 300)),
        at(34, md=md, labelled=Count(1600, 300 + wrong), baseline=Count(1600, 300 + baseline)),
    ]
    assert (stages.recovered(history) is not None) is observed
    assert stages.recovered(history[:3]) is None


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
    assert stages.bad_fails(history[:1]) is None
    assert stages.bad_fails(history) == "3 of 3 requests to elec2-03 failed, 0 of 99 elsewhere"
    assert stages.rolled_back(history[:2]) is None
    assert stages.rolled_back(history[:3]) == (
        "traffic back 2 s after the first failed request; Why: counts"
    )


def test_serving_on_needs_ten_quiet_seconds() -> None:
    history = _rollback()
    assert stages.served_on(history[:4]) is None
    evidence = stages.served_on(history)
    assert evidence is not None
    assert evidence.startswith("360 requests since, none failed, v3 not tried again")
    worse = replace(history[4], figures=replace(history[4].figures, clients=Count(1580, 9)))
    assert stages.served_on([*history[:4], worse]) is None
    again = replace(history[4], deployment=deployment((TWO, "v2"), (THREE, "v3")))
    assert stages.served_on([*history[:4], again]) is None


def test_a_training_that_failed_for_good_ends_the_wait() -> None:
    assert stages.trouble([at(0)]) is None
    failed = replace(at(0), runs={"first": run("first", ready="False")})
    assert stages.trouble([failed]) == "TrainingRun first: Reason: words"
    refused = replace(at(0), versions={"v1": version(passed=False)})
    assert stages.trouble([refused]) == "ModelVersion v1: R: m"


def test_every_stage_of_the_scenario_sees_nothing_in_an_empty_world() -> None:
    for stage in stages.STAGES[2:]:
        assert stage.observe is not None
        assert stage.observe([Snapshot(0.0)]) is None
