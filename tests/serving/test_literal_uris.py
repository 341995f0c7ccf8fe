"""The address of a model reaches the pod letter by letter, whatever the kubelet makes of it."""

from __future__ import annotations

import string
from typing import Any

import pytest
from evenkeel.api.uri import uri_problem
from evenkeel.meta.refusal import Refused
from evenkeel.serving.model_source import Target
from evenkeel.serving.pod_template import pod_template
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.support.kubelet_expansion import arguments, environment, expanded
from tests.support.serving_examples import REVISION, SETTINGS, built, model_deployment, runtime_spec

Json = dict[str, Any]
SECRETS = {"AWS_SECRET_ACCESS_KEY": "hunter2", "A": "hunter2"}
PRINTABLE = "".join(c for c in map(chr, range(32, 127)))
PATHS = st.text(PRINTABLE, min_size=1, max_size=24)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(B)", "$(B)"),
        ("a$b$", "a$b$"),
        ("$(A", "$(A"),
        ("x$$", "x$"),
        ("$(A)$(A)", "11"),
    ],
)
def test_the_kubelet_s_expansion_is_understood(text: str, after: str) -> None:
    assert expanded(text, {"A": "1"}) == after


def container(template: Json, field: str, name: str) -> Json:
    found: Json = next(c for c in template["spec"][field] if c["name"] == name)
    return found


@given(st.sampled_from(["s3", "gs", "http", "https", "hf"]), PATHS)
@example("s3", "price$$/m")
@example("https", "$(AWS_SECRET_ACCESS_KEY)")
@example("s3", "a folder/m")
def test_a_download_is_called_with_the_very_address(scheme: str, path: str) -> None:
    uri = f"{scheme}://bucket/{path}"
    assume(uri_problem(uri) is None)
    template = built(target=Target(uri))
    initializer = container(template, "initContainers", "storage-initializer")
    assert arguments(initializer, SECRETS) == [uri, "/mnt/models"]


@given(PATHS)
@example("$(A)/b c")
def test_a_path_in_the_image_reaches_arguments_and_variables(path: str) -> None:
    uri = f"file:///{path}"
    assume(uri_problem(uri) is None)
    runtime = runtime_spec(
        containers=[
            {
                "name": "server",
                "command": ["serve", "{{.ModelPath}}"],
                "args": ["--model={{.ModelPath}}", "--home=$(HOME_DIR)"],
                "env": [
                    {"name": "HOME_DIR", "value": "/srv"},
                    {"name": "MODEL", "value": "{{.ModelPath}}"},
                ],
                "ports": [{"name": "http", "containerPort": 8080}],
                "readinessProbe": {"exec": {"command": ["test", "{{.ModelPath}}"]}},
                "lifecycle": {"postStart": {"exec": {"command": ["look", "{{.ModelPath}}"]}}},
            }
        ]
    )
    server = container(built(target=Target(uri), runtime=runtime), "containers", "server")
    words = ["serve", f"/{path}", f"--model=/{path}", "--home=/srv"]
    assert arguments(server, {}) == words
    told = environment(server)
    assert (told["MODEL"], told["EVENKEEL_MODEL_PATH"]) == (f"/{path}", f"/{path}")
    probe, hook = server["readinessProbe"], server["lifecycle"]["postStart"]
    assert expanded(probe["exec"]["command"][1], told) == f"/{path}"
    assert hook["exec"]["command"][1] == f"/{path}"


@given(st.text(PRINTABLE.replace("/", ""), min_size=1, max_size=24))
@example("dir x$(A)")
def test_a_folder_of_a_claim_is_its_literal_sub_path(folder: str) -> None:
    uri = f"pvc://claim/{folder}/7"
    assume(uri_problem(uri) is None)
    server = container(built(target=Target(uri)), "containers", "server")
    (mount,) = (m for m in server["volumeMounts"] if m["name"] == "model")
    assert mount["subPath"] == f"{folder}/7"
    assert "subPathExpr" not in mount


@given(st.text(string.printable, max_size=40), st.sampled_from(["", "pvc://c/", "s3://b/", "x:/"]))
def test_any_text_is_served_or_refused_with_words(text: str, scheme: str) -> None:
    uri = scheme + text
    made = pod_template(model_deployment(), REVISION, Target(uri), runtime_spec(), SETTINGS)
    if uri_problem(uri) is None:
        assert not isinstance(made, Refused)


def test_a_warm_up_and_its_probe_s_path_name_no_variables() -> None:
    runtime = runtime_spec(
        containers=[
            {
                "name": "server",
                "ports": [{"name": "http", "containerPort": 8080}],
                "readinessProbe": {"httpGet": {"path": "/ready/$(A)", "port": "http"}},
            }
        ]
    )
    md = model_deployment(warmUp={"path": "/v1/$(A)", "body": "$$(A)"})
    told = environment(container(built(md, runtime), "containers", "warm-up"))
    assert told["WARM_UP_PATH"] == "/v1/$(A)"
    assert told["WARM_UP_BODY"] == "$$(A)"
    assert told["WARM_UP_READY_PATH"] == "/ready/$(A)"
