"""The page on language models: what its examples become, and that it tells what is counted."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from evenkeel.api import ClusterServingRuntime, ModelDeployment
from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.servingruntime import MetricQuery, RuntimeMetrics
from evenkeel.serving.model_source import Target
from evenkeel.serving.ports import HTTP, port_number, template_ports
from evenkeel.traffic import Division, strategy_of
from evenkeel.verdict.indicators import Queries, Side, resolve
from evenkeel.verdict.meter_indicators import METER

from dev.paths import DOCS, ROOT, RUNTIMES
from tests.support.kubelet_expansion import environment, expanded
from tests.support.serving_examples import REVISION, built

PAGE = (DOCS / "llm.md").read_text()
VLLM = ClusterServingRuntime.model_validate(
    yaml.safe_load((RUNTIMES / "vllm.yaml").read_text())
).spec
SIDE = Side("shop", "chat", REVISION, meter=True)


def metrics() -> RuntimeMetrics:
    assert VLLM.metrics is not None
    return VLLM.metrics


def example(heading: str) -> dict[str, Any]:
    """The first manifest below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1]
    found = re.search(r"```yaml\n(.*?)```", section, re.S)
    assert found is not None
    document: dict[str, Any] = yaml.safe_load(found[1])
    document["metadata"] |= {"namespace": "shop", "uid": "0-1-2"}
    return document


def model(heading: str) -> ModelDeployment:
    return ModelDeployment.model_validate(example(heading))


def test_adapters_are_arguments_beside_the_models_own() -> None:
    md = model("Adapters")
    pod = built(md, VLLM, Target(str(md.spec.model.uri)))["spec"]
    (server,) = (c for c in pod["containers"] if c["name"] == "model")
    names = environment(server)
    assert [expanded(argument, names) for argument in server["args"]] == [
        "/mnt/models",
        "--served-model-name=chat",
        "--port=8080",
        "--enable-lora",
        "--max-lora-rank=32",
        "--lora-modules",
        "formal=/mnt/adapters/formal/3",
        "legal=/mnt/adapters/legal/1",
    ]
    assert server["command"] == ["vllm", "serve"]
    mounts = {mount["mountPath"]: mount for mount in server["volumeMounts"]}
    assert mounts["/mnt/adapters"]["readOnly"]
    assert {"/mnt/models", "/tmp", "/dev/shm"} < mounts.keys()
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["adapters"]["persistentVolumeClaim"]["claimName"] == "adapters"
    assert volumes["model"]["persistentVolumeClaim"]["claimName"] == "models"


@pytest.mark.parametrize("source", ["Meter", "Runtime"])
def test_the_first_example_can_be_asked_of_either_source(source: str) -> None:
    analysis = model("Step by step").spec.analysis
    assert analysis is not None
    for given in analysis.indicators:
        spec = given.model_copy(update={"source": source})
        if source == "Runtime" and spec.threshold_seconds is not None:
            assert spec.threshold_seconds in ("1", "0.05")
        assert isinstance(resolve(spec, metrics(), SIDE), Queries)


def test_the_pools_of_the_example_have_pickers_of_their_own() -> None:
    md = model("Endpoint pickers")
    template = built(md, VLLM, Target(str(md.spec.model.uri)))
    number = port_number(template["spec"], HTTP)
    assert number is not None
    ports = template_ports(template)._replace(http={REVISION: number})
    made = strategy_of(md.spec.traffic).objects(md, ports, Division(REVISION))
    (pool,) = (m for m in made if m["kind"] == "InferencePool")
    assert pool["spec"]["endpointPickerRef"]["name"] == f"{REVISION}-epp"


def catalogue(column: int) -> tuple[MetricQuery, ...]:
    return METER if column == 0 else metrics().indicators


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize(
    "name", ["latency", "time-to-first-token", "time-per-output-token", "inter-token-latency"]
)
def test_the_page_has_the_bounds(name: str, column: int) -> None:
    rows: dict[str, list[str]] = {}
    table = PAGE.split("Bounds of `thresholdSeconds` in seconds:")[1].split("\n\n")[1]
    for line in table.splitlines()[2:]:
        names, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows |= dict.fromkeys(re.findall(r"`([^`]+)`", names), cells)
    text = rows[name][column]
    bounds = set(re.findall(r"[0-9.]+", text))
    for other in re.findall(r"as `([^`]+)`", text):
        bounds |= set(re.findall(r"[0-9.]+", rows[other][column]))
    (query,) = (q for q in catalogue(column) if q.name == name)
    assert bounds == set(query.thresholds)


def test_the_meters_histograms_have_the_bounds_of_its_indicators() -> None:
    source = (ROOT / "meter" / "internal" / "metrics" / "metrics.go").read_text()
    for go, name in (("seconds", "latency"), ("tokenSeconds", "time-per-output-token")):
        found = re.search(rf"var {go} = \[\]float64{{(.*?)}}", source, re.S)
        assert found is not None
        (query,) = (q for q in METER if q.name == name)
        assert tuple(re.findall(r"[0-9.]+", found[1])) == query.thresholds


def test_the_page_names_what_is_counted() -> None:
    source = (ROOT / "meter" / "internal" / "metrics" / "metrics.go").read_text()
    of_texts = re.compile(r"evenkeel_model_\w*(?:token|stream|finish)\w*")
    assert set(of_texts.findall(source)) == set(of_texts.findall(PAGE))
    for query in METER:
        spec = IndicatorSpec(name=query.name)
        assert f"`{spec.name}`" in PAGE or query.name == "labels"
