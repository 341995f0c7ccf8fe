"""The runtimes that ship with Evenkeel."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from evenkeel.api import ClusterServingRuntime, ServingRuntime
from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.podtemplate import PATH
from evenkeel.pods.removal import without
from evenkeel.serving.ports import port_number
from evenkeel.verdict.indicators import Queries, Side, resolve
from evenkeel.verdict.sample_times import sample_times

from dev.paths import ROOT, RUNTIMES
from tests.support.serving_examples import built

FOLDER = RUNTIMES
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
TEXTS = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}
RUNTIMES = {name: ClusterServingRuntime.model_validate(text) for name, text in TEXTS.items()}
EXAMPLES = {
    path.parent.name: yaml.safe_load(path.read_text())
    for path in (ROOT / "examples" / "runtimes").glob("*/runtime.yaml")
}
every = pytest.mark.parametrize("name", sorted(RUNTIMES))


def test_the_kustomization_lists_them_all() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert listed == [path.name for path in FILES]


@every
def test_no_field_is_misspelt(name: str) -> None:
    def check(written: Any, known: Any) -> None:
        if isinstance(written, dict) and isinstance(known, dict):
            assert written.keys() <= known.keys()
            for key, value in written.items():
                check(value, known[key])
        elif isinstance(written, list):
            for one, other in zip(written, known, strict=True):
                check(one, other)

    check(TEXTS[name]["spec"], RUNTIMES[name].spec.wire())


@every
def test_its_pods_can_be_built_and_have_probes_of_the_model(name: str) -> None:
    template = built(runtime=RUNTIMES[name].spec)
    container = template["spec"]["containers"][0]
    assert port_number(template["spec"], "http") == 8080
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["timeoutSeconds"] >= 5
    by_request = container["readinessProbe"].get("httpGet", {}).get("path")
    # What listens with its model loaded alone, and counts each request, is not asked.
    assert (by_request is None) == (name == "tensorflow-serving")
    assert by_request not in ("/", "/v2/health/ready")
    assert "{{" not in str(template)


@every
def test_its_metrics_port_exists(name: str) -> None:
    metrics = RUNTIMES[name].spec.metrics
    assert metrics is not None
    template = built(runtime=RUNTIMES[name].spec)
    number = port_number(template["spec"], metrics.port)
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(number)
    assert number is not None


@every
def test_its_indicators_resolve_and_fail_closed(name: str) -> None:
    metrics = RUNTIMES[name].spec.metrics
    assert metrics is not None
    # What counts no requests is judged by the meter alone.
    assert ("errors" in [query.name for query in metrics.indicators]) == (name != "llama-cpp")
    for query in metrics.indicators:
        threshold = query.thresholds[0] if query.thresholds else None
        spec = IndicatorSpec(name=query.name, threshold_seconds=threshold)
        found = resolve(spec, metrics, Side("shop", "fraud", "fraud-0123456789"))
        assert isinstance(found, Queries), found
        assert found.good is not None
        for text in (found.total, found.good):
            assert text.startswith("sum by (pod) (")
            assert 'namespace="shop"' in text
            assert 'pod=~"fraud-0123456789-' in text


def test_mlservers_differ_by_format_and_implementation_only() -> None:
    def without_format(text: dict[str, Any]) -> str:
        stripped = yaml.safe_load(yaml.safe_dump(text))
        del stripped["metadata"], stripped["spec"]["supportedModelFormats"]
        variables = stripped["spec"]["containers"][0]["env"]
        assert variables[0].pop("value").startswith("mlserver_")
        return yaml.safe_dump(stripped)

    mlservers = [text for name, text in TEXTS.items() if name.startswith("mlserver-")]
    assert len(mlservers) == 4
    assert len({without_format(text) for text in mlservers}) == 1


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_those_of_the_examples_are_as_mlservers_but_for_what_they_serve(name: str) -> None:
    def common(text: dict[str, Any]) -> dict[str, Any]:
        spec = ServingRuntime.model_validate({**text, "kind": "ServingRuntime"}).spec.wire()
        del spec["supportedModelFormats"]
        (server,) = spec["containers"]
        del server["image"], server["resources"]
        own = ("MLSERVER_MODEL_IMPLEMENTATION", "MLSERVER_ENV_TARBALL")
        server["env"] = [one for one in server["env"] if one["name"] not in own]
        return spec

    assert common(EXAMPLES[name]) == common(TEXTS["mlserver-sklearn"])
    built(runtime=ServingRuntime.model_validate(EXAMPLES[name]).spec)


def test_no_two_offer_a_format_by_auto_select() -> None:
    offered = [
        offer.name
        for runtime in RUNTIMES.values()
        for offer in runtime.spec.supported_model_formats
        if offer.auto_select
    ]
    assert sorted(offered) == sorted(set(offered))


@every
def test_the_times_of_all_samples_can_be_asked_for(name: str) -> None:
    metrics = RUNTIMES[name].spec.metrics
    assert metrics is not None
    for indicator in metrics.indicators:
        for query in (indicator.total, indicator.good or indicator.bad):
            assert query is not None
            assert sample_times(re.sub("{{.*?}}", "x", query)) is not None, query


def fields(node: Any, path: str) -> Iterator[str]:
    """The paths of all fields and named elements below a node, but for the names themselves."""
    if isinstance(node, dict):
        for key, value in node.items():
            plain = re.fullmatch(r"[A-Za-z0-9_-]+", key)
            here = f"{path}.{key}" if plain else f"{path}[{key}]"
            yield here
            yield from fields(value, here)
    elif isinstance(node, list):
        for item in node:
            if isinstance(item, dict) and "name" in item:
                here = f"{path}[name={item['name']}]"
                yield here
                yield from fields({k: v for k, v in item.items() if k != "name"}, here)


@every
def test_each_field_of_its_pods_can_be_removed_alone(name: str) -> None:
    runtime = RUNTIMES[name].spec
    template = {"metadata": {"labels": {}}, "spec": built(runtime=runtime)["spec"]}
    paths = fields_of(template)
    assert len(paths) > 50
    for path in paths:
        assert re.match(PATH, path), path
        left = without(template, [path], "remove")
        assert isinstance(left, dict), left
        gone = {p for p in paths if p not in set(fields_of(left))}
        assert gone == {p for p in paths if p == path or p.startswith((f"{path}.", f"{path}["))}


def fields_of(template: dict[str, Any]) -> list[str]:
    return [p for part in ("metadata", "spec") for p in fields(template.get(part, {}), part)]
