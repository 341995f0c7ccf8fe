"""The whole way of a model that MLflow tracks: trained by whoever logs to it, registered, served,
promoted, and its alias moved. The registry may be a real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.support.manifests import manifest
from tests.support.operating import World, model_deployment, until

JSON = dict[str, Any]
Train = Callable[[dict[str, str]], None]
"""What a trainer's container does in its environment."""
SECONDS = 120.0


def complete(w: World, name: str) -> None:
    """The Job of a run succeeds, at a minute of its own: versions are ordered by that."""
    ended = f"2026-01-31T09:0{name[-1]}:00Z"
    status = {
        "startTime": "2026-01-31T09:00:00Z",
        "completionTime": ended,
        "succeeded": 1,
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": ended}
            for kind in ("SuccessCriteriaMet", "Complete")
        ],
    }
    w.ns.patch("Job", name, {"status": status}, "status")


def model_registry(w: World, url: str, **spec: Any) -> None:
    """The ModelRegistry, which is written to unless `spec` says otherwise."""
    made = manifest("ModelRegistry", name="mlflow")
    made["spec"] |= {"mlflow": {"url": url}, "intervalSeconds": 5, "writeTags": True, **spec}
    w.ns.create(made)


def training_run(name: str, registered_model: str = "fraud", **more: Any) -> JSON:
    """A run whose trainer only logs to MLflow."""
    made = manifest("TrainingRun", name=name)
    made["spec"]["training"]["resultFrom"] = {"mlflow": {"registry": "mlflow"}}
    made["spec"] |= {"registration": {"registry": "mlflow", "name": registered_model}, **more}
    return made


def served(registered_model: str) -> JSON:
    """A ModelDeployment that follows what is trained, and moves the alias champion."""
    made, alias = model_deployment("fraud"), {"registry": "mlflow", "alias": "champion"}
    made["spec"] |= {
        "model": {"follow": "fraud"},
        "servedAlias": {**alias, "name": registered_model},
    }
    return made


def has_job(w: World, name: str) -> bool:
    """Whether the run's Job is there."""
    return name in {job["metadata"]["name"] for job in w.ns.all("Job")}


def environment(w: World, job: str) -> dict[str, str]:
    """That of the trainer's container."""
    (container,) = w.ns.get("Job", job)["spec"]["template"]["spec"]["containers"]
    return {e["name"]: e["value"] for e in container["env"]}


def registered(w: World, version: str) -> bool:
    """Whether the ModelVersion knows what it is in the registry."""
    return "registered" in w.ns.status(version, "ModelVersion")


def _says(means: Callable[[], str], number: str) -> bool:
    return means() == number


async def trained(w: World, name: str, train: Train) -> str:
    """Trains once; gives the ModelVersion's name."""
    await until(lambda: has_job(w, name), "the Job")
    await asyncio.to_thread(train, environment(w, name))
    complete(w, name)
    await until(
        lambda: w.ns.ready(name, "TrainingRun").get("reason") == "Succeeded", seconds=SECONDS
    )
    return str(w.ns.status(name, "TrainingRun")["modelVersion"])


async def whole_loop(
    w: World, train: Train, means: Callable[[], str], registered_model: str = "fraud"
) -> list[JSON]:
    """Trains two versions, each of which is promoted; gives them.

    means: the number of the version that the alias champion means.
    """
    w.ns.patch("ServingRuntime", "test", {"spec": {"supportedModelFormats": [{"name": "mlflow"}]}})
    found = []
    for number in "12":
        name = f"fraud-{number}"
        w.ns.create(training_run(name, registered_model))
        version = await trained(w, name, train)
        await until(partial(registered, w, version), "the registration", SECONDS)
        if number == "1":
            w.ns.create(served(registered_model))
        await until(partial(_says, means, number), f"alias to {number}", SECONDS)
        found.append(w.ns.get("ModelVersion", version))
    return found
