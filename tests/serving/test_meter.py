"""The container in front of the model server, and what becomes of the pod around it."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.api.servingruntime import ServingRuntimeSpec
from evenkeel.meta.refusal import Refused
from evenkeel.serving.model_source import Target
from evenkeel.serving.pod_template import pod_template
from evenkeel.serving.ports import port_number, template_ports
from evenkeel.serving.revision import revision_name

from tests.support.serving_examples import (
    REVISION,
    SETTINGS,
    TARGET,
    built,
    model_deployment,
    runtime_spec,
)

PROBE = {"httpGet": {"path": "/v2/ready", "port": "http"}}
SERVER = {
    "name": "server",
    "ports": [
        {"name": "http", "containerPort": 8080},
        {"name": "grpc", "containerPort": 9000},
        {"name": "metrics", "containerPort": 8082},
    ],
    "readinessProbe": PROBE,
    "livenessProbe": {"tcpSocket": {"port": "grpc"}},
    "lifecycle": {"preStop": {"httpGet": {"path": "/drain", "port": "http"}}},
}
BOTH = runtime_spec(containers=[SERVER], metrics={"port": "metrics", "path": "/own"})


def template(runtime: ServingRuntimeSpec | None = None, **spec: Any) -> dict[str, Any]:
    return built(model_deployment(**({"monitoring": {}} | spec)), runtime)


def containers(made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {c["name"]: c for c in made["spec"]["containers"]}


def environment(made: dict[str, Any]) -> dict[str, str]:
    return {e["name"]: e["value"] for e in containers(made)["meter"]["env"]}


def test_without_monitoring_there_is_none() -> None:
    assert list(containers(built(model_deployment()))) == ["server"]


def test_services_lead_to_it_and_it_to_the_model_server() -> None:
    made = template(BOTH)
    meter = containers(made)["meter"]
    assert [(p["name"], p["containerPort"]) for p in meter["ports"]] == [
        ("http", 8090),
        ("grpc", 8091),
        ("metrics", 8092),
    ]
    assert port_number(made["spec"], "http") == 8090
    told = environment(made)
    assert (told["METER_LISTEN"], told["METER_UPSTREAM"]) == (":8090", "127.0.0.1:8080")
    assert (told["METER_GRPC_LISTEN"], told["METER_GRPC_UPSTREAM"]) == (":8091", "127.0.0.1:9000")
    assert told["METER_ADMIN_LISTEN"] == ":8092"
    assert (told["METER_DEPLOYMENT"], told["METER_REVISION"]) == ("fraud", REVISION)
    assert told["METER_VERSION"] == "fraud-7"


def test_clients_keep_the_number_of_the_port_for_grpc() -> None:
    assert template_ports(template(BOTH)) == template_ports(built(runtime=BOTH))
    assert template_ports(template()).grpc is None
    assert "METER_GRPC_LISTEN" not in environment(template())


def test_the_model_servers_probes_and_hooks_go_where_they_went() -> None:
    server = containers(template(BOTH))["server"]
    assert [p["name"] for p in server["ports"]] == ["model-http", "model-grpc", "model-metrics"]
    assert server["readinessProbe"]["httpGet"] == {"path": "/v2/ready", "port": "model-http"}
    assert server["livenessProbe"]["tcpSocket"] == {"port": "model-grpc"}
    assert server["lifecycle"]["preStop"]["httpGet"]["port"] == "model-http"


def test_it_is_ready_when_the_model_server_is_and_drains_with_it() -> None:
    made = template(BOTH)
    assert environment(made)["METER_READY_PATH"] == "/v2/ready"
    assert environment(template())["METER_READY_PATH"] == ""
    meter = containers(made)["meter"]
    assert meter["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 8092}
    assert meter["lifecycle"] == {"preStop": {"sleep": {"seconds": SETTINGS.drain_seconds}}}


def test_a_port_without_a_name_is_served_too() -> None:
    bare = {"name": "server", "ports": [{"containerPort": 5000}]}
    made = template(runtime_spec(containers=[bare]))
    assert environment(made)["METER_UPSTREAM"] == "127.0.0.1:5000"
    assert containers(made)["server"]["readinessProbe"] == {"tcpSocket": {"port": 5000}}


@pytest.mark.parametrize("field", ["containers", "initContainers"])
def test_it_takes_no_port_that_another_has(field: str) -> None:
    other = {"name": "own", "restartPolicy": "Always", "ports": [{"containerPort": 8090}]}
    made = template(BOTH, podTemplate={"spec": {field: [other], "hostNetwork": True}})
    ports = [p["containerPort"] for p in containers(made)["meter"]["ports"]]
    assert ports == [8091, 8092, 8093]


def test_a_proxy_of_the_users_own_stays_between_it_and_the_model_server() -> None:
    proxy = {
        "name": "proxy",
        "ports": [{"name": "http", "containerPort": 7000}],
        "readinessProbe": {"httpGet": {"path": "/up", "port": 7000}},
    }
    server = {"name": "server", "ports": [{"name": "own", "containerPort": 8080}]}
    made = template(runtime_spec(containers=[server, proxy]))
    assert environment(made)["METER_UPSTREAM"] == "127.0.0.1:7000"
    assert environment(made)["METER_READY_PATH"] == "/up"
    assert containers(made)["proxy"]["ports"][0]["name"] == "model-http"
    assert port_number(made["spec"], "http") == 8090


def test_prometheus_gets_all_metrics_from_it() -> None:
    made = template(BOTH)
    assert made["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "8092",
        "prometheus.io/path": "/metrics",
    }
    assert environment(made)["METER_RUNTIME_METRICS"] == "http://127.0.0.1:8082/own"
    made = template()
    assert made["metadata"]["annotations"]["prometheus.io/port"] == "8092"
    assert "METER_RUNTIME_METRICS" not in environment(made)


def test_metrics_on_the_serving_port_are_the_model_servers() -> None:
    made = template(runtime_spec(metrics={"port": "http"}))
    assert environment(made)["METER_RUNTIME_METRICS"] == "http://127.0.0.1:8080/metrics"


def test_it_reads_the_profile_among_the_models_files() -> None:
    made = template(monitoring={"profile": {"file": "a/p.json"}})
    assert environment(made)["METER_PROFILE"] == "/mnt/models/a/p.json"
    mount = containers(made)["meter"]["volumeMounts"][0]
    assert mount == {"name": "model", "mountPath": "/mnt/models", "readOnly": True}


def test_of_a_model_in_the_image_it_has_no_profile() -> None:
    md = model_deployment(monitoring={})
    made = built(md, target=Target("file:///opt/model"))
    assert "METER_PROFILE" not in environment(made)
    mounts = [m["name"] for m in containers(made)["meter"]["volumeMounts"]]
    assert mounts == ["evenkeel-learned", "evenkeel-division"]


def test_it_warms_the_model_server_up_itself() -> None:
    made = template(BOTH, warmUp={"path": "/p", "body": "{}", "requests": 3})
    assert list(containers(made)) == ["server", "meter"]
    told = environment(made)
    assert (told["WARM_UP_PATH"], told["WARM_UP_BODY"]) == ("/p", "{}")
    assert (told["WARM_UP_REQUESTS"], told["WARM_UP_FAILURE_POLICY"]) == ("3", "Fail")


def test_a_warm_up_that_cannot_be_is_refused_as_without_it() -> None:
    md = model_deployment(monitoring={}, warmUp={})
    found = pod_template(md, REVISION, TARGET, runtime_spec(), SETTINGS)
    assert isinstance(found, Refused)
    assert found.reason == "WarmUpWithoutPath"


def test_it_is_restricted_and_has_the_resources_that_are_wished() -> None:
    context = containers(template())["meter"]["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    wished = {"limits": {"memory": "1Gi"}}
    made = template(monitoring={"resources": wished})
    assert containers(made)["meter"]["resources"] == wished


@pytest.mark.parametrize(
    ("max_body_bytes", "memory"),
    [(0, "256Mi"), (8 << 20, "256Mi"), ((8 << 20) + 1, "257Mi"), (64 << 20, "2048Mi")],
)
def test_its_memory_holds_the_largest_bodies(max_body_bytes: int, memory: str) -> None:
    made = template(monitoring={"maxBodyBytes": max_body_bytes})
    assert containers(made)["meter"]["resources"]["limits"] == {"memory": memory}


def test_the_overlay_reaches_it() -> None:
    own = {"name": "meter", "image": "mirror.test/meter:1", "env": [{"name": "A", "value": "b"}]}
    made = template(podTemplate={"spec": {"containers": [own]}})
    assert containers(made)["meter"]["image"] == "mirror.test/meter:1"
    assert environment(made)["A"] == "b"
    assert environment(made)["METER_UPSTREAM"] == "127.0.0.1:8080"


def test_a_runtime_with_a_container_of_its_name_is_refused() -> None:
    other = {"name": "meter", "image": "example.test/other"}
    runtime = runtime_spec(containers=[SERVER, other])
    md = model_deployment(monitoring={})
    found = pod_template(md, REVISION, TARGET, runtime, SETTINGS)
    assert isinstance(found, Refused)
    assert found.reason == "MeterNameTaken"


def name(**spec: Any) -> str:
    return revision_name("fraud", TARGET, BOTH, model_deployment(**spec).spec)


def test_what_is_in_the_pod_makes_another_revision() -> None:
    wished: list[dict[str, Any]] = [
        {},
        {"spacingMilliseconds": 0},
        {"maxBodyBytes": 0},
        {"profile": {"file": "p.json"}},
        {"resources": {"limits": {"memory": "1Gi"}}},
    ]
    names = {name(), *(name(monitoring=one) for one in wished)}
    assert len(names) == 1 + len(wished)
    assert name(monitoring={"spacingMilliseconds": 1000}) == name(monitoring={})


def test_of_labels_only_keys_and_slices_make_another_revision() -> None:
    def of(**wished: Any) -> str:
        keys = {"secretName": wished.pop("keys", "k")}
        return name(monitoring={"feedback": {"keys": keys, **wished}})

    assert len({name(monitoring={}), of(), of(keys="other"), of(slices=["region"])}) == 4
    server = {
        "maxAgeSeconds": 60,
        "windowSeconds": 60,
        "loss": {"threshold": "1"},
        "claimName": "c",
        "resources": {},
    }
    assert of(**server) == of()
    feedback = {"feedback": {"keys": {"secretName": "k"}}}
    assert name(monitoring={**feedback, "risk": {"maxRatio": "0.1"}}) == of()


def test_what_is_learned_comes_to_running_pods_by_a_folder() -> None:
    made = template()
    told = environment(made)
    assert (told["METER_LEARN_ROWS"], told["METER_LEARN_SECONDS"]) == ("10000", "86400")
    mounts = {m["name"]: m for m in containers(made)["meter"]["volumeMounts"]}
    mount = mounts["evenkeel-learned"]
    assert told["METER_LEARNED_PROFILE"] == f"{mount['mountPath']}/evenkeel-profile.json"
    # A file alone (subPath) would never be updated.
    assert set(mount) == {"name", "mountPath", "readOnly"}
    (volume,) = (v for v in made["spec"]["volumes"] if v["name"] == "evenkeel-learned")
    assert volume["configMap"] == {"name": REVISION, "optional": True}
    server = containers(made)["server"]
    assert "evenkeel-learned" not in [m["name"] for m in server["volumeMounts"]]


def test_nothing_is_learned_where_that_is_switched_off() -> None:
    made = template(monitoring={"profile": {"learn": {"rows": 0}}})
    assert not [name for name in environment(made) if name.startswith("METER_LEARN")]
    assert "evenkeel-learned" not in [v["name"] for v in made["spec"]["volumes"]]
    assert "evenkeel-learned" not in [
        v["name"] for v in built(model_deployment())["spec"]["volumes"]
    ]


def test_to_learn_starts_no_revision_where_nobody_asks_for_it() -> None:
    def name(**monitoring: Any) -> str:
        spec = model_deployment(monitoring=monitoring).spec
        return revision_name("fraud", TARGET, BOTH, spec)

    default = {"profile": {"learn": {"rows": 10000, "seconds": 86400}}}
    assert name() == name(**default)
    assert name() != name(profile={"learn": {"rows": 500}})
