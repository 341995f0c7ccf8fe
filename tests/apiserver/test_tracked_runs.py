"""Trainers that only log to MLflow: from their end to the version, its alias and its verdict."""

from __future__ import annotations

import json
from typing import Any

from tests.support.manifests import manifest
from tests.support.mlflow_loop import (
    complete,
    environment,
    has_job,
    model_registry,
    training_run,
    whole_loop,
)
from tests.support.mlflow_registry import Registry
from tests.support.operating import World, until

JSON = dict[str, Any]


def uid(given: dict[str, str]) -> str:
    """As MLflow's clients take tags of each run from the environment."""
    return str(json.loads(given["MLFLOW_RUN_CONTEXT"])["evenkeel.dev/run-uid"])


def ready(w: World, name: str = "fraud-1") -> tuple[str, str]:
    found = w.ns.ready(name, "TrainingRun")
    return found.get("reason", ""), found.get("message", "")


def aliases(w: World, versions: list[str]) -> list[str]:
    """Those that the lineage of each has."""
    rollouts = (w.ns.status(v, "ModelVersion")["rollouts"][0] for v in versions)
    return [rollout.get("alias", "") for rollout in rollouts]


async def test_the_whole_loop(w: World, mlflow: Registry) -> None:
    def train(given: dict[str, str]) -> None:
        mlflow.log(uid(given), "model", metrics={"accuracy": 0.9})

    async with w.operator():
        model_registry(w, mlflow.url)
        first, second = await whole_loop(
            w, train, lambda: mlflow.aliases.get("fraud", {}).get("champion", "")
        )
        model = f"m-{100:032x}"
        assert first["spec"]["uri"] == (
            f"mlflow+{mlflow.url}/api/2.0/mlflow-artifacts/artifacts/7/models/{model}/artifacts"
        )
        assert first["spec"]["mlflow"]["modelID"] == model
        assert mlflow.versions["fraud"]["1"].source == f"models:/{model}"
        assert mlflow.moves == ["champion 1", "champion 2"]
        stable = w.ns.status("fraud")["stable"]
        assert stable["version"] == second["metadata"]["name"]
        pod = w.ns.get("Deployment", stable["revision"])["spec"]["template"]["spec"]
        (initializer,) = pod["initContainers"]
        assert initializer["command"] == ["python3", "-m", "evenkeel.sidecars.mlflow_download"]
        tag = f"evenkeel.dev/rollout.{w.ns.name}.fraud"
        told = mlflow.versions["fraud"]["2"].tags
        await until(lambda: told.get(tag, "").startswith("Promoted at "), "the verdict", 60)
        names = [v["metadata"]["name"] for v in (first, second)]
        await until(lambda: aliases(w, names) == ["", "champion"], "the alias in the lineage")
        chain = w.ns.status(second["metadata"]["name"], "ModelVersion")["lineage"]
        for link in (
            "TrainingRun fraud-2",
            f"MLflow run {mlflow.url}/#/experiments/7/runs/",
            "ModelRegistry mlflow: version 2 of fraud",
            "ModelDeployment fraud: Promoted",
            ", alias champion",
        ):
            assert link in chain
        # The registry goes: what serves stays as it is, and so do its pods.
        before = w.ns.get("Deployment", stable["revision"])["metadata"]["generation"]
        w.server.kubectl("-n", w.ns.name, "delete", "modelregistry", "mlflow")
        w.ns.patch("ModelDeployment", "fraud", {"spec": {"replicas": 3}})
        await until(
            lambda: w.ns.get("Deployment", stable["revision"])["spec"]["replicas"] == 3, seconds=60
        )
        after = w.ns.get("Deployment", stable["revision"])
        assert after["spec"]["template"]["spec"] == pod
        assert after["metadata"]["generation"] == before + 1
    assert mlflow.created == 2


async def test_what_was_logged_becomes_the_report(w: World, mlflow: Registry) -> None:
    gates = [{"name": "good", "metric": "accuracy", "min": "0.8"}]

    def train(given: dict[str, str]) -> None:
        assert given["MLFLOW_EXPERIMENT_NAME"] == "fraud"
        mlflow.log(
            uid(given),
            "model",
            metrics={"accuracy": 0.95, "nan": "NaN"},
            params={"C": "1.0"},
            tags={"mlflow.source.git.commit": "c0ffee"},
            datasets=[("iris", "d1", "training")],
        )

    async with w.operator():
        # The registry comes only once the training has ended.
        w.ns.create(training_run("fraud-1", gates=gates))
        await until(lambda: has_job(w, "fraud-1"), "the Job")
        train(environment(w, "fraud-1"))
        complete(w, "fraud-1")
        await until(lambda: "there is no ModelRegistry 'mlflow'" in ready(w)[1])
        model_registry(w, mlflow.url)
        await until(lambda: ready(w)[0] == "Succeeded", seconds=60)
        name = w.ns.status("fraud-1", "TrainingRun")["modelVersion"]
        spec = w.ns.get("ModelVersion", name)["spec"]
        assert spec["metrics"] == [{"name": "accuracy", "value": "0.95"}]
        assert spec["parameters"] == {"C": "1.0"}
        assert (spec["dataRevision"], spec["codeRevision"]) == ("iris@d1", "c0ffee")
        await until(lambda: w.ns.ready(name, "ModelVersion").get("reason") == "Approved")


async def test_what_was_not_logged_is_waited_for_and_what_is_unclear_fails(
    w: World, mlflow: Registry
) -> None:
    async with w.operator():
        model_registry(w, mlflow.url)
        w.ns.create(training_run("fraud-1"))
        await until(lambda: has_job(w, "fraud-1"), "the Job")
        given = environment(w, "fraud-1")
        mlflow.experiments["fraud"] = "7"
        complete(w, "fraud-1")
        await until(lambda: "no run of it has finished; there is none" in ready(w)[1])
        assert ready(w)[0] == "AwaitingResult"
        mlflow.log(uid(given), "a", "b")
        await until(lambda: ready(w)[0] == "InvalidResult", seconds=60)
        assert "has logged 2 models (a, b); name one in training.resultFrom" in ready(w)[1]
    assert w.ns.all("ModelVersion") == []


async def test_a_server_is_shown_nothing_but_by_its_own_registry(
    w: World, mlflow: Registry
) -> None:
    """Whoever writes a version chooses neither Secret nor address."""
    refused = manifest("ModelVersion", "uri: 'mlflow+https://evil/api/x'")
    answer = w.server.create(refused, w.ns.name)
    assert answer.status_code == 422
    assert "needs mlflow.registry" in answer.text
    async with w.operator():
        model_registry(w, mlflow.url, secretName="mlflow")
        elsewhere = manifest(
            "ModelVersion", "{uri: 'mlflow+https://evil/api/x', mlflow: {registry: mlflow}}"
        )
        elsewhere["spec"]["format"] = {"name": "test"}
        w.ns.create(elsewhere)
        made = manifest("ModelDeployment", "model: {version: example}", "fraud")
        w.ns.create(made)
        await until(lambda: w.ns.ready("fraud").get("reason") == "RegistryNotFound")
    assert w.ns.all("Deployment") == []
