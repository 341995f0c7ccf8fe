"""The age of the version in production, from its promotion to the run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from evenkeel.meta.times import timestamp

from tests.support.manifests import manifest
from tests.support.operating import World, model_deployment, until

JSON = dict[str, Any]


def version(name: str, age: timedelta) -> JSON:
    trained = timestamp(datetime.now(UTC) - age)
    spec = (
        f"{{model: elec, uri: 's3://m/{name}', format: {{name: test}}, trainedTime: '{trained}'}}"
    )
    return manifest("ModelVersion", spec, name)


async def test_an_old_version_in_production_is_trained_anew_once(w: World) -> None:
    deployment = model_deployment("elec")
    deployment["spec"]["model"] = {"follow": "elec"}
    triggers = "{model: elec, triggers: [{name: aged, versionAge: {maxAgeDays: 7}}]}"
    async with w.operator():
        w.ns.create(manifest("RetrainSchedule", triggers, "retrain"))
        await until(lambda: w.ns.ready("retrain", "RetrainSchedule"))
        w.ns.create(version("v1", timedelta(days=8)))
        w.ns.create(deployment)
        await until(lambda: w.ns.all("Job"), "the training")
        (run,) = w.ns.all("TrainingRun")
        cause = run["spec"]["cause"]
        assert (cause["type"], cause["champion"]["name"]) == ("VersionAge", "v1")
        assert w.ns.stable_uri("elec") == "s3://m/v1"
        last = w.ns.status("retrain", "RetrainSchedule")["triggers"][0]["lastRevision"]
        assert (last["revision"], last["digest"], last["change"]) == ("v1", "1.0", 1)
        await until(lambda: w.ns.status("retrain", "RetrainSchedule").get("active"))
    before = w.ns.versions()["RetrainSchedule retrain"]
    async with w.operator() as operator:
        await until(lambda: operator._leads and operator._controller.queue.depth() == 0)
    assert w.ns.versions()["RetrainSchedule retrain"] == before, "a restart writes nothing"
    assert len(w.ns.all("TrainingRun")) == 1
