"""The container that warms a pod up, and what becomes of wrong wishes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from evenkeel.api import ClusterServingRuntime
from evenkeel.meta.refusal import Refused
from evenkeel.serving.model_source import Target
from evenkeel.serving.pod_template import pod_template
from evenkeel.serving.progress_deadline import progress_deadline
from evenkeel.serving.revision import revision_name
from evenkeel.sidecars.warm_up import Config, config

from dev.paths import ROOT
from tests.support.serving_examples import (
    REVISION,
    SETTINGS,
    TARGET,
    built,
    model_deployment,
    runtime_spec,
)

BODY = {"body": "{}"}
PATH = {"warmUp": {"path": "/v2/models/{{.Name}}/infer"}}
RUNTIME = runtime_spec(**PATH)
RUNTIMES = [p for p in Path(ROOT, "config", "runtimes").glob("*.yaml") if p.stem != "kustomization"]


def warm_up(
    wished: dict[str, Any] | None = None, runtime: Any = RUNTIME, **spec: Any
) -> dict[str, Any]:
    template = built(model_deployment(warmUp=wished or BODY, **spec), runtime)
    found: dict[str, Any] = template["spec"]["containers"][-1]
    assert found["name"] == "warm-up"
    return found


def environment(container: dict[str, Any]) -> dict[str, str]:
    """As the kubelet hands it over where nothing is expanded."""
    return {e["name"]: e["value"].replace("$$", "$") for e in container["env"]}


def configured(*args: Any, **spec: Any) -> Config:
    return config(environment(warm_up(*args, **spec)))


def refused(runtime: Any = RUNTIME, target: Target = TARGET, **wished: Any) -> Refused:
    md = model_deployment(warmUp=wished)
    result = pod_template(md, REVISION, target, runtime, SETTINGS)
    assert isinstance(result, Refused), result
    return result


def test_without_a_wish_there_is_none() -> None:
    assert [c["name"] for c in built(runtime=RUNTIME)["spec"]["containers"]] == ["server"]


def test_it_asks_the_model_server_as_the_runtime_says() -> None:
    assert configured() == Config(
        port=8080,
        listen=8099,
        path="/v2/models/fraud/infer",
        ready_path="",
        body=b"{}",
        content_type="application/json",
        requests=10,
        concurrency=1,
        timeout=30.0,
        strict=True,
    )


def test_it_asks_as_the_user_says() -> None:
    wished = {
        "path": "/score",
        "body": "a,b\n$(HOME) $$",
        "contentType": "text/csv",
        "requests": 7,
        "concurrency": 2,
        "timeoutSeconds": 90,
        "failurePolicy": "Ignore",
    }
    made = configured(wished, runtime_spec())
    assert made.body == b"a,b\n$(HOME) $$"
    assert made[2:3] + made[5:] == ("/score", "text/csv", 7, 2, 90.0, False)


def test_the_kubelet_expands_nothing() -> None:
    (body,) = [e for e in warm_up({"body": "$(HOME) $$"})["env"] if e["name"] == "WARM_UP_BODY"]
    assert body["value"] == "$$(HOME) $$$$"


def test_the_pod_is_ready_only_when_it_is() -> None:
    made = warm_up()
    probe = made["readinessProbe"]
    assert probe["httpGet"] == {"path": "/ready", "port": 8099}
    assert (probe["periodSeconds"], probe["failureThreshold"]) == (1, 1)
    assert made["ports"] == [{"name": "warm-up", "containerPort": 8099}]
    assert environment(made)["WARM_UP_LISTEN"] == "8099"


def test_it_waits_for_the_model_servers_own_probe() -> None:
    container = {
        "name": "server",
        "ports": [{"name": "own", "containerPort": 9000}],
        "readinessProbe": {"httpGet": {"path": "/v2/ready", "port": "own"}},
    }
    made = configured(runtime=runtime_spec(containers=[container], **PATH))
    assert (made.port, made.ready_path) == (9000, "/v2/ready")
    for other in ({"port": 1}, {"port": "own", "scheme": "HTTPS"}):
        container["readinessProbe"] = {"httpGet": {"path": "/v2/ready", **other}}
        assert configured(runtime=runtime_spec(containers=[container], **PATH)).ready_path == ""


def test_it_follows_what_the_overlay_says_of_the_server() -> None:
    server = {"name": "server", "ports": [{"name": "http", "containerPort": 8099}]}
    made = configured(podTemplate={"spec": {"containers": [server]}})
    assert (made.port, made.listen) == (8099, 8100)


def test_its_resources_are_small_and_the_users_to_change() -> None:
    made = warm_up()
    assert made["resources"]["limits"]["memory"] == "64Mi"
    assert set(made["resources"]["requests"]) == {"cpu", "memory"}
    overlay = {"containers": [{"name": "warm-up", "resources": {"requests": {"cpu": "50m"}}}]}
    made = warm_up(podTemplate={"spec": overlay})
    assert made["resources"]["requests"] == {"cpu": "50m", "memory": "32Mi"}
    assert made["image"] == "example.test/operator:1"


def test_it_is_restricted_and_stays_ready_while_the_server_drains() -> None:
    made = warm_up()
    assert made["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert made["lifecycle"] == {"preStop": {"sleep": {"seconds": SETTINGS.drain_seconds}}}


def test_the_body_may_lie_beside_the_model() -> None:
    for wished, file in (({}, "warm-up.json"), ({"bodyFile": "in/a.bin"}, "in/a.bin")):
        made = warm_up({"requests": 3, **wished})
        assert environment(made)["WARM_UP_BODY_FILE"] == f"/mnt/models/{file}"
        assert made["volumeMounts"] == [
            {"name": "model", "mountPath": "/mnt/models", "readOnly": True}
        ]
    assert "volumeMounts" not in warm_up()


def test_what_cannot_be_sent_is_refused() -> None:
    assert refused(runtime_spec(), body="x").reason == "WarmUpWithoutPath"
    assert refused(target=Target("file:///opt/model")).reason == "WarmUpWithoutBody"
    wrong = runtime_spec(warmUp={"path": "/{{.Nope}}"})
    assert refused(wrong, body="x").reason == "UnknownPlaceholder"


def test_the_deadline_has_room_for_it() -> None:
    """A third of ten requests at a time, 60 s each, after a probe of 10 s."""
    wished = {"requests": 10, "concurrency": 3, "timeoutSeconds": 120, **BODY}
    md = model_deployment(warmUp=wished)
    made = built(md, RUNTIME)
    assert progress_deadline(md, made) == 10 + 4 * 120 + 300


def name(runtime: Any = RUNTIME, **spec: Any) -> str:
    return revision_name("fraud", TARGET, runtime, model_deployment(**spec).spec)


def test_another_warm_up_is_another_revision() -> None:
    assert name(warmUp=BODY) != name()
    assert name(warmUp={"body": "x"}) != name(warmUp=BODY)


def test_the_runtimes_path_makes_a_revision_only_where_it_is_used() -> None:
    assert name(runtime_spec()) == name()
    assert name(runtime_spec(), warmUp=BODY) != name(warmUp=BODY)
    own = {**BODY, "path": "/own"}
    assert name(runtime_spec(), warmUp=own) == name(warmUp=own)


@pytest.mark.parametrize("file", RUNTIMES, ids=lambda file: str(file.stem))
def test_every_shipped_runtime_can_be_warmed_up(file: Path) -> None:
    runtime = ClusterServingRuntime.model_validate(yaml.safe_load(file.read_text())).spec
    made = configured(runtime=runtime)
    (server,) = built(runtime=runtime)["spec"]["containers"]
    assert made.port == 8080
    assert made.ready_path == server["readinessProbe"].get("httpGet", {}).get("path", "")
    assert made.path.startswith(("/v1/", "/v2/models/fraud/infer"))
