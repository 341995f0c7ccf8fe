"""From a day of data in a real object store to the version that was trained on it.

The tests play the kubelet; what the trainer does is done here, with the variables that it gets.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from evenkeel.process.operator import Operator

from dev.versitygw import Versitygw
from tests.integrations.conftest import signed
from tests.support.api_server import ApiServer
from tests.support.operating import World, schedule, until, world
from tests.support.training_pods import COMPLETE

JSON = dict[str, Any]


@pytest.fixture
async def w(api_server: ApiServer, namespace: str) -> AsyncIterator[World]:
    async with world(api_server, namespace) as made:
        yield made


def by_days(gateway: Versitygw, bucket: str) -> JSON:
    """Trained on each day that is complete, with reports in the same bucket."""
    place = {"endpoint": gateway.url, "region": gateway.region, "secretName": "s3"}
    made = schedule()
    days = {"uri": f"s3://{bucket}/days/", "marker": "_SUCCESS", **place}
    report = {"uri": f"s3://{bucket}/runs/$(EVENKEEL_RUN).json", **place}
    made["spec"]["triggers"].append({"name": "days", "objects": days})
    made["spec"]["training"]["resultFrom"] = {"object": report}
    made["spec"]["cooldownSeconds"] = 0
    return made


def give_secret(w: World, gateway: Versitygw) -> None:
    known = gateway.environment()
    literals = (
        f"--from-literal={name}={known[name]}"
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    )
    w.server.kubectl("-n", w.ns.name, "create", "secret", "generic", "s3", *literals)


def ask_again(operator: Operator) -> None:
    operator._polls.hint(lambda namespace, poll: poll.kind == "s3")


def revision(w: World) -> JSON:
    found: JSON = w.ns.status("retrain", "RetrainSchedule")["triggers"][1]["lastRevision"]
    return found


def run_status(w: World) -> str:
    (run,) = w.ns.all("TrainingRun")
    conditions = run.get("status", {}).get("conditions", ())
    return str(next((c["reason"] for c in conditions if c["type"] == "Ready"), ""))


def train(gateway: Versitygw, job: JSON) -> None:
    """What a trainer does: reads its day, trains, and reports where it is told to."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    given = {e["name"]: e.get("value", "") for e in container["env"]}
    day = f"{given['EVENKEEL_DATA_URI']}{given['EVENKEEL_DATA_PARTITION']}"
    rows = signed(gateway, "GET", f"{day}/part-0").decode().split()
    report = {
        "uri": f"s3://models/{given['EVENKEEL_RUN']}",
        "format": {"name": "sklearn"},
        "metrics": {"rows": len(rows)},
    }
    signed(gateway, "PUT", given["EVENKEEL_RESULT_URI"], json.dumps(report).encode())


async def test_a_day_becomes_a_version(w: World, gateway: Versitygw) -> None:
    bucket = "lake"
    gateway.bucket(bucket)
    for key, body in (("01/part-0", b"1"), ("01/_SUCCESS", b""), ("02/part-0", b"1 2 3")):
        signed(gateway, "PUT", f"s3://{bucket}/days/{key}", body)
    give_secret(w, gateway)
    async with w.operator() as operator:
        w.ns.create(by_days(gateway, bucket))
        await until(lambda: revision(w)["change"] == 0)
        assert w.ns.all("TrainingRun") == []
        signed(gateway, "PUT", f"s3://{bucket}/days/02/_SUCCESS")
        ask_again(operator)
        await until(lambda: w.ns.all("Job"), "the training")
        (job,) = w.ns.all("Job")
        gateway.stop()
        w.ns.patch("Job", job["metadata"]["name"], COMPLETE, "status")
        await until(lambda: run_status(w) == "AwaitingResult")
        ask_again(operator)
        await until(lambda: "cannot be read: http" in str(w.ns.all("TrainingRun")[0]["status"]))
        gateway.start()
        train(gateway, job)
        ask_again(operator)
        await until(lambda: run_status(w) == "Succeeded")
    (version,) = w.ns.all("ModelVersion")
    (run,) = w.ns.all("TrainingRun")
    assert version["spec"]["metrics"] == [{"name": "rows", "value": "3"}]
    assert version["spec"]["dataRevision"] == run["spec"]["cause"]["objects"]["digest"]
    assert run["spec"]["cause"]["objects"]["partition"] == "02"
