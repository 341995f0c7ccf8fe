"""A canary is measured under load before it gets requests, and goes back if it is too slow."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from evenkeel.api import ModelVersion

from tests.support.rollout_lives import model
from tests.support.rollout_world import INDICATORS, Crash, World, run

JSON = dict[str, Any]
A, B = "s3://m/a", "s3://m/b"
PERFORMANCE: JSON = {"latency": {"seconds": "0.1"}, "body": "{}", "path": "/v2/models/m/infer"}
GATE = {**PERFORMANCE, "fastEnough": {"minRate": "50"}}


def report(rate: float, limit: str = "Latency", **figures: Any) -> str:
    """The load generator's last words."""
    found = {"rate": rate, "limitedBy": limit, "readySeconds": 3.0, **figures}
    return json.dumps(found)


def version(name: str, uri: str) -> ModelVersion:
    return ModelVersion.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": "shop",
                "creationTimestamp": "2026-01-30T09:00:00Z",
            },
            "spec": {"model": "m", "uri": uri, "format": {"name": "sklearn"}},
        }
    )


def world(performance: JSON, **spec: Any) -> World:
    """A world in which A serves, measured, and B has just been asked for."""
    made = World(
        {
            "model": model(A),
            "replicas": 2,
            "rollout": {"steps": [{"weight": 20, "deadlineSeconds": 300}]},
            "analysis": {"indicators": list(INDICATORS), "minRequests": 50},
            "performance": performance,
            **spec,
        },
        requests=400,
        report=report(80.0),
        versions=(version("m-a", A), version("m-b", B)),
    )
    made.settle()
    made.pods_ready()
    made.settle()
    made.report = ""
    made.edit(model=model(B))
    made.settle()
    return made


def condition(w: World) -> tuple[str, str, str]:
    found = next(c for c in w.status["conditions"] if c["type"] == "PerformanceMeasured")
    return found["status"], found["reason"], found["message"]


def goes_on(w: World) -> bool:
    """Whether the canary has got requests."""
    return bool(w.status["canary"]["stage"] in ("Stepping", "Promoting"))


def jobs(w: World) -> list[JSON]:
    return [manifest for (kind, _), manifest in w.others.items() if kind == "Job"]


def records(w: World) -> dict[str, JSON]:
    """By version what was last written of its performance."""
    told: dict[str, JSON] = {}
    for plan in w.plans:
        for patch in plan.status_patches:
            for entry in patch.manifest["status"].get("performance", ()):
                told[patch.manifest["metadata"]["name"]] = entry
    return told


def test_what_serves_is_measured_where_it_was_not() -> None:
    w = world(PERFORMANCE)
    assert w.status["stable"]["performance"]["rate"] == "80"
    assert len(w.made_jobs) == 1
    assert records(w)["m-a"]["figures"]["rate"] == "80"
    assert records(w)["m-a"]["deployment"] == "fraud"


def test_a_canary_has_its_own_pods_first_and_no_requests_while_it_is_measured() -> None:
    w = world(PERFORMANCE)
    assert not jobs(w)
    w.pods_ready()
    w.settle()
    (job,) = jobs(w)
    canary = w.status["canary"]
    assert job["metadata"]["labels"]["evenkeel.dev/revision"] == canary["revision"]
    run(w, 120)
    canary = w.status["canary"]
    assert (canary["stage"], canary["reason"], canary["weight"]) == ("Starting", "Measuring", 0)
    assert condition(w)[:2] == ("Unknown", "Measuring")
    assert "under load since" in condition(w)[2]
    assert w.pods[canary["revision"]].total == 0


def test_without_steps_it_takes_over_once_it_is_measured() -> None:
    w = world(GATE, rollout={"steps": []}, analysis={"indicators": list(INDICATORS)})
    run(w, 60)
    assert w.status["canary"]["reason"] == "Measuring"
    w.report = report(60.0)
    run(w, 20)
    assert w.status["stable"]["revision"] == w.wanted()
    assert len(w.made_jobs) == 2


def test_the_figures_come_with_the_decision_and_stay() -> None:
    w = world(PERFORMANCE)
    run(w, 20)
    w.report = report(60.0, memoryBytes=2**29, cores=1.21, latencies={"0.99": 0.09})
    run(w, 300)
    assert w.status.get("canary") is None
    figures = w.status["stable"]["performance"]
    assert (figures["rate"], figures["cpu"], figures["memoryBytes"]) == ("60", "1.21", 2**29)
    assert figures["latencies"] == [{"quantile": "0.99", "seconds": "0.09"}]
    assert w.status["history"][0]["performance"] == figures
    assert records(w)["m-b"]["figures"] == figures
    assert not jobs(w), "the Job goes once the figures are written"
    assert len(w.made_jobs) == 2, "what was measured as a canary is not measured again"
    assert condition(w)[:2] == ("True", "Measured")


@pytest.mark.parametrize(
    ("words", "reason", "cause"),
    [
        (report(49.9), "TooSlow", "Model"),
        (report(0.0, aloneSeconds=0.4), "TooSlow", "Model"),
        (report(0.0, "", problem="status 400: no"), "MeasurementFailed", "Model"),
        (report(0.0, "Time"), "MeasurementUnfinished", "Infrastructure"),
        (report(49.0, "Generator"), "MeasurementUnfinished", "Infrastructure"),
        ("no JSON", "MeasurementUnfinished", "Infrastructure"),
    ],
)
def test_what_is_not_shown_to_be_fast_enough_goes_back_without_a_request(
    words: str, reason: str, cause: str
) -> None:
    w = world(GATE)
    run(w, 20)
    canary = w.status["canary"]["revision"]
    w.report = words
    requests = w.pods[canary].total
    run(w, 10)
    outcome = w.status["history"][0]
    told = (outcome["revision"], outcome["outcome"], outcome["reason"], outcome["cause"])
    assert told == (canary, "RolledBack", reason, cause)
    assert requests == 0
    assert canary not in w.pods
    assert not jobs(w)
    assert records(w)["m-b"]["figures"] == outcome["performance"]


@pytest.mark.parametrize("words", [report(50.0), report(1000.0, "MaxRate"), report(70.0, "Time")])
def test_what_is_fast_enough_goes_on(words: str) -> None:
    w = world(GATE)
    run(w, 20)
    w.report = words
    run(w, 20)
    assert goes_on(w)


@pytest.mark.parametrize("words", [report(0.0, "", problem="status 400: no"), "no JSON"])
def test_without_a_gate_a_measurement_that_failed_is_told_and_stops_nothing(words: str) -> None:
    w = world(PERFORMANCE)
    run(w, 20)
    w.report = words
    run(w, 20)
    assert goes_on(w)
    assert condition(w)[0] == "False"
    assert len(jobs(w)) == 1, "its logs may tell more"


def test_a_job_that_never_ends_holds_no_rollout_for_ever() -> None:
    w = world(GATE)
    run(w, 20)
    (job,) = jobs(w)
    run(w, job["spec"]["activeDeadlineSeconds"] + 200, step=20)
    outcome = w.status["history"][0]
    assert (outcome["reason"], outcome["cause"]) == ("MeasurementUnfinished", "Infrastructure")


def test_promotion_by_hand_waits_for_no_measurement() -> None:
    w = world(GATE)
    run(w, 20)
    w.edit_rollout(promote=w.wanted())
    run(w, 20)
    assert w.status["stable"]["revision"] == w.wanted()


def test_a_second_trial_measures_anew() -> None:
    w = world(GATE)
    run(w, 20)
    w.report = report(10.0)
    run(w, 20)
    w.report = ""
    w.edit_rollout(retry=w.wanted())
    run(w, 20)
    assert len(w.made_jobs) == len(set(w.made_jobs)) == 3
    w.report = report(99.0)
    run(w, 20)
    assert goes_on(w)


def test_another_bound_measures_what_serves_anew_and_another_peak_does_not() -> None:
    w = world(PERFORMANCE)
    w.edit(model=model(A))
    run(w, 60)
    made = len(w.made_jobs)
    w.edit(performance={**PERFORMANCE, "peakRate": "200", "costPerHour": "0.36"})
    run(w, 20)
    assert len(w.made_jobs) == made
    assert w.status["sizing"]["recommendedReplicas"] == 3
    assert w.status["sizing"]["replicas"] == 2
    assert w.status["sizing"]["costPer1000"] == "0.00125"
    assert condition(w)[:2] == ("True", "TooFewReplicas")
    assert records(w)["m-a"]["recommendedReplicas"] == 3
    w.edit(performance={**PERFORMANCE, "latency": {"seconds": "0.2"}})
    run(w, 20)
    assert len(w.made_jobs) == made + 1


def test_without_the_field_nothing_is_measured_any_more() -> None:
    w = world(PERFORMANCE)
    run(w, 20)
    del w.spec["performance"]
    w.edit()
    run(w, 20)
    assert not jobs(w)
    assert goes_on(w)
    assert not any(c["type"] == "PerformanceMeasured" for c in w.status["conditions"])


@pytest.mark.parametrize("write", range(8))
def test_a_crash_at_any_write_makes_no_second_job_and_loses_no_figures(write: int) -> None:
    """The world refuses a Job of a name that is there."""
    w = world(GATE)
    for _ in range(6):
        w.pods_ready()
        with suppress(Crash):
            w.reconcile(crash_after=write)
        w.settle()
        w.pass_time(5)
    assert len(w.made_jobs) == 2
    w.report = report(20.0)
    for _ in range(4):
        with suppress(Crash):
            w.reconcile(crash_after=write)
        w.settle()
    assert w.status["history"][0]["reason"] == "TooSlow"
    assert w.status["history"][0]["performance"]["rate"] == "20"
    assert len(w.made_jobs) == 2
    assert records(w)["m-b"]["figures"]["rate"] == "20"


def test_after_a_restore_what_serves_is_not_measured_again() -> None:
    w = world(PERFORMANCE)
    run(w, 20)
    w.report = report(60.0)
    run(w, 300)
    made, figures = len(w.made_jobs), w.status["stable"]["performance"]
    w.restore(children=False)
    record = json.loads(w.annotations["evenkeel.dev/record"])
    assert "performance" not in record["history"][0]
    run(w, 60)
    assert len(w.made_jobs) == made
    assert w.status["stable"]["performance"] == figures
