"""Trainers that only log to MLflow 3 itself, up to the alias of what serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from evenkeel.adapters.access import Access, basic
from evenkeel.adapters.mlflow.mlflow import Mlflow
from evenkeel.adapters.web import Web
from evenkeel.api.trainingrun import TrainingResult, TrainingRun
from evenkeel.outside.mlflow import Logged, Unclear, Unlogged
from evenkeel.training.results.mlflow import given, poll, read

from dev.mlflow import PASSWORD, USER
from tests.integrations.conftest import Trained
from tests.support.api_server import ApiServer
from tests.support.mlflow_loop import model_registry, whole_loop
from tests.support.operating import World, until, world

JSON = dict[str, Any]
TRAINER = Path(__file__).with_name("log_with_mlflow.py")


@pytest.fixture
async def w(api_server: ApiServer, namespace: str) -> AsyncIterator[World]:
    async with world(api_server, namespace) as made:
        yield made


def run(way: str, **place: str) -> TrainingRun:
    return TrainingRun.model_validate(
        {
            "metadata": {"name": way.replace("_", "-"), "namespace": "shop", "uid": f"uid-{way}"},
            "spec": {
                "model": "fraud",
                "training": {
                    "resultFrom": {"mlflow": {"registry": "mlflow", **place}},
                    "podTemplate": {"spec": {"containers": [{"name": "trainer"}]}},
                },
            },
        }
    )


async def logged(mlflow: Trained, subject: TrainingRun) -> Any:
    def named(kind: str, name: str) -> JSON:
        spec = {"mlflow": {"url": mlflow.server.url}}
        return {"metadata": {"name": name}, "spec": spec}

    asked: Any = poll(subject, named)
    reached = Web()
    try:
        shown = Access(asked.url, authorization=basic(USER, PASSWORD))
        return await Mlflow(reached)(asked.question, shown, None)
    finally:
        await reached.close()


async def report(mlflow: Trained, way: str, **place: str) -> TrainingResult:
    subject = run(way, **place)
    mlflow.server.run(TRAINER, way, more=given(subject))
    found = read(subject, await logged(mlflow, subject))
    assert isinstance(found, TrainingResult)
    return found


async def test_what_is_logged_by_hand(mlflow: Trained) -> None:
    found = await report(mlflow, "by_hand")
    assert found.uri.startswith(f"mlflow+{mlflow.server.url}/api/2.0/mlflow-artifacts/artifacts/")
    assert [(m.name, m.value) for m in found.metrics] == [("accuracy", "0.75")]
    assert (found.parameters, found.code_revision) == ({"C": "1.0"}, "c0ffee")
    assert found.data_revision.startswith("iris@")
    assert found.mlflow is not None
    assert found.uri.endswith(f"/models/{found.mlflow.model_id}/artifacts")


async def test_what_is_logged_by_itself(mlflow: Trained) -> None:
    found = await report(mlflow, "autolog")
    assert "training_accuracy_score" in {m.name for m in found.metrics}
    assert found.parameters["max_iter"] == "500"


async def test_the_run_that_others_are_nested_in(mlflow: Trained) -> None:
    subject = run("tuned")
    mlflow.server.run(TRAINER, "tuned", more=given(subject))
    found = await logged(mlflow, subject)
    assert isinstance(found, Logged)
    told = mlflow.server.call("GET", f"logged-models/{found.model_id}")
    assert told["model"]["info"]["name"] == "best"


async def test_what_is_unclear(mlflow: Trained) -> None:
    subject = run("two_models")
    mlflow.server.run(TRAINER, "two_models", more=given(subject))
    found = await logged(mlflow, subject)
    assert isinstance(found, Unclear)
    assert "has logged 2 models (explainer, model)" in found.words
    named = await logged(mlflow, run("two_models", model="explainer"))
    assert isinstance(named, Logged)


@pytest.mark.parametrize(
    ("way", "words"), [("failed", "is FAILED"), ("no_model", "it has logged no model")]
)
async def test_what_is_missing(mlflow: Trained, way: str, words: str) -> None:
    subject = run(way)
    assert isinstance(await logged(mlflow, subject), Unlogged)
    mlflow.server.run(TRAINER, way, more=given(subject))
    found = await logged(mlflow, subject)
    assert isinstance(found, Unlogged)
    assert words in found.words


async def test_the_whole_loop(w: World, mlflow: Trained) -> None:
    """At the API server: from the TrainingRun to the promoted version, its alias and its verdict;
    the test plays the kubelet, and the trainer runs in the environment that its Job gives it."""
    server, place = mlflow.server, f"loop-{mlflow.server.auth}"

    def train(environment: dict[str, str]) -> None:
        server.run(TRAINER, "by_hand", more=environment)

    def means() -> str:
        found = server.call("GET", "registered-models/get", name=place)
        aliases = found["registered_model"].get("aliases", ())
        return next((a["version"] for a in aliases if a["alias"] == "champion"), "")

    w.server.kubectl(
        *("-n", w.ns.name, "create", "secret", "generic", "mlflow"),
        *(f"--from-literal=username={USER}", f"--from-literal=password={PASSWORD}"),
    )
    async with w.operator():
        model_registry(w, server.url, secretName="mlflow")
        versions = await whole_loop(w, train, means, registered_model=place)
        for number, version in enumerate(versions, start=1):
            spec, source = version["spec"], version["spec"]["mlflow"]
            told = server.call("GET", "model-versions/get", name=place, version=str(number))
            found = told["model_version"]
            assert (found["source"], found["run_id"]) == (
                f"models:/{source['modelID']}",
                source["runID"],
            )
            assert spec["metrics"] == [{"name": "accuracy", "value": "0.75"}]
        tag = f"evenkeel.dev/rollout.{w.ns.name}.fraud"
        await until(
            lambda: server.tags(place, "2").get(tag, "").startswith("Promoted at "),
            "the verdict",
            120,
        )
        chain = w.ns.status(versions[1]["metadata"]["name"], "ModelVersion")["lineage"]
        assert f"ModelRegistry mlflow: version 2 of {place}" in chain
    every = server.call("GET", "model-versions/search", filter=f"name='{place}'")
    assert len(every["model_versions"]) == 2
