"""Trainings by RayJobs of KubeRay: its real CRD, on a real API server.

The tests play KubeRay's operator; tests/integrations has the operator itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from evenkeel.meta.times import timestamp
from evenkeel.training.engines.rayjob import RAY_JOB

from dev.cluster import binaries
from tests.support.api_server import ApiServer
from tests.support.kuberay import LOCK, MODULE
from tests.support.manifests import manifest
from tests.support.operating import World, until, world
from tests.support.s3_store import REGION, Store, serving
from tests.support.training_pods import REPORT

JSON = dict[str, Any]
RUN = "elec-1"
ON = ("rayJob",)
NODE = {"template": {"spec": {"containers": [{"name": "ray", "image": "ray:1"}]}}}
SPEC = {
    "entrypoint": "python train.py",
    "rayClusterSpec": {
        "headGroupSpec": NODE,
        "workerGroupSpecs": [{"groupName": "w", "minReplicas": 1, "maxReplicas": 1, **NODE}],
    },
}


@pytest.fixture
async def w(api_server: ApiServer, namespace: str) -> AsyncIterator[World]:
    folder = binaries.module_file_dir(MODULE, LOCK) / "config" / "crd" / "bases"
    api_server.kubectl("apply", "--server-side", "-f", str(folder / "ray.io_rayjobs.yaml"))
    await until(lambda: api_server.http.get(RAY_JOB.path()).is_success, "its storage")
    async with world(api_server, namespace) as made:
        yield made


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with serving(Store()) as made:
        made.public, made.clock = True, datetime.now(UTC)
        yield made


def training_run(store: Store) -> JSON:
    made = manifest("TrainingRun", "{}", RUN)
    place = {"uri": "s3://data/$(EVENKEEL_RUN).json", "endpoint": store.url, "region": REGION}
    made["spec"]["training"] = {"rayJob": {"spec": SPEC}, "resultFrom": {"object": place}}
    return made


def ready(w: World) -> tuple[str, str]:
    found = w.ns.ready(RUN, "TrainingRun")
    return str(found.get("reason", "")), str(found.get("message", ""))


def says(w: World, phase: str, **status: Any) -> None:
    """KubeRay writes the status."""
    now = timestamp(datetime.now(UTC))
    body = {"status": {"jobDeploymentStatus": phase, "endTime": now, **status}}
    w.ns.patch("RayJob", RUN, body, "status")


async def test_a_report_in_a_store_becomes_a_version(w: World, store: Store) -> None:
    w.ns.create(training_run(store))
    store.put(f"{RUN}.json", REPORT)
    async with w.operator(integrations=ON):
        await until(lambda: w.ns.all("RayJob"), "the RayJob")
        job = w.ns.get("RayJob", RUN)
        strict = {k: job[k] for k in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "x"}}
        assert w.server.create(strict, w.ns.name, dry_run=True).status_code == 201
        assert job["spec"]["backoffLimit"] == 2
        says(w, "Running", jobStatus="RUNNING")
        await until(lambda: ready(w) == ("Running", "the Ray job is running"))
        assert store.requests == [], "it is asked for once the training has succeeded"
        says(w, "Complete", jobStatus="SUCCEEDED")
        await until(lambda: ready(w)[0] == "Succeeded")
    (version,) = w.ns.all("ModelVersion")
    assert version["spec"]["uri"] == "s3://m/1"


async def test_what_kuberay_refuses_ends_the_run(w: World, store: Store) -> None:
    w.ns.create(training_run(store))
    async with w.operator(integrations=ON):
        await until(lambda: w.ns.all("RayJob"), "the RayJob")
        says(w, "ValidationFailed", reason="ValidationFailed", message="The RayJob is invalid")
        await until(lambda: ready(w)[0] == "InvalidTemplate")
        assert "KubeRay refuses the RayJob: The RayJob is invalid" in ready(w)[1]
