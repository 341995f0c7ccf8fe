"""What a training has logged is found by its tag, and told where it is not clear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from evenkeel.adapters.access import Access
from evenkeel.adapters.mlflow.mlflow import Mlflow
from evenkeel.adapters.source import SourceError
from evenkeel.adapters.web import Web
from evenkeel.outside.mlflow import Logged, LoggedBy, Unclear, Unlogged

from tests.support.mlflow_registry import Registry, registry

ASKED = LoggedBy("fraud", tag=("evenkeel.dev/run-uid", "u1"), workspace="team-a")
PARENT = {"mlflow.parentRunId": "f" * 32}


@pytest.fixture
async def server() -> AsyncIterator[Registry]:
    async with registry() as found:
        found.log("another", "model")
        yield found


async def ask(server: Registry, question: Any = ASKED) -> Any:
    web_ = Web()
    try:
        return await Mlflow(web_)(question, Access(server.url), None)
    finally:
        await web_.close()


async def test_the_run_and_its_model(server: Registry) -> None:
    run = server.log(
        "u1",
        "model",
        metrics={"loss": 0.25, "accuracy": 0.9, "nan": "NaN", "huge": "Infinity"},
        params={"C": "1.0"},
        tags={"mlflow.source.git.commit": "c0ffee"},
        datasets=[("iris", "d1", "training"), ("holdout", "d2", "eval")],
    )
    model = f"m-{200:032x}"
    assert await ask(server) == Logged(
        server.url,
        "7",
        run,
        model,
        f"mlflow-artifacts:/7/models/{model}/artifacts",
        metrics=(("accuracy", 0.9), ("loss", 0.25)),
        parameters=(("C", "1.0"),),
        data=(("iris", "d1"),),
        commit="c0ffee",
        workspace="team-a",
    )
    assert {r.headers["X-MLFLOW-WORKSPACE"] for r in server.requests} == {"team-a"}


async def test_all_datasets_where_none_is_called_that_of_the_training(server: Registry) -> None:
    server.log("u1", "model", datasets=[("iris", "d1", ""), ("more", "d2", "")])
    assert (await ask(server)).data == (("iris", "d1"), ("more", "d2"))


async def test_the_last_attempt_counts(server: Registry) -> None:
    """One was logged to its end, and its pod failed afterwards; others never ended."""
    server.log("u1", "model", begin=1000)
    server.log("u1", "model", begin=2000, status="FAILED")
    last = server.log("u1", "model", begin=3000)
    server.log("u1", begin=4000, status="RUNNING")
    assert (await ask(server)).run_id == last


async def test_runs_without_a_model_do_other_work(server: Registry) -> None:
    run = server.log("u1", "model", begin=1000)
    server.log("u1", begin=1200, metrics={"rows": 9.0})
    assert (await ask(server)).run_id == run


async def test_nested_runs_are_parts_of_theirs(server: Registry) -> None:
    outer = server.log("u1", "best", begin=1000, end=9000)
    for i in range(3):
        server.log("u1", "try", begin=2000 + i, tags=PARENT)
    assert (await ask(server)).run_id == outer


async def test_runs_of_one_time_are_not_guessed_among(server: Registry) -> None:
    server.log("u1", "model", begin=1000, end=3000)
    server.log("u1", "model", begin=2000, end=4000)
    found = await ask(server)
    assert isinstance(found, Unclear)
    assert "were made at one time; log one run" in found.words


async def test_of_several_models_one_is_named(server: Registry) -> None:
    server.log("u1", "model", "explainer")
    found = await ask(server)
    assert isinstance(found, Unclear)
    assert found.words.endswith(
        "has logged 2 models (explainer, model); name one in training.resultFrom.mlflow.model"
    )
    named = await ask(server, replace(ASKED, model="explainer"))
    assert named.model_id == f"m-{201:032x}"
    missing = await ask(server, replace(ASKED, model="other"))
    assert isinstance(missing, Unlogged)
    assert "has no model other: its models are explainer, model" in missing.words


async def test_of_one_name_the_last_step_is_meant(server: Registry) -> None:
    server.log("u1", "checkpoint", "checkpoint", "other")
    found = await ask(server, replace(ASKED, model="checkpoint"))
    assert found.model_id == f"m-{201:032x}"


@pytest.mark.parametrize(
    ("status", "names", "words"),
    [
        ("RUNNING", ["model"], "no run of it has finished; {run} is RUNNING"),
        ("KILLED", ["model"], "no run of it has finished; {run} is KILLED"),
        ("FINISHED", [], "run {run} has no model: it has logged no model"),
    ],
)
async def test_what_is_missing(server: Registry, status: str, names: list[str], words: str) -> None:
    run = server.log("u1", *names, status=status)
    assert await ask(server) == Unlogged(words.format(run=run))


async def test_nothing_was_logged(server: Registry) -> None:
    gone = "no run of it has finished; there is none"
    assert await ask(server) == Unlogged(gone)
    elsewhere = await ask(server, replace(ASKED, experiment="spam"))
    assert elsewhere.words == "Could not find experiment with name 'spam'"


async def test_a_model_that_is_not_ready(server: Registry) -> None:
    server.log("u1", "model")
    server.models[f"m-{200:032x}"]["status"] = "LOGGED_MODEL_UPLOAD_FAILED"
    assert "is LOGGED_MODEL_UPLOAD_FAILED" in (await ask(server)).words


@pytest.mark.parametrize(
    "answer",
    [
        "<html>log in",
        "[]",
        '{"runs": 1}',
        '{"runs": [1]}',
        '{"runs": [{"data": {}}]}',
        '{"runs": [{"data": {}, "info": {"end_time": "x"}}]}',
        '{"experiment": {}}',
    ],
)
async def test_answers_that_are_none(server: Registry, answer: str) -> None:
    kind = "experiments" if "experiment" in answer else "runs/search"
    server.fault = lambda request: web.Response(text=answer) if kind in request.path else None
    with pytest.raises(SourceError):
        await ask(server)


@pytest.mark.parametrize(
    "outputs",
    [None, 1, {}, {"model_outputs": 1}, {"model_outputs": ["m"]}, {"model_outputs": [{}]}],
)
async def test_outputs_that_are_none(server: Registry, outputs: object) -> None:
    server.log("u1", "model")
    server.runs[-1]["outputs"] = outputs
    assert "has logged no model" in (await ask(server)).words


async def test_a_model_by_a_path_is_none(server: Registry) -> None:
    server.log("u1", "model")
    server.runs[-1]["outputs"] = {"model_outputs": [{"model_id": "../../users/get?username=a"}]}
    assert "has logged no model" in (await ask(server)).words
    assert not any("users" in path for path in server.paths)


@pytest.mark.parametrize("experiment", ["7/../8", "7" * 65, "a b"])
async def test_an_experiment_that_is_none(server: Registry, experiment: str) -> None:
    """It becomes a part of an address that people open."""
    server.experiments["fraud"] = experiment
    with pytest.raises(SourceError, match="none of MLflow's"):
        await ask(server)


async def test_a_model_is_called_what_was_asked_for(server: Registry) -> None:
    server.log("u1", "model")
    model = f"m-{200:032x}"
    server.models[model]["model_id"] = "m-" + "x" * 100
    assert (await ask(server)).model_id == model


@pytest.mark.parametrize("info", [[], {}, "x", {"artifact_uri": "s3://m\u0007"}])
async def test_a_model_that_is_none(server: Registry, info: Any) -> None:
    server.log("u1", "model")
    server.models[f"m-{200:032x}"] = info
    with pytest.raises(SourceError):
        await ask(server)
