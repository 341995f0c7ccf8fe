"""A manifest means the same whichever way it was applied."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from evenkeel.api import ModelDeployment
from evenkeel.kube.client import Client
from evenkeel.meta.resources import CONFIG_MAP
from evenkeel.serving.revision import revision_name

from tests.support.api_server import ApiServer
from tests.support.manifests import manifest
from tests.support.operating import configuration
from tests.support.serving_examples import REVISION, TARGET, built, runtime_spec

JSON = dict[str, Any]
Way = Callable[[ApiServer, str, JSON, JSON], None]

PROBE = {"httpGet": {"path": "/", "port": "http"}}
RUNTIME = runtime_spec(
    containers=[
        {
            "name": "model",
            "image": "x",
            "ports": [{"name": "http", "containerPort": 8080}],
            "livenessProbe": PROBE,
            "startupProbe": PROBE,
        }
    ]
)
BEFORE = manifest("ModelDeployment", "model: {uri: 's3://m/1', format: {name: sklearn}}")
AFTER = copy.deepcopy(BEFORE)
AFTER["spec"]["podTemplate"] = {
    "remove": [
        "spec.containers[name=model].livenessProbe",
        "spec.containers[name=model].startupProbe",
    ],
    "spec": {"priorityClassName": "high"},
}


def create(server: ApiServer, namespace: str, before: JSON, after: JSON) -> None:
    run(server, namespace, after, "create")


def replace(server: ApiServer, namespace: str, before: JSON, after: JSON) -> None:
    run(server, namespace, before, "create")
    run(server, namespace, after, "replace")


def apply_new(server: ApiServer, namespace: str, before: JSON, after: JSON) -> None:
    run(server, namespace, after, "apply")


def apply_later(server: ApiServer, namespace: str, before: JSON, after: JSON) -> None:
    run(server, namespace, before, "apply")
    run(server, namespace, after, "apply")


def server_side_new(server: ApiServer, namespace: str, before: JSON, after: JSON) -> None:
    run(server, namespace, after, "apply", "--server-side")


def server_side_later(server: ApiServer, namespace: str, before: JSON, after: JSON) -> None:
    run(server, namespace, before, "apply", "--server-side")
    run(server, namespace, after, "apply", "--server-side")


def run(server: ApiServer, namespace: str, obj: JSON, *command: str) -> None:
    server.kubectl(*command, "-n", namespace, "-f", "-", stdin=yaml.safe_dump(obj))


WAYS: tuple[Way, ...] = (
    create,
    replace,
    apply_new,
    apply_later,
    server_side_new,
    server_side_later,
)


def stored(server: ApiServer, namespace: str) -> ModelDeployment:
    return ModelDeployment.model_validate(server.get("ModelDeployment", namespace, "example"))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_runtimes_field_is_removed(api_server: ApiServer, namespace: str, way: Way) -> None:
    way(api_server, namespace, BEFORE, AFTER)
    md = stored(api_server, namespace)
    expected = ModelDeployment.model_validate(AFTER)
    assert revision_name("example", TARGET, RUNTIME, md.spec) == revision_name(
        "example", TARGET, RUNTIME, expected.spec
    )
    spec = built(md, RUNTIME)["spec"]
    assert spec == built(expected, RUNTIME, revision=REVISION)["spec"]
    assert not {"livenessProbe", "startupProbe"} & spec["containers"][0].keys()
    assert spec["priorityClassName"] == "high"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_taking_the_path_out_brings_the_field_back(
    api_server: ApiServer, namespace: str, way: Way
) -> None:
    way(api_server, namespace, AFTER, BEFORE)
    (container,) = built(stored(api_server, namespace), RUNTIME)["spec"]["containers"]
    assert (container["livenessProbe"], container["startupProbe"]) == (PROBE, PROBE)


def test_a_stored_null_removes_the_field_as_well(api_server: ApiServer, namespace: str) -> None:
    """By the ways that store one; client-side apply drops it, hence the paths."""
    nulls = copy.deepcopy(BEFORE)
    overlay = {"containers": [{"name": "model", "livenessProbe": None}]}
    nulls["spec"]["podTemplate"] = {"spec": overlay}
    server_side_new(api_server, namespace, BEFORE, nulls)
    (container,) = built(stored(api_server, namespace), RUNTIME)["spec"]["containers"]
    assert "livenessProbe" not in container


async def test_texts_are_applied_as_they_are(api_server: ApiServer, namespace: str) -> None:
    """The API server reads what is applied as YAML, which has other escapes than JSON."""
    every = range(0x11000)
    text = "".join(chr(n) for n in every if not 0xD800 <= n <= 0xDFFF) + "\U0001f600\U0010ffff"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "text"}}
    async with Client(configuration(api_server), field_manager="test") as client:
        made = await client.apply(CONFIG_MAP, namespace, "text", {**body, "data": {"key": text}})
    assert made["data"]["key"] == text
