"""A real model server is loaded on a pod apart; a revision that is too slow gets no requests."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from e2e.support.world import RECORD, SKLEARN, World, deployment

GOOD = {"uri": "pvc://models/elec2/good", "format": SKLEARN}
BAD = {"uri": "pvc://models/elec2/bad", "format": SKLEARN}
PERFORMANCE: dict[str, Any] = {
    "latency": {"quantile": "0.9", "seconds": "0.25"},
    "maxRate": "40",
    "durationSeconds": 120,
    "body": json.dumps(RECORD),
    "peakRate": "100",
    "costPerHour": "0.36",
}
MEBIBYTE = 2**20


def test_a_model_server_is_measured_and_one_that_is_too_slow_gets_no_request(world: World) -> None:
    world.apply(deployment("loaded", GOOD, performance=PERFORMANCE))
    world.ready("loaded")

    def measured() -> Any:
        return world.deployment("loaded")["stable"].get("performance")

    figures = world.until("what serves is measured", measured, 400)
    assert figures["reason"] == "Measured", figures
    assert 0 < float(figures["rate"]) <= 40
    assert {q["quantile"] for q in figures["latencies"]} == {"0.5", "0.9"}
    assert all(0 < float(q["seconds"]) <= 0.25 for q in figures["latencies"])
    assert float(figures["coldStartSeconds"]) > 0
    # A Python process with scikit-learn, whose processes the load generator sees.
    assert 50 * MEBIBYTE < figures["memoryBytes"] < 4096 * MEBIBYTE
    assert 0 < float(figures["cpu"]) < 16
    sizing = world.deployment("loaded")["sizing"]
    assert sizing["recommendedReplicas"] >= 3
    assert float(sizing["costPer1000"]) >= 0.0025
    assert world.condition("mdep", "loaded", "PerformanceMeasured")["reason"] == "TooFewReplicas"
    world.until(
        "the Job is gone", lambda: not world.objects("jobs", "evenkeel.dev/deployment=loaded")
    )
    # What was loaded stood behind no Service, and was scraped by nobody.
    (pod,) = world.objects("pods", "evenkeel.dev/deployment=loaded")
    mine = f'namespace="{world.namespace}",pod!="{pod["metadata"]["name"]}"'
    others = world.prometheus(f'model_infer_request_success_total{{{mine},model="loaded"}}')
    assert not others

    stable = world.deployment("loaded")["stable"]["revision"]
    strict = {**PERFORMANCE, "latency": {"quantile": "0.9", "seconds": "0.0001"}}
    gate = {"fastEnough": {"minRate": "1"}}
    labelled = {"metadata": {"annotations": {"example.com/revision": "2"}}}

    def more(known: int) -> bool:
        return len(world.deployment("loaded")["history"]) > known

    for patch, reason, rate in (
        ({"podTemplate": labelled, "performance": strict | gate}, "TooSlow", "0"),
        ({"model": BAD, "performance": PERFORMANCE | gate}, "MeasurementFailed", None),
    ):
        known = len(world.deployment("loaded")["history"])
        world.patch("mdep", "loaded", patch)
        world.until(f"it has gone back, {reason}", partial(more, known), 400)
        status = world.deployment("loaded")
        last = status["history"][0]
        assert (last["outcome"], last["reason"]) == ("RolledBack", reason), last
        assert last["cause"] == "Model"
        assert last["performance"].get("rate") == rate
        assert status["stable"]["revision"] == stable
    world.kubectl("delete", "mdep/loaded", "--wait=false")
