"""Kubeflow Pipelines as far as it runs here: its compiler, its local runner, and its client.

The API server cannot be built from the Go module proxy. That the stand-in answers as it does is
proven by the released client, which reads and checks what the stand-in tells of the adapter's runs.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from evenkeel.adapters.access import Access
from evenkeel.adapters.pipelines import Pipelines
from evenkeel.adapters.web import Web
from evenkeel.api.retrainschedule import RetrainSchedule
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.outside.pipelines import Begin, Follow, Pipeline, Place, Run, Stands, Stop
from evenkeel.training.engines.pipelinerun import asks
from evenkeel.training.result import parse_result

from dev.environment import interpreter
from dev.paths import ROOT
from tests.support.pipelines_server import Pipelines as Server
from tests.support.pipelines_server import pipelines_server

JSON = dict[str, Any]
PIPELINE = ROOT / "examples" / "kubeflow-pipelines" / "pipeline.py"
PAGE = ROOT / "docs" / "integrations" / "kubeflow-pipelines.md"
CLIENT = Path(__file__).with_name("ask_with_kfp.py")
NAME = "iris-1a2b3c 8d1f"
PLACE = Place(experiment_name="nightly")
FACTS = (("evenkeel_run", "iris-1a2b3c"), ("evenkeel_model", "iris"))
RESULT = ("evenkeel_result_uri", "s3://results/iris-1a2b3c.json")
WANTED = Run(
    Pipeline(name="iris-train"),
    parameters=(("c", "0.7"),),
    facts=(*FACTS, RESULT),
    root="s3://models/iris",
    description="Trains iris",
)


def run(*arguments: object, cwd: Path, more: dict[str, str] | None = None) -> str:
    """What a program prints in the environment with kfp."""
    done = subprocess.run(
        [str(interpreter("kfp")), *map(str, arguments)],
        cwd=cwd,
        env={"HOME": str(cwd), "PATH": "/usr/bin:/bin", **(more or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's pipeline, compiled."""
    folder = tmp_path_factory.mktemp("compiled")
    run(PIPELINE, "compile", folder / "pipeline.yaml", cwd=folder)
    return folder / "pipeline.yaml"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with pipelines_server() as made:
        yield made


@pytest.fixture
async def ours() -> AsyncIterator[Pipelines]:
    reached = Web()
    yield Pipelines(reached)
    await reached.close()


async def client(server: Server, folder: Path, *step: object) -> JSON:
    """One step of the released client."""
    arguments = (CLIENT, server.url, *step)
    printed = await asyncio.to_thread(run, *arguments, cwd=folder)
    found: JSON = json.loads(printed.splitlines()[-1])
    return found


@pytest.mark.short
def test_the_example_really_trains_and_reports_what_evenkeel_reads(tmp_path: Path) -> None:
    text = run(PIPELINE, "local", tmp_path, "0.7", cwd=tmp_path).splitlines()[-1]
    result = parse_result(text)
    assert result.uri.startswith(f"file://{tmp_path}/artifacts/")
    assert (Path(result.uri.removeprefix("file://")) / "model.joblib").is_file()
    assert result.format.name == "sklearn"
    (accuracy,) = result.metrics
    assert accuracy.name == "accuracy"
    assert float(accuracy.value) > 0.9
    assert [(s.name, s.samples) for s in result.slices] == [
        ("setosa", 17),
        ("versicolor", 17),
        ("virginica", 16),
    ]
    assert result.code_revision


def test_the_compiled_pipeline_declares_what_evenkeel_gives(package: Path) -> None:
    spec, platform = yaml.safe_load_all(package.read_text())
    declared = spec["root"]["inputDefinitions"]["parameters"]
    assert {name: told["parameterType"] for name, told in declared.items()} == {
        "c": "NUMBER_DOUBLE",
        "evenkeel_result_uri": "STRING",
        "evenkeel_run": "STRING",
    }
    assert "kubernetes" in platform["platforms"]


def blocks(language: str) -> list[str]:
    """The page's examples."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


async def test_the_page_is_followed_from_the_upload_to_the_run(
    server: Server, ours: Pipelines, package: Path
) -> None:
    (upload,) = blocks("python")
    script = package.with_name("upload.py")
    script.write_text(upload)
    more = {"KF_PIPELINES_ENDPOINT": server.url}
    await asyncio.to_thread(run, script, cwd=package.parent, more=more)
    (written,) = blocks("yaml")
    schedule = RetrainSchedule.model_validate(yaml.safe_load(written))
    meta = {"name": "iris-1a2b3c", "namespace": "ml", "uid": "8d1f"}
    subject = {"metadata": meta, "spec": {"model": "iris", "training": schedule.spec.training}}
    poll = asks(TrainingRun.model_validate(subject), None, "Train")
    found: Any = await ours(poll.question, Access(server.url), None)
    made = server.runs[found.run_id]
    assert made["runtime_config"] == {
        "parameters": {
            "c": 0.7,
            "evenkeel_run": "iris-1a2b3c",
            "evenkeel_result_uri": "s3://results/iris-1a2b3c.json",
        },
        "pipeline_root": "s3://models/iris",
    }


async def test_the_released_client_reads_the_runs_that_the_operator_makes(
    server: Server, ours: Pipelines, package: Path
) -> None:
    told = await client(server, package.parent, "upload", package, "iris-train")
    assert told["versions"] == ["iris-train", "second"]
    access = Access(server.url)
    found: Any = await ours(Begin(NAME, PLACE, WANTED), access, None)
    read = await client(server, package.parent, "read", found.run_id)
    assert read["run"] == {
        "run_id": found.run_id,
        "display_name": NAME,
        "state": "PENDING",
        "experiment_id": told["experiment"],
        "service_account": "pipeline-runner",
        "description": "Trains iris",
        "version": found.version,
        "parameters": {"c": 0.7, **dict(FACTS[:1]), **dict((RESULT,))},
        "root": "s3://models/iris",
        "created": read["run"]["created"],
        "history": ["PENDING"],
    }
    assert (read["listed"], read["total"]) == ([read["run"]], 1)
    assert (read["gone"]["status"], read["gone"]["code"]) == (404, 5)
    newest = max(server.versions.values(), key=lambda version: str(version["created_at"]))
    assert found.version == newest["pipeline_version_id"]

    server.becomes(found.run_id, "SUCCEEDED")
    waited = await client(server, package.parent, "wait", found.run_id)
    assert waited["history"] == ["PENDING", "SUCCEEDED"]
    over: Any = await ours(Follow(NAME, PLACE, found.run_id), access, found)
    assert over.state == "SUCCEEDED"


async def test_the_operator_sends_what_the_released_client_sends(
    server: Server, ours: Pipelines, package: Path
) -> None:
    told = await client(server, package.parent, "upload", package, "iris-train")
    found: Any = await ours(Begin(NAME, PLACE, WANTED), Access(server.url), None)
    parameters = json.dumps({"c": 0.7, **dict(FACTS[:1]), **dict((RESULT,))})
    step = ("run", told["experiment"], told["pipeline"], found.version, parameters)
    by_hand = await client(server, package.parent, *step)
    mine, theirs, _ = server.bodies
    assert mine["runtime_config"].pop("pipeline_root") == WANTED.root
    assert mine["runtime_config"] == theirs["runtime_config"]
    for field in ("experiment_id", "pipeline_version_reference"):
        assert mine[field] == theirs[field]
    assert set(mine) - set(theirs) == {"description"}
    assert set(theirs) <= set(mine)
    refused = by_hand["refused"]
    assert (refused["status"], refused["code"]) == (400, 3)
    assert refused["details"][0]["message"].endswith("not required by pipeline: colour")


async def test_a_run_that_the_operator_ends_is_ended_to_the_client_too(
    server: Server, ours: Pipelines, package: Path
) -> None:
    await client(server, package.parent, "upload", package, "iris-train")
    first: Any = await ours(Begin(NAME, PLACE, WANTED), Access(server.url), None)
    ended: Any = await ours(Stop(NAME, PLACE), Access(server.url), None)
    assert isinstance(ended, Stands)
    read = await client(server, package.parent, "read", first.run_id)
    assert read["run"]["state"] == ended.state == "CANCELING"
    other: Any = await ours(Begin("other", PLACE, WANTED), Access(server.url), None)
    by_hand = await client(server, package.parent, "terminate", other.run_id)
    assert by_hand["run"]["state"] == "CANCELING"
    assert (by_hand["again"]["status"], by_hand["again"]["code"]) == (400, 3)
