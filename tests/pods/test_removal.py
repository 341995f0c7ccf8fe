"""Fields removed from a pod template by their paths."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from evenkeel.api.podtemplate import PATH
from evenkeel.meta.refusal import Refused
from evenkeel.pods.removal import without

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"team": "a", "example.com/tier": "b"}},
    "spec": {
        "nodeSelector": {"pool": "cpu", "example.com/gpu": "yes"},
        "containers": [
            {
                "name": "model",
                "livenessProbe": {"httpGet": {"path": "/"}, "periodSeconds": 5},
                "env": [{"name": "A"}, {"name": "B"}],
                "ports": [{"containerPort": 8080}, {"containerPort": 8081}],
                "volumeMounts": [{"mountPath": "/tmp", "name": "tmp"}],
                "args": ["--x"],
            },
            {"name": "proxy", "livenessProbe": {}},
        ],
        "tolerations": [{"key": "gpu", "effect": "a"}, {"key": "gpu", "effect": "b"}],
    },
}


def removed(*paths: str) -> dict[str, Any]:
    result = without(TEMPLATE, paths, "remove")
    assert isinstance(result, dict), result
    return result


def refusal(*paths: str) -> str:
    result = without(TEMPLATE, paths, "spec.podTemplate.remove")
    assert isinstance(result, Refused)
    assert result.reason == "NothingToRemove"
    return result.message


def test_a_containers_field_goes_and_nothing_else() -> None:
    wanted = copy.deepcopy(TEMPLATE)
    del wanted["spec"]["containers"][0]["livenessProbe"]
    assert removed("spec.containers[name=model].livenessProbe") == wanted


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("spec.containers[name=proxy]", lambda t: [c["name"] for c in t["spec"]["containers"]]),
        (
            "spec.containers.[name=model].env.[name=B]",
            lambda t: [e["name"] for e in t["spec"]["containers"][0]["env"]],
        ),
        (
            "spec.containers[name=model].ports[containerPort=8081]",
            lambda t: [p["containerPort"] for p in t["spec"]["containers"][0]["ports"]],
        ),
        ("spec.nodeSelector[example.com/gpu]", lambda t: list(t["spec"]["nodeSelector"])),
        ("metadata.labels[example.com/tier]", lambda t: list(t["metadata"]["labels"])),
        ("spec.tolerations[key=gpu]", lambda t: t["spec"]["tolerations"]),
    ],
)
def test_elements_and_keys_are_found(path: str, left: Any) -> None:
    assert re.match(PATH, path)
    known = {
        "spec.containers[name=proxy]": ["model"],
        "spec.containers.[name=model].env.[name=B]": ["A"],
        "spec.containers[name=model].ports[containerPort=8081]": [8080],
        "spec.nodeSelector[example.com/gpu]": ["pool"],
        "metadata.labels[example.com/tier]": ["team"],
        "spec.tolerations[key=gpu]": [],
    }
    assert left(removed(path)) == known[path]


def test_the_order_of_paths_means_nothing() -> None:
    paths = [
        "spec.containers[name=model]",
        "spec.containers[name=model].livenessProbe",
        "spec.containers[name=proxy].livenessProbe",
    ]
    assert removed(*paths) == removed(*reversed(paths))


def test_a_path_that_leads_nowhere_is_refused_with_what_there_is() -> None:
    words = refusal("spec.containers[name=modle].livenessProbe")
    assert words == (
        "spec.podTemplate.remove: spec.containers[name=modle].livenessProbe leads nowhere: "
        "spec.containers has no [name=modle]; there are [name=model], [name=proxy]"
    )
    assert "spec.containers[name=model] has no startupProbe; there are args, env" in refusal(
        "spec.containers[name=model].startupProbe"
    )
    assert "[example.com/gpu], pool" in refusal("spec.nodeSelector.disk")
    assert "there is nothing below it" in refusal("spec.containers[name=model].args.x")


def test_the_template_stays_as_it_was() -> None:
    before = copy.deepcopy(TEMPLATE)
    gone = removed("spec.containers[name=model].livenessProbe", "metadata.labels")
    gone["spec"]["containers"][0]["args"].append("x")
    assert before == TEMPLATE


@pytest.mark.parametrize(
    "path",
    ["spec", "containers[name=a].x", "spec.", "spec..a", "spec.a[0", "spec.a[b=]", "status.x"],
)
def test_what_is_no_path(path: str) -> None:
    assert re.match(PATH, path) is None
