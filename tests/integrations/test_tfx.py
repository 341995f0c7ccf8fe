"""TFX itself: its report of models that were blessed or not, and the one that it pushed, served by
MLServer as the example's runtime says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import yaml
from evenkeel.api import RetrainSchedule, ServingRuntime
from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.trainingrun import TrainingResult
from evenkeel.training.result import parse_result
from evenkeel.verdict.indicators import Queries, Side, resolve
from evenkeel.versions.gates import Figures, evaluate
from prometheus_client.parser import text_string_to_metric_families

from dev.cluster.ports import free_port
from dev.cluster.processes import Daemon, Processes
from dev.environment import interpreter
from dev.paths import ROOT
from tests.support.serving_examples import built

EXAMPLE = ROOT / "examples" / "tfx"
RUNTIME = ROOT / "examples" / "runtimes" / "tensorflow"
SCRIPT = Path(__file__).with_name("run_tfx.py")
SECONDS = 2400
NIGHT = "shift:night"


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which the example ran twice, and what it said."""
    folder = tmp_path_factory.mktemp("tfx")
    done = subprocess.run(
        [interpreter("tfx"), SCRIPT, folder, EXAMPLE],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT / "operator"),
            "TF_USE_LEGACY_KERAS": "1",
        },
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return folder, done.stdout


def failed_gates(found: TrainingResult) -> list[str]:
    """Those of the example's schedule, with no version in production."""
    schedule: Any = next(yaml.safe_load_all((EXAMPLE / "schedule.yaml").read_text()))
    gates = RetrainSchedule.model_validate(schedule).spec.gates
    results = evaluate(gates, Figures("new", found.metrics, found.slices), None)
    return [result.name for result in results if not result.passed]


def reported(folder: Path, name: str) -> tuple[TrainingResult, dict[str, float]]:
    found = parse_result((folder / name / "result.json").read_text())
    return found, {metric.name: float(metric.value) for metric in found.metrics}


def test_a_blessed_model_is_pushed_and_reported(pipelines: tuple[Path, str]) -> None:
    folder, _ = pipelines
    found, metrics = reported(folder, "blessed")
    assert (found.uri, found.format.name) == ("pvc://models/deliveries/blessed", "tensorflow")
    assert (metrics["tfx.blessed"], metrics["tfdv.anomalies"]) == (1, 0)
    assert metrics["binary_accuracy"] > 0.8
    assert failed_gates(found) == []
    assert {part.name for part in found.slices} == {"shift:day", NIGHT}
    assert sum(part.samples for part in found.slices) == metrics["example_count"]
    (night,) = (part for part in found.slices if part.name == NIGHT)
    assert float({m.name: m.value for m in night.metrics}["binary_accuracy"]) > 0.8
    (version,) = (folder / "models" / "blessed").iterdir()
    assert version.name.isdecimal()
    assert (version / "saved_model.pb").exists()


def test_one_that_is_not_blessed_says_so_and_why_and_is_not_pushed(
    pipelines: tuple[Path, str],
) -> None:
    folder, said = pipelines
    found, metrics = reported(folder, "refused")
    assert (metrics["tfx.blessed"], metrics["tfdv.anomalies"]) == (0, 2)
    assert failed_gates(found) == ["blessed", "expected-data"]
    assert {part.name for part in found.slices} == {"shift:day", NIGHT}
    assert not (folder / "models" / "refused").exists()
    assert "the model is not blessed" in said
    assert re.search(r"binary_accuracy of all is 0\.\d+, not value_threshold .*0\.999", said)
    assert "shift: Unexpected string values" in said


def test_names_tell_models_outputs_classes_and_crossings_apart(
    pipelines: tuple[Path, str],
) -> None:
    assert json.loads((pipelines[0] / "names.json").read_text()) == {
        "metrics": [
            "auc",
            "auc",
            "baseline/auc",
            "diff/auc",
            "click/auc@top_k_3",
            "auc@class_id_0",
            "auc@macro_average",
        ],
        "slices": ["", "day:12345678,at:night"],
    }


class Server(NamedTuple):
    """MLServer with the pushed model, as the runtime sets it up."""

    url: str
    metrics_url: str
    ready: str

    def infer(self, **inputs: Sequence[float]) -> httpx.Response:
        tensors = [
            {"name": name, "datatype": "FP32", "shape": [len(data), 1], "data": data}
            for name, data in inputs.items()
        ]
        url = f"{self.url}/v2/models/fraud/infer"
        return httpx.post(url, json={"inputs": tensors}, timeout=60)


def runtime() -> ServingRuntime:
    text = (RUNTIME / "runtime.yaml").read_text()
    return ServingRuntime.model_validate(yaml.safe_load(text))


@pytest.fixture(scope="module")
def server(
    pipelines: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mlserver")
    container = built(runtime=runtime().spec)["spec"]["containers"][0]
    own = {e["name"]: e["value"] for e in container["env"] if e["name"].startswith("MLSERVER_")}
    assert own["MLSERVER_MODEL_URI"] == "/mnt/models"
    del own["MLSERVER_LOGGING_SETTINGS"]  # a file of containers
    ports = {name: free_port() for name in ("HTTP", "GRPC", "METRICS")}
    python = interpreter("mlserver-tensorflow")
    here = {
        "MLSERVER_MODEL_URI": str(pipelines[0] / "models" / "blessed"),
        "MLSERVER_MODELS_DIR": str(folder),
        "MLSERVER_METRICS_DIR": str(folder),
        **{f"MLSERVER_{name}_PORT": str(port) for name, port in ports.items()},
    }
    system = {"PATH": os.environ["PATH"], "PYTHONPATH": str(RUNTIME)}
    found = Server(
        f"http://127.0.0.1:{ports['HTTP']}",
        f"http://127.0.0.1:{ports['METRICS']}{runtime().spec.metrics.path}",  # type: ignore[union-attr]
        container["readinessProbe"]["httpGet"]["path"],
    )
    command = (str(python.with_name("mlserver")), "start", str(folder))
    processes = Processes(folder, die_with_parent=True)
    processes.start(Daemon("mlserver", command, {**system, **own, **here}))
    try:
        processes.wait_for(
            "mlserver", lambda: is_ready(found), 300, "MLServer loads", "see its log"
        )
        yield found
    finally:
        processes.stop("mlserver")


def is_ready(server: Server) -> bool:
    try:
        return httpx.get(f"{server.url}{server.ready}", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def counted(query: str, text: str) -> float:
    """The sum of the samples that the query's selectors choose, but for the scrape's own labels."""
    total = 0.0
    for name, labels in re.findall(r'([\w:]*)\{((?:[^{}"]|"[^"]*")*)\}', query):
        wanted = {
            key: re.compile(value if operator == "=~" else re.escape(value))
            for key, operator, quoted in re.findall(r'(\w+)(=~|=)("[^"]*")', labels)
            if key not in ("namespace", "pod")
            for value in [json.loads(quoted)]
        }
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                seen = {**sample.labels, "__name__": sample.name}
                fits = all(v.fullmatch(seen.get(key, "")) for key, v in wanted.items())
                if fits and name in ("", sample.name):
                    total += sample.value
    return total


def test_the_pushed_model_is_served_and_its_failures_are_counted(server: Server) -> None:
    told = httpx.get(f"{server.url}/v2/models/fraud", timeout=60).json()
    assert {(i["name"], i["datatype"]) for i in told["inputs"]} == {
        ("distance", "FP32"),
        ("traffic", "FP32"),
    }
    answer = server.infer(distance=[0.95, 0.05], traffic=[0.95, 0.05]).raise_for_status().json()
    assert answer["model_version"] == "fraud-7"
    late, early = answer["outputs"][0]["data"]
    assert late > 0.5 > early

    missing = server.infer(distance=[0.5])
    assert (missing.status_code, "inputs must be distance, traffic" in missing.text) == (400, True)
    assert server.infer(distance=[0.5, 0.1], traffic=[0.5, 0.1, 0.7]).status_code == 400

    text = httpx.get(server.metrics_url, timeout=60).text
    metrics: Any = runtime().spec.metrics
    side = Side("shop", "fraud", "fraud-0123456789")
    for name, threshold, good in (("errors", None, 1), ("latency", "10", 3)):
        found = resolve(IndicatorSpec(name=name, threshold_seconds=threshold), metrics, side)
        assert isinstance(found, Queries), found
        assert (counted(found.total, text), counted(str(found.good), text)) == (3, good), name
