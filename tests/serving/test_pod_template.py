"""The pods of a revision."""

from typing import Any

import pytest
from evenkeel.meta.refusal import Refused
from evenkeel.serving.model_source import Target
from evenkeel.serving.pod_template import pod_template
from evenkeel.serving.ports import port_number
from hypothesis import given
from hypothesis import strategies as st

from tests.support.serving_examples import (
    REVISION,
    SETTINGS,
    TARGET,
    built,
    model_deployment,
    runtime_spec,
)

PORTS = [{"name": "http", "containerPort": 8080}]


def server(template: dict[str, Any], name: str = "server") -> dict[str, Any]:
    container: dict[str, Any] = next(c for c in template["spec"]["containers"] if c["name"] == name)
    return container


def refused(runtime: Any, target: Target = TARGET) -> Refused:
    result = pod_template(model_deployment(), REVISION, target, runtime, SETTINGS)
    assert isinstance(result, Refused), result
    return result


def env(container: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item.get("value") for item in container["env"]}


class TestPlaceholders:
    def test_they_are_replaced_everywhere(self) -> None:
        runtime = runtime_spec(
            modelMountPath="/models/{{.Name}}",
            annotations={"for": "{{ .Namespace }}/{{.Name}}"},
            podSpec={"hostname": "{{.Model}}"},
        )
        template = built(runtime=runtime, md=model_deployment("shop-fraud"))
        assert server(template)["args"] == ["--name=shop-fraud", "--model=/models/shop-fraud"]
        assert template["metadata"]["annotations"]["for"] == "shop/shop-fraud"
        assert template["spec"]["hostname"] == "fraud"
        assert server(template)["volumeMounts"][0]["mountPath"] == "/models/shop-fraud"

    def test_the_version_is_the_model_versions_or_else_the_revision(self) -> None:
        container = {"name": "server", "ports": PORTS, "args": ["{{.Version}}"]}
        runtime = runtime_spec(containers=[container])
        assert server(built(runtime=runtime))["args"] == ["fraud-7"]
        plain = Target("s3://models/fraud/8")
        assert server(built(runtime=runtime, target=plain))["args"] == [REVISION]

    def test_both_revisions_serve_the_same_name(self) -> None:
        one = built(target=TARGET, revision="fraud-0000000000")
        other = built(target=TARGET._replace(version="fraud-8"), revision="fraud-1111111111")
        assert server(one)["args"] == server(other)["args"]

    def test_the_path_of_a_model_in_the_image_is_its_own(self) -> None:
        template = built(target=Target("file:///opt/model"))
        assert server(template)["args"][1] == "--model=/opt/model"
        assert env(server(template))["EVENKEEL_MODEL_PATH"] == "/opt/model"
        assert "volumes" not in template["spec"]
        assert "volumeMounts" not in server(template)

    def test_an_unknown_one_is_refused(self) -> None:
        result = refused(runtime_spec(labels={"class": "{{.Labels.modelClass}}"}))
        assert result.reason == "UnknownPlaceholder"
        assert "{{.Labels.modelClass}}" in result.message
        assert "{{.ModelPath}}" in result.message

    def test_a_chat_template_is_no_placeholder(self) -> None:
        container = {"name": "server", "ports": PORTS, "args": ["{{ messages[0] }}"]}
        assert server(built(runtime=runtime_spec(containers=[container])))["args"] == [
            "{{ messages[0] }}"
        ]


class TestModelServer:
    @pytest.mark.parametrize(
        ("names", "chosen"),
        [
            (["a", "kserve-container", "model"], "model"),
            (["a", "kserve-container"], "kserve-container"),
            (["a", "b"], "a"),
        ],
    )
    def test_it_is_found_by_name_and_else_the_first(self, names: list[str], chosen: str) -> None:
        runtime = runtime_spec(containers=[{"name": name, "ports": PORTS} for name in names])
        template = built(runtime=runtime)
        with_model = [c["name"] for c in template["spec"]["containers"] if "volumeMounts" in c]
        assert with_model == [chosen]

    def test_the_users_variables_win_over_the_runtimes(self) -> None:
        container = {
            "name": "server",
            "ports": PORTS,
            "env": [{"name": "A", "value": "runtime"}, {"name": "B", "value": "runtime"}],
        }
        md = model_deployment(env=[{"name": "B", "value": "user"}, {"name": "C", "value": "user"}])
        variables = env(server(built(md, runtime_spec(containers=[container]))))
        assert {name: variables[name] for name in "ABC"} == {
            "A": "runtime",
            "B": "user",
            "C": "user",
        }
        assert variables["EVENKEEL_MODEL_VERSION"] == "fraud-7"

    def test_the_users_resources_lie_over_the_runtimes(self) -> None:
        container = {
            "name": "server",
            "ports": PORTS,
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
        }
        md = model_deployment(resources={"requests": {"cpu": "2"}})
        assert server(built(md, runtime_spec(containers=[container])))["resources"] == {
            "requests": {"cpu": "2", "memory": "1Gi"}
        }

    def test_the_first_port_becomes_http_and_probes_follow(self) -> None:
        container = {
            "name": "server",
            "ports": [{"name": "h2c", "containerPort": 80}, {"name": "x", "containerPort": 81}],
            "readinessProbe": {"httpGet": {"path": "/", "port": "h2c"}},
            "livenessProbe": {"httpGet": {"path": "/", "port": "x"}},
        }
        found = server(built(runtime=runtime_spec(containers=[container])))
        assert [port["name"] for port in found["ports"]] == ["http", "x"]
        assert found["readinessProbe"]["httpGet"]["port"] == "http"
        assert found["livenessProbe"]["httpGet"]["port"] == "x"

    def test_one_without_a_readiness_probe_is_ready_once_it_listens(self) -> None:
        assert server(built())["readinessProbe"] == {"tcpSocket": {"port": 8080}}

    def test_one_without_ports_is_refused(self) -> None:
        result = refused(runtime_spec(containers=[{"name": "server"}]))
        assert result.reason == "RuntimeWithoutPort"
        assert "'server'" in result.message

    def test_a_proxy_before_it_may_take_the_requests(self) -> None:
        proxy = {"name": "proxy", "ports": [{"name": "http", "containerPort": 9999}]}
        runtime = runtime_spec(
            containers=[{"name": "server", "ports": [{"name": "own", "containerPort": 8080}]}]
        )
        template = built(model_deployment(podTemplate={"spec": {"containers": [proxy]}}), runtime)
        assert port_number(template["spec"], "http") == 9999
        assert server(template)["ports"][0]["name"] == "own"
        assert server(template)["readinessProbe"] == {"tcpSocket": {"port": 8080}}

    def test_a_container_of_the_user_does_not_become_the_model_server(self) -> None:
        sidecar = {"spec": {"containers": [{"name": "model", "image": "x"}]}}
        template = built(model_deployment(podTemplate=sidecar))
        assert "volumeMounts" in server(template)
        assert "volumeMounts" not in server(template, "model")

    def test_it_drains_before_it_ends(self) -> None:
        template = built()
        assert server(template)["lifecycle"] == {"preStop": {"sleep": {"seconds": 10}}}
        assert template["spec"]["terminationGracePeriodSeconds"] > 10

    def test_it_answers_for_as_long_as_its_meter_takes_requests(self) -> None:
        template = built(model_deployment(monitoring={}))
        waits = [
            server(template, name)["lifecycle"]["preStop"]["sleep"]["seconds"]
            for name in ("meter", "server")
        ]
        assert waits == [10, 16]

    def test_a_runtimes_own_hook_and_grace_period_stay(self) -> None:
        hook = {"preStop": {"exec": {"command": ["drain"]}}}
        runtime = runtime_spec(
            containers=[{"name": "server", "ports": PORTS, "lifecycle": hook}],
            podSpec={"terminationGracePeriodSeconds": 900},
        )
        template = built(runtime=runtime)
        assert server(template)["lifecycle"] == hook
        assert template["spec"]["terminationGracePeriodSeconds"] == 900


class TestSecurity:
    def test_every_container_is_restricted(self) -> None:
        sidecar = {"spec": {"containers": [{"name": "sidecar", "image": "x"}]}}
        spec = built(model_deployment(podTemplate=sidecar))["spec"]
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        everyone = [*spec["initContainers"], *spec["containers"]]
        assert [c["name"] for c in everyone] == ["storage-initializer", "server", "sidecar"]
        for container in everyone:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }

    def test_the_user_may_decide_otherwise(self) -> None:
        wanted = {
            "securityContext": {"runAsNonRoot": False, "fsGroup": 5},
            "containers": [
                {
                    "name": "server",
                    "securityContext": {"capabilities": {"drop": [], "add": ["SYS_NICE"]}},
                }
            ],
        }
        template = built(model_deployment(podTemplate={"spec": wanted}))
        assert template["spec"]["securityContext"]["runAsNonRoot"] is False
        assert template["spec"]["securityContext"]["fsGroup"] == 5
        assert server(template)["securityContext"]["capabilities"] == {
            "drop": [],
            "add": ["SYS_NICE"],
        }

    def test_pods_get_no_token_unless_they_have_an_account(self) -> None:
        assert built()["spec"]["automountServiceAccountToken"] is False
        spec = built(model_deployment(serviceAccountName="reader"))["spec"]
        assert spec["serviceAccountName"] == "reader"
        assert "automountServiceAccountToken" not in spec

    def test_service_links_are_off(self) -> None:
        assert built()["spec"]["enableServiceLinks"] is False


class TestMetadata:
    def test_labels_that_selectors_need_cannot_be_overridden(self) -> None:
        md = model_deployment(
            podTemplate={"metadata": {"labels": {"evenkeel.dev/revision": "x", "team": "a"}}}
        )
        labels = built(md, runtime_spec(labels={"tier": "b", "team": "c"}))["metadata"]["labels"]
        assert labels == {
            "app.kubernetes.io/managed-by": "evenkeel",
            "app.kubernetes.io/name": "fraud",
            "evenkeel.dev/deployment": "fraud",
            "evenkeel.dev/revision": REVISION,
            "evenkeel.dev/model": "fraud",
            "team": "a",
            "tier": "b",
        }

    def test_prometheus_is_told_where_the_metrics_are(self) -> None:
        ports = [*PORTS, {"name": "metrics", "containerPort": 8082}]
        runtime = runtime_spec(
            containers=[{"name": "server", "ports": ports}], metrics={"path": "/m"}
        )
        assert built(runtime=runtime)["metadata"]["annotations"] == {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": "8082",
            "prometheus.io/path": "/m",
        }

    def test_without_metrics_nothing_is_scraped(self) -> None:
        assert built()["metadata"]["annotations"] == {}


class TestWishes:
    def test_scheduling_is_the_users_over_the_runtimes(self) -> None:
        runtime = runtime_spec(
            podSpec={"nodeSelector": {"a": "1"}, "tolerations": [{"key": "runtime"}]}
        )
        md = model_deployment(
            nodeSelector={"b": "2"},
            tolerations=[{"key": "user"}],
            affinity={"nodeAffinity": {}},
        )
        spec = built(md, runtime)["spec"]
        assert spec["nodeSelector"] == {"a": "1", "b": "2"}
        assert spec["tolerations"] == [{"key": "user"}]
        assert spec["affinity"] == {"nodeAffinity": {}}

    def test_the_pod_template_has_the_last_word(self) -> None:
        overlaid = {
            "spec": {
                "terminationGracePeriodSeconds": 5,
                "containers": [{"name": "server", "image": "other:2"}],
            }
        }
        template = built(model_deployment(podTemplate=overlaid))
        assert template["spec"]["terminationGracePeriodSeconds"] == 5
        assert server(template)["image"] == "other:2"
        assert port_number(template["spec"], "http") == 8080

    def test_building_leaves_the_inputs_alone(self) -> None:
        md = model_deployment(podTemplate={"spec": {"containers": [{"name": "server"}]}})
        runtime = runtime_spec(podSpec={"securityContext": {}})
        before = md.model_dump(), runtime.model_dump()
        first = built(md, runtime)
        assert (md.model_dump(), runtime.model_dump()) == before
        assert built(md, runtime) == first


class TestRemoval:
    RUNTIME = runtime_spec(
        containers=[
            {
                "name": "server",
                "ports": PORTS,
                "livenessProbe": {"tcpSocket": {"port": "http"}},
                "resources": {"limits": {"memory": "1Gi"}},
            },
            {"name": "proxy", "image": "x"},
        ],
        annotations={"example.com/a": "1"},
        podSpec={"nodeSelector": {"pool": "gpu"}},
    )

    def without(self, *paths: str, **spec: Any) -> dict[str, Any]:
        wished = spec.pop("podTemplate", {})
        md = model_deployment(podTemplate={**wished, "remove": list(paths)}, **spec)
        return built(md, self.RUNTIME)

    def test_parts_of_the_runtime_go(self) -> None:
        template = self.without(
            "spec.containers[name=server].livenessProbe",
            "spec.containers[name=proxy]",
            "spec.nodeSelector",
            "metadata.annotations[example.com/a]",
        )
        assert "livenessProbe" not in server(template)
        assert [c["name"] for c in template["spec"]["containers"]] == ["server"]
        assert "nodeSelector" not in template["spec"]
        assert template["metadata"]["annotations"] == {}

    def test_what_a_pod_has_by_default_goes_too(self) -> None:
        assert "lifecycle" not in server(self.without("spec.containers[name=server].lifecycle"))

    def test_the_users_own_wishes_come_afterwards(self) -> None:
        template = self.without(
            "spec.containers[name=server].resources.limits",
            "spec.containers[name=server].livenessProbe",
            resources={"limits": {"cpu": "2"}},
            podTemplate={
                "spec": {"containers": [{"name": "server", "livenessProbe": {"exec": {}}}]}
            },
        )
        assert server(template)["resources"] == {"limits": {"cpu": "2"}}
        assert server(template)["livenessProbe"] == {"exec": {}}

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("spec.containers[name=serve].livenessProbe", "NothingToRemove"),
            ("spec.containers", "InvalidPodSpec"),
            ("spec.containers[name=server].env[name=EVENKEEL_MODEL_NAME]", "NothingToRemove"),
        ],
    )
    def test_what_is_not_there_is_refused(self, path: str, reason: str) -> None:
        md = model_deployment(podTemplate={"remove": [path]})
        result = pod_template(md, REVISION, TARGET, self.RUNTIME, SETTINGS)
        assert isinstance(result, Refused)
        assert result.reason == reason
        assert "spec.podTemplate.remove" in result.message


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text("{.}/xN", max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(
                [
                    "containers",
                    "initContainers",
                    "volumes",
                    "ports",
                    "env",
                    "volumeMounts",
                    "securityContext",
                    "capabilities",
                    "readinessProbe",
                    "httpGet",
                    "lifecycle",
                    "resources",
                    "name",
                    "containerPort",
                    "mountPath",
                    "serviceAccountName",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
OBJECTS = JSON.filter(lambda node: isinstance(node, dict))


class TestMalformed:
    @given(OBJECTS, OBJECTS, OBJECTS)
    def test_anything_gives_pods_or_a_refusal(
        self, pod_spec: dict[str, Any], container: dict[str, Any], overlaid: dict[str, Any]
    ) -> None:
        runtime = runtime_spec(
            podSpec=pod_spec, containers=[{**container, "name": "server", "ports": PORTS}]
        )
        warm_up = {"path": "/", "body": "{}"}
        md = model_deployment(podTemplate={"spec": overlaid}, warmUp=warm_up)
        result = pod_template(md, REVISION, TARGET, runtime, SETTINGS)
        assert isinstance(result, dict | Refused)

    def test_a_wrong_shape_is_named(self) -> None:
        md = model_deployment(
            podTemplate={"spec": {"containers": [{"name": "server", "ports": "8080"}]}}
        )
        assert pod_template(md, REVISION, TARGET, runtime_spec(), SETTINGS) == Refused(
            "InvalidPodSpec", "spec.podTemplate.spec.containers.ports must be a list of objects"
        )

    def test_no_container_is_left(self) -> None:
        md = model_deployment(podTemplate={"spec": {"containers": None}})
        assert pod_template(md, REVISION, TARGET, runtime_spec(), SETTINGS) == Refused(
            "InvalidPodSpec", "spec.podTemplate.spec leaves no container in the pod"
        )


def test_an_unusable_uri_is_refused() -> None:
    assert refused(runtime_spec(), Target("pvc://")).reason == "InvalidModelURI"
