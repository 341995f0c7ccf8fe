"""The Job that measures a revision: its own pod, asked by loopback, which serves nobody."""

from __future__ import annotations

from typing import Any

from evenkeel.api import ModelDeployment
from evenkeel.api.servingruntime import ServingRuntimeSpec
from evenkeel.meta.refusal import Refused
from evenkeel.performance.job import NAME, load_job
from evenkeel.serving.wanted import Revision

from tests.support.serving_examples import (
    REVISION,
    SETTINGS,
    TARGET,
    assert_owned,
    built,
    model_deployment,
    runtime_spec,
)

JSON = dict[str, Any]
PERFORMANCE = {"latency": {"quantile": "0.9", "seconds": "0.25"}, "durationSeconds": 60}
ASKED = {"body": '{"x": "$(HOME)"}', "path": "/v2/models/fraud/infer"}


def job(md: ModelDeployment, runtime: ServingRuntimeSpec | None = None) -> JSON:
    made = tried(md, runtime)
    assert not isinstance(made, Refused), made
    return made


def tried(md: ModelDeployment, runtime: ServingRuntimeSpec | None = None) -> JSON | Refused:
    runtime = runtime or runtime_spec()
    wanted = Revision(REVISION, TARGET, built(md, runtime))
    profile = md.spec.performance
    assert profile is not None
    return load_job(md, wanted, profile, "fraud-load-1", runtime, SETTINGS.meter_image)


def pod(made: JSON) -> JSON:
    found: JSON = made["spec"]["template"]["spec"]
    return found


def environment(made: JSON) -> dict[str, str]:
    (load,) = pod(made)["containers"]
    return {v["name"]: v["value"] for v in load["env"]}


def test_the_model_server_runs_as_in_production_and_ends_with_the_load() -> None:
    md = model_deployment(performance={**PERFORMANCE, **ASKED}, resources={"limits": {"cpu": "2"}})
    made = job(md)
    template = built(md)["spec"]
    (server,) = [c for c in pod(made)["initContainers"] if c["name"] == "server"]
    assert server == {**template["containers"][0], "restartPolicy": "Always"}
    assert [c["name"] for c in pod(made)["containers"]] == [NAME]
    assert pod(made)["volumes"] == template["volumes"]
    assert pod(made)["restartPolicy"] == "Never"
    assert pod(made)["shareProcessNamespace"] is True
    assert pod(made)["initContainers"][-1] == server, "the model is brought before"


def test_it_is_asked_directly_for_what_the_user_says() -> None:
    told = environment(job(model_deployment(performance={**PERFORMANCE, **ASKED})))
    assert told["LOAD_URL"] == "http://127.0.0.1:8080/v2/models/fraud/infer"
    assert told["LOAD_BODY"] == '{"x": "$$(HOME)"}', "the kubelet hands it on literally"
    assert (told["LOAD_QUANTILE"], told["LOAD_LATENCY_SECONDS"]) == ("0.9", "0.25")
    assert (told["LOAD_MAX_RATE"], told["LOAD_DURATION_SECONDS"]) == ("1000", "60")
    assert told["LOAD_START_SECONDS"] == "600"


def test_nothing_that_finds_pods_that_serve_finds_it() -> None:
    overlay = {
        "metadata": {"labels": {"app": "fraud"}, "annotations": {"team": "a"}},
        "spec": {},
    }
    md = model_deployment(performance={**PERFORMANCE, **ASKED}, podTemplate=overlay, monitoring={})
    made = job(md, runtime_spec(metrics={"port": "http", "path": "/metrics"}))
    assert_owned(made)
    metadata = made["spec"]["template"]["metadata"]
    assert metadata["labels"] == {
        "app.kubernetes.io/managed-by": "evenkeel",
        "evenkeel.dev/performance": "fraud",
    }
    assert metadata["annotations"] == {"team": "a"}
    names = [c["name"] for c in (*pod(made)["containers"], *pod(made)["initContainers"])]
    assert "meter" not in names


def test_behind_the_meter_the_model_server_itself_is_asked() -> None:
    plain = environment(job(model_deployment(performance={**PERFORMANCE, **ASKED})))
    md = model_deployment(performance={**PERFORMANCE, **ASKED}, monitoring={})
    assert environment(job(md)) == plain


def test_what_is_not_said_is_as_in_the_warm_up_requests() -> None:
    warm_up = {"body": "a$b", "contentType": "text/csv", "path": "/invocations"}
    for spec in ({}, {"monitoring": {}}):
        md = model_deployment(performance=PERFORMANCE, warmUp=warm_up, **spec)
        told = environment(job(md))
        assert told["LOAD_URL"] == "http://127.0.0.1:8080/invocations"
        assert (told["LOAD_BODY"], told["LOAD_CONTENT_TYPE"]) == ("a$$b", "text/csv")
        assert "warm-up" not in [c["name"] for c in pod(job(md))["initContainers"]]


def test_a_body_in_the_models_folder_is_read_there() -> None:
    md = model_deployment(performance=PERFORMANCE, warmUp={"path": "/x", "bodyFile": "ask.json"})
    made = job(md)
    (load,) = pod(made)["containers"]
    file = environment(made)["LOAD_BODY_FILE"]
    assert file.endswith("/ask.json")
    assert any(file.startswith(m["mountPath"]) for m in load["volumeMounts"])


def test_the_runtimes_path_is_taken_where_none_is_said() -> None:
    md = model_deployment(performance={**PERFORMANCE, "body": "{}"})
    runtime = runtime_spec(warmUp={"path": "/v2/models/{{.Name}}/infer"})
    assert environment(job(md, runtime))["LOAD_URL"].endswith(":8080/v2/models/fraud/infer")
    refused = tried(md)
    assert isinstance(refused, Refused)
    assert refused.reason == "MeasurementWithoutPath"
    assert "performance.path" in refused.message


def test_it_ends_even_if_the_model_server_never_gets_ready() -> None:
    md = model_deployment(
        performance={**PERFORMANCE, **ASKED}, rollout={"progressDeadlineSeconds": 120}
    )
    made = job(md)
    assert environment(made)["LOAD_START_SECONDS"] == "120"
    assert made["spec"]["activeDeadlineSeconds"] >= 120 + 60
    assert made["spec"]["ttlSecondsAfterFinished"] > 0


def test_it_meets_the_restricted_pod_security_standard() -> None:
    made = job(model_deployment(performance={**PERFORMANCE, **ASKED}))
    assert pod(made)["securityContext"]["runAsNonRoot"] is True
    for container in (*pod(made)["containers"], *pod(made)["initContainers"]):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_no_scrape_finds_the_pod_by_the_name_of_a_port() -> None:
    ports = [
        {"name": "http", "containerPort": 8080},
        {"name": "metrics", "containerPort": 8082},
    ]
    container = {"name": "server", "image": "example.test/server:1", "ports": ports}
    runtime = runtime_spec(containers=[container])
    made = job(model_deployment(performance={**PERFORMANCE, **ASKED}), runtime)
    names = [p["name"] for c in pod(made)["initContainers"] for p in c.get("ports", ())]
    assert names == ["http", "model-metrics"]
