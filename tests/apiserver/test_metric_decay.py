"""A served metric's decay, from Prometheus' counts to the run."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from evenkeel.meta.times import timestamp

from tests.support.manifests import manifest
from tests.support.operating import World, model_deployment, until

JSON = dict[str, Any]
DECAY = """
model: elec
triggers:
- name: worse
  metricDecay:
    total: 'all{revision="{{revision}}"}'
    bad: 'bad{revision="{{revision}}"}'
    maxRatio: '0.05'
    windowSeconds: 60
"""


def all_bad() -> web.Response:
    """A thousand events of each kind in every window."""
    one = {"metric": {}, "value": [time.time(), "1000"]}
    return web.json_response(
        {"status": "success", "data": {"resultType": "vector", "result": [one]}}
    )


def decay(w: World) -> JSON:
    (trigger,) = w.ns.status("retrain", "RetrainSchedule").get("triggers", [{}])
    found: JSON = trigger.get("decay", {})
    return found


def minutes_ago(w: World, number: int) -> str:
    """As if the windows of so many minutes had not been looked at yet."""
    (trigger,) = w.ns.status("retrain", "RetrainSchedule")["triggers"]
    now = int(time.time()) // 60 * 60
    trigger["decay"]["until"] = timestamp(datetime.fromtimestamp(now - 60 * number, UTC))
    patch = {"status": {"triggers": [trigger]}}
    w.ns.patch("RetrainSchedule", "retrain", patch, "status")
    return str(trigger["decay"]["until"])


async def test_a_decayed_version_is_trained_anew_once(w: World) -> None:
    deployment = model_deployment("elec")
    deployment["spec"]["model"] = {"follow": "elec"}
    version = "{model: elec, uri: 's3://m/v1', format: {name: test}}"
    async with w.operator():
        w.ns.create(manifest("RetrainSchedule", DECAY, "retrain"))
        w.ns.create(manifest("ModelVersion", version, "v1"))
        w.ns.create(deployment)
        await until(lambda: decay(w), "the evidence on the version in production")
    assert decay(w)["version"] == "v1"
    assert w.ns.all("TrainingRun") == []
    minutes_ago(w, 30)
    w.counters.fault = all_bad
    async with w.operator():
        await until(lambda: w.ns.all("Job"), "the training")
        (run,) = w.ns.all("TrainingRun")
        cause = run["spec"]["cause"]
        assert (cause["type"], cause["champion"]["name"]) == ("MetricDecay", "v1")
        assert ">= 100" in cause["champion"]["evidence"]
        seen = decay(w)
        assert seen["decayedTime"] == seen["until"] == cause["time"]
        assert seen["bad"] == seen["total"] == 1000 * seen["windows"]
        assert 1 < seen["windows"] < 10
    async with w.operator() as operator:
        await until(lambda: operator._leads and operator._controller.queue.depth() == 0)
    assert len(w.ns.all("TrainingRun")) == 1
    assert decay(w) == seen
