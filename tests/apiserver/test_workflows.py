"""Trainings by Workflows of Argo Workflows: its real CRD, on a real API server.

The tests play Argo's controller and the kubelet; tests/integrations has the controller itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from evenkeel.meta.resources import POD
from evenkeel.meta.times import timestamp
from evenkeel.training.engines.workflow import WORKFLOW
from evenkeel.training.workflow_nodes import NODES

from dev.cluster import binaries
from tests.support.api_server import ApiServer
from tests.support.argo import CRD, LOCK, MODULE
from tests.support.manifests import manifest
from tests.support.operating import World, until, world
from tests.support.training_pods import REPORT, ended, tell

JSON = dict[str, Any]
RUN = "elec-1"
ON = ("workflow",)
SPEC = {
    "entrypoint": "train",
    "templates": [{"name": "train", "container": {"image": "trainer:1"}}],
}


@pytest.fixture
async def w(api_server: ApiServer, namespace: str) -> AsyncIterator[World]:
    folder = binaries.module_file_dir(MODULE, LOCK) / "manifests" / "base" / "crds" / "minimal"
    api_server.kubectl("apply", "--server-side", "-f", str(folder / CRD))
    await until(lambda: api_server.http.get(WORKFLOW.path()).is_success, "its storage")
    async with world(api_server, namespace) as made:
        yield made


def training_run(**more: Any) -> JSON:
    made = manifest("TrainingRun", "{}", RUN)
    made["spec"]["training"] = {"workflow": {"spec": SPEC}, **more}
    return made


def ready(w: World) -> tuple[str, str]:
    found = w.ns.ready(RUN, "TrainingRun")
    return str(found.get("reason", "")), str(found.get("message", ""))


async def made(w: World) -> JSON:
    await until(lambda: w.ns.all("Workflow"), "the Workflow")
    return w.ns.get("Workflow", RUN)


def says(w: World, phase: str, **status: Any) -> None:
    """Argo writes the status."""
    now = timestamp(datetime.now(UTC))
    ends = {} if phase == "Running" else {"finishedAt": now}
    told = {"phase": phase, "startedAt": now, **ends, **status}
    w.ns.patch("Workflow", RUN, {"status": told})


def pod(w: World, labels: dict[str, str]) -> JSON:
    """As Argo makes it for a template."""
    containers = [{"name": "wait", "image": "x"}, {"name": "main", "image": "x"}]
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": RUN, "labels": labels},
        "spec": {"restartPolicy": "Never", "containers": containers},
    }
    found: JSON = w.server.http.post(POD.path(w.ns.name), json=body).raise_for_status().json()
    return found


async def test_a_termination_message_of_a_step_becomes_a_version(w: World) -> None:
    w.ns.create(training_run(parameters={"EPOCHS": "3"}))
    async with w.operator(integrations=ON) as operator:
        workflow = await made(w)
        train = pod(w, workflow["spec"]["podMetadata"]["labels"])
        says(w, "Running", progress="0/1", storedTemplates={"large": {"x": "y" * 10_000}})
        await until(lambda: ready(w) == ("Running", "0 of 1 steps are done"))
        (key,) = operator._store.keys("Workflow")
        kept = operator._store.get(key)
        assert kept is not None
        assert set(kept) == {"metadata", "spec", "status", NODES}
        assert len(str(kept)) < 2000
        tell(w.ns, train, "Succeeded", ended("wait", 0), ended("main", 0, REPORT))
        says(w, "Succeeded", progress="1/1")
        await until(lambda: ready(w)[0] == "Succeeded")
    (version,) = w.ns.all("ModelVersion")
    assert version["spec"]["parameters"] == {"EPOCHS": "3"}


async def test_a_failure_is_told_and_the_workflow_is_deleted_in_the_end(w: World) -> None:
    w.ns.create(training_run(ttlSecondsAfterFinished=0))
    async with w.operator(integrations=ON):
        await made(w)
        says(w, "Failed", message="main: Error (exit code 3): no data")
        await until(lambda: ready(w) == ("TrainerFailed", "main: Error (exit code 3): no data"))
        await until(lambda: w.ns.all("Workflow") == [])


async def test_switched_off_it_waits_and_is_not_watched(w: World) -> None:
    w.ns.create(training_run())
    async with w.operator() as operator:
        await until(lambda: ready(w)[0] == "EngineOff")
        assert "integrations.workflow.enabled" in ready(w)[1]
        assert not {"workflows"} & {watcher.plural for watcher in operator._watchers}
    assert w.ns.all("Workflow") == []
    async with w.operator(integrations=ON):
        await made(w)
        says(w, "Succeeded", outputs={"parameters": [{"name": "result", "value": REPORT}]})
        await until(lambda: ready(w)[0] == "Succeeded")
