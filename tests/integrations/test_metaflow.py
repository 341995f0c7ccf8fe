"""Flows by Metaflow itself, with S3 as datastore and without a metadata service.

Each attempt has an empty disk, as in a Job's next pod.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from evenkeel.trainer.profile import load
from evenkeel.training.result import parse_result

from dev.environment import interpreter
from dev.paths import ROOT
from dev.versitygw import Versitygw
from tests.support import kubelet_expansion
from tests.support.api_server import ApiServer
from tests.support.controllers import controllers
from tests.support.manifests import manifest
from tests.support.operating import World, until, world
from tests.support.training_pods import ended, going, tell

EXAMPLE = ROOT / "examples" / "metaflow"
TUMOURS = EXAMPLE / "flow.py"
STEPS = """
import os
import time
from metaflow import FlowSpec, step
class Steps(FlowSpec):
    @step
    def start(self):
        print("the expensive step runs")
        self.next(self.end)
    @step
    def end(self):
        if problem := os.environ.get("PROBLEM"):
            raise RuntimeError(problem)
        parent = os.getppid()
        while "WAITS" in os.environ and os.getppid() == parent:
            print("the last step waits", flush=True)
            time.sleep(0.5)
        {report}
if __name__ == "__main__":
    Steps()
"""
REPORT = 'self.evenkeel_result = {"uri": "s3://models/m/1", "format": "sklearn"}'
SECONDS = 240
"""Metaflow by itself tries a refused call for more than an hour."""


@dataclass
class Trainer:
    """A TrainingRun's trainer; each attempt begins with an empty disk."""

    store: Versitygw
    folder: Path
    flow: Path = TUMOURS
    uid: str = "u1"
    parameters: dict[str, str] = field(default_factory=dict)
    attempts: int = 0

    def attempt(self, **variables: str) -> tuple[int, str]:
        """Exit code and output of one attempt."""
        started = self.started(**variables)
        said, _ = started.communicate(timeout=SECONDS)
        return started.returncode, said

    def started(self, **variables: str) -> subprocess.Popen[str]:
        """One attempt."""
        self.attempts += 1
        disk = self.folder / f"attempt-{self.attempts}"
        disk.mkdir()
        told = {
            "EVENKEEL_RUN": "tumours-1a",
            "EVENKEEL_RUN_UID": self.uid,
            "EVENKEEL_NAMESPACE": "ml",
            "EVENKEEL_MODEL": "tumours",
            "EVENKEEL_CAUSE": '{"type":"Alert","trigger":"drift"}',
            "EVENKEEL_PARAMETERS": json.dumps(self.parameters),
            "EVENKEEL_RESULT": str(self.result),
        }
        metaflow = {
            "METAFLOW_DEFAULT_DATASTORE": "s3",
            "METAFLOW_DATASTORE_SYSROOT_S3": "s3://flows/metaflow",
            "METAFLOW_S3_ENDPOINT_URL": self.store.url,
        }
        system = {"PATH": os.environ["PATH"], "HOME": str(disk)}
        system["PYTHONPATH"] = str(ROOT / "operator")
        return subprocess.Popen(
            [interpreter("metaflow"), "-m", "evenkeel.trainer.metaflow", self.flow, "--no-pylint"],
            env={**system, **self.store.environment(), **metaflow, **told, **variables},
            cwd=disk,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def result(self) -> Path:
        return self.folder / "result.json"

    def written(self, report: str = REPORT) -> None:
        """Its flow is one of two steps."""
        self.flow = self.folder / "steps.py"
        self.flow.write_text(STEPS.format(report=report))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versitygw]:
    made = Versitygw(tmp_path_factory.mktemp("store"))
    made.start()
    made.bucket("flows")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def trainer(store: Versitygw, tmp_path: Path, request: pytest.FixtureRequest) -> Trainer:
    return Trainer(store, tmp_path, uid=request.node.name)


@pytest.mark.short
def test_a_flow_fails_is_resumed_and_reports(trainer: Trainer) -> None:
    """The example: its bucket for models is made between the first attempt and the second."""
    trainer.parameters = {"C": "0.5", "models": "s3://models/tumours"}
    code, said = trainer.attempt()
    assert code == 1
    assert "Step publish (task-id" in said
    assert not trainer.result.exists()
    first = (trainer.store.buckets / "flows/metaflow/_evenkeel" / trainer.uid).read_text()

    models = trainer.store.bucket("models")
    code, said = trainer.attempt()
    assert code == 0, said
    cloned = [line for line in said.splitlines() if "Cloning previously run task" in line]
    steps = ("start", "train", "judge")
    assert all(any(f"{first}/{step}/" in line for line in cloned) for step in steps), said
    assert "train/" not in "".join(line for line in said.splitlines() if "is starting" in line)

    found = parse_result(trainer.result.read_text())
    second = found.code_revision.removeprefix("TumourFlow/")
    assert second not in ("", first)
    assert found.uri == f"s3://models/tumours/{second}"
    assert (models / "tumours" / second / "model.joblib").stat().st_size > 0
    assert len(load(models / "tumours" / second).features) == 30
    figures = {m.name: float(m.value) for m in found.metrics}
    assert figures["accuracy"] > 0.93
    assert {part.name for part in found.slices} == {"small", "large"}
    assert sum(part.samples for part in found.slices) == 190


def test_tags_tell_the_run_and_parameters_reach_the_flow(trainer: Trainer) -> None:
    tagged = "from metaflow import current; self.tags = sorted(current.tags)"
    trainer.written(f"{tagged}; {REPORT[:-1]}, 'data_revision': ' '.join(self.tags)}}")
    code, said = trainer.attempt()
    assert code == 0, said
    tags = parse_result(trainer.result.read_text()).data_revision.split()
    assert {"evenkeel.dev/run:tumours-1a", "evenkeel.dev/cause:Alert"} <= set(tags)
    trainer.parameters = {"epocs": "3"}
    trainer.uid += "-other"
    code, said = trainer.attempt()
    assert (code, "no such option: --epocs" in said) == (2, True)


def test_another_run_of_the_same_name_begins_anew(trainer: Trainer) -> None:
    trainer.written()
    assert trainer.attempt(PROBLEM="no data")[0] == 1
    assert "the expensive step runs" not in trainer.attempt(PROBLEM="no data")[1]
    trainer.uid += "-other"
    code, said = trainer.attempt()
    assert (code, "the expensive step runs" in said) == (0, True)


def test_a_pod_that_is_ended_is_resumed_by_the_next(trainer: Trainer) -> None:
    trainer.written()
    started = trainer.started(WAITS="1")
    assert started.stdout is not None
    assert any("the last step waits" in line for line in started.stdout)
    started.terminate()
    started.communicate(timeout=SECONDS)
    assert started.returncode not in (0, 1)
    code, said = trainer.attempt()
    assert (code, "the expensive step runs" in said) == (0, False), said


def test_a_run_that_is_gone_cannot_be_resumed_and_begins_anew(trainer: Trainer) -> None:
    trainer.written()
    folder = trainer.store.buckets / "flows" / "metaflow" / "_evenkeel"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / trainer.uid).write_text("123")
    code, said = trainer.attempt()
    assert code == 0, said
    assert "Resume could not find run id 123" in said
    assert "run 123 cannot be resumed, so the flow starts anew" in said
    assert "the expensive step runs" in said


def test_a_report_that_cannot_be_used_fails_the_attempt_alone(trainer: Trainer) -> None:
    trainer.written("pass")
    code, said = trainer.attempt()
    assert code == 1
    assert "has no artifact evenkeel_result" in said
    trainer.written(f"{REPORT[:-1]}, 'metric': {{}}}}")
    trainer.uid += "-other"
    code, said = trainer.attempt()
    assert (code, "has the unknown keyword 'metric'" in said) == (1, True)
    assert not trainer.result.exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch"),
        ({"METAFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect to the endpoint"),
        ({"METAFLOW_DATASTORE_SYSROOT_S3": "s3://nowhere/m"}, "S3 object not found"),
    ],
    ids=["credentials", "address", "bucket"],
)
def test_a_store_that_refuses_is_told_soon(
    trainer: Trainer, wrong: dict[str, str], words: str
) -> None:
    trainer.written()
    code, said = trainer.attempt(**wrong)
    assert code == 1
    assert words in said


RUN = "tumours-1a"


@pytest.fixture
async def w(api_server: ApiServer, namespace: str, tmp_path: Path) -> AsyncIterator[World]:
    """A world with an operator, in which Jobs make pods."""
    with controllers(api_server, tmp_path, "job-controller"):
        async with world(api_server, namespace) as made, made.operator():
            yield made


async def attempted(w: World, trainer: Trainer) -> tuple[int, str]:
    """The test plays the kubelet, the flow is real. Endpoint and credentials are the test's."""
    await until(lambda: len(going(w.ns, RUN)) == 1, "a pod")
    (pod,) = going(w.ns, RUN)
    (container,) = pod["spec"]["containers"]
    told = kubelet_expansion.environment(container)
    here = {k: v for k, v in told.items() if not k.startswith("AWS_") and "ENDPOINT" not in k}
    code, said = await asyncio.to_thread(trainer.attempt, **here)
    message = said[-2000:] if code else trainer.result.read_text()
    tell(w.ns, pod, "Failed" if code else "Succeeded", ended("trainer", code, message))
    return code, said


async def test_the_example_goes_from_its_run_to_a_version_that_passed_its_gates(
    w: World, trainer: Trainer
) -> None:
    schedule: Any = next(yaml.safe_load_all((EXAMPLE / "schedule.yaml").read_text()))
    made = manifest("TrainingRun", "{}", RUN)
    made["spec"] |= {name: schedule["spec"][name] for name in ("model", "training", "gates")}
    made["spec"]["training"]["parameters"]["models"] = "s3://loop/tumours"
    w.ns.create(made)
    assert (await attempted(w, trainer))[0] == 1
    trainer.store.bucket("loop")
    code, said = await attempted(w, trainer)
    assert code == 0, said
    assert "Cloning previously run task" in said
    await until(lambda: w.ns.ready(RUN, "TrainingRun").get("reason") == "Succeeded")
    (version,) = w.ns.all("ModelVersion")
    assert version["spec"]["uri"].startswith("s3://loop/tumours/")
    assert version["spec"]["codeRevision"].startswith("TumourFlow/")
    name = version["metadata"]["name"]
    await until(lambda: w.ns.ready(name, "ModelVersion").get("status") == "True")
