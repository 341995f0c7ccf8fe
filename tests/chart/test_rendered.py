"""What the chart renders is taken by a real API server, and wrong values are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from evenkeel.api import KINDS
from evenkeel.controllers import kinds
from evenkeel.process.operator import LEASE_NAME
from evenkeel.process.settings import Settings
from prometheus_client import REGISTRY

from dev.paths import CHART
from tests.chart.conftest import Helm, Render, find
from tests.support.api_server import ApiServer

JSON = dict[str, Any]

EVERYTHING = ("-f", "tests/chart/values.yaml")
SERVED = ("--api-versions=evenkeel.dev/v1alpha1/ClusterServingRuntime",)

VARIANTS: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    ("defaults", (), ()),
    ("everything", (), EVERYTHING),
    ("namespaces", ("watchNamespaces={default,kube-public}",), ()),
    (
        "no rights",
        ("rbac.create=false", "serviceAccount.create=false", "serviceAccount.name=x"),
        (),
    ),
    ("one process", ("leaderElection=false",), ()),
]


def test_lint(helm: Helm) -> None:
    helm("lint", "--strict", str(CHART))
    helm("lint", "--strict", str(CHART), *EVERYTHING)


@pytest.fixture
def restricted(api_server: ApiServer, namespace: str) -> str:
    """A namespace in which pods must meet the restricted Pod Security Standard."""
    modes = ("enforce", "warn", "audit")
    labels = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in modes]
    api_server.kubectl("label", "namespace", namespace, *labels)
    return namespace


@pytest.mark.parametrize(
    ("values", "options"), [v[1:] for v in VARIANTS], ids=[v[0] for v in VARIANTS]
)
def test_the_api_server_takes_it_without_warnings(
    api_server: ApiServer,
    render: Render,
    restricted: str,
    values: tuple[str, ...],
    options: tuple[str, ...],
) -> None:
    objects = render(*values, options=(*options, *SERVED, f"--namespace={restricted}"))
    template = find(objects, "Deployment")["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    pod["metadata"] = {**template["metadata"], "name": "evenkeel", "namespace": restricted}
    text = yaml.safe_dump_all([*objects, pod])
    done = api_server.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=text
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(objects) + 1


def test_pods_that_are_not_restricted_would_be_refused(
    api_server: ApiServer, render: Render, restricted: str
) -> None:
    objects = render("securityContext.allowPrivilegeEscalation=true")
    template = find(objects, "Deployment")["spec"]["template"]
    template["metadata"] |= {"name": "evenkeel", "namespace": restricted}
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", **template})
    done = api_server.kubectl("apply", "--dry-run=server", "-f", "-", stdin=text, check=False)
    assert "allowPrivilegeEscalation" in done.stderr


def test_crds_can_be_left_out(render: Render) -> None:
    assert "CustomResourceDefinition" not in {made["kind"] for made in render("crds.enabled=false")}
    assert "ClusterServingRuntime" not in {
        made["kind"] for made in render("runtimes.enabled=false")
    }


@pytest.mark.parametrize("keep", [True, False])
def test_crds_survive_uninstalling_unless_told_otherwise(render: Render, keep: bool) -> None:
    objects = render(f"crds.keep={str(keep).lower()}")
    crds = [made for made in objects if made["kind"] == "CustomResourceDefinition"]
    assert len(crds) == len(KINDS)
    for crd in crds:
        annotations = crd["metadata"].get("annotations", {})
        assert (annotations.get("helm.sh/resource-policy") == "keep") == keep


def test_the_operator_understands_its_environment(
    render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = render("watchNamespaces={a,b}", "prometheus.tokenSecret.name=t", options=EVERYTHING)
    (container,) = find(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    for variable in container["env"]:
        field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        monkeypatch.setenv(variable["name"], field or variable.get("value", ""))
    settings = Settings.from_environment()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {
        "http": settings.http_port,
        "webhook": settings.webhook_port,
        "metrics": settings.metrics_port,
    }
    assert settings == Settings(
        namespace="metadata.namespace",
        identity="metadata.name",
        watch_namespaces=("a", "b"),
        integrations=tuple(sorted(kinds.integrations())),
        prometheus_url="http://prometheus.monitoring:9090",
        prometheus_token_file="/etc/evenkeel/prometheus/token",
        prometheus_headers=("X-Scope-OrgID=ml", "X-Team=a=b"),
        prometheus_access_dir="/etc/evenkeel/prometheus-access",
        prometheus_allowed=("https://mimir.example/prom", "team-a=http://10.0.0.1:9090"),
        sources_allowed=("https://git.example/ml",),
        webhook_token_file="/etc/evenkeel/webhook/token",
        webhook_secrets=("default=evenkeel-alerts", "kube-public=alert-token"),
        webhook_namespace_label="tenant",
        webhook_grants=("monitoring=team-a", "monitoring=team-b/fraud", "-=*"),
        log_level="debug",
        log_format="plain",
        # The operator's own, wherever that comes from.
        warm_up_image=container["image"],
        meter_image="registry.example.com:5000/ml/meter:1",
        data_image="registry.example.com:5000/ml/data:1",
    )


def test_access_to_prometheus_is_mounted_from_secret_and_configmap(render: Render) -> None:
    pod = find(render(options=EVERYTHING), "Deployment")["spec"]["template"]["spec"]
    (sources,) = [
        v["projected"]["sources"] for v in pod["volumes"] if v["name"] == "prometheus-access"
    ]
    assert sources == [
        {"secret": {"name": "prometheus-access"}},
        {"configMap": {"name": "corporate-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    pod = find(render(), "Deployment")["spec"]["template"]["spec"]
    assert "prometheus-access" not in {v["name"] for v in pod["volumes"]}


def test_services_beside_it_do_not_become_its_settings(render: Render) -> None:
    assert find(render(), "Deployment")["spec"]["template"]["spec"]["enableServiceLinks"] is False


def test_the_defaults_are_the_operators(render: Render) -> None:
    (container,) = find(render(), "Deployment")["spec"]["template"]["spec"]["containers"]
    env = {v["name"].removeprefix("EVENKEEL_").lower(): v.get("value") for v in container["env"]}
    defaults = Settings()
    for name in ("storage_initializer_image", "workers", "log_level", "log_format"):
        assert env[name] == str(getattr(defaults, name))


def test_the_leader_may_write_the_lease_that_it_holds(render: Render) -> None:
    role = find(render(), "Role", "evenkeel-leader-election")
    assert role["rules"][1]["resourceNames"] == [LEASE_NAME]


def _selects(selector: JSON, pod: JSON) -> bool:
    return bool(selector) and selector.items() <= pod["metadata"]["labels"].items()


def test_everything_selects_the_operators_pods_and_nothing_else(render: Render) -> None:
    monitored = ("metrics.podMonitor.enabled=true",)
    objects = render(*monitored, options=EVERYTHING)
    pod = find(objects, "Deployment")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    ports = {port["name"] for port in container["ports"]}
    for name in ("evenkeel-webhook", "evenkeel-metrics"):
        service = find(objects, "Service", name)["spec"]
        assert _selects(service["selector"], pod)
        assert {port["targetPort"] for port in service["ports"]} <= ports
    for kind in ("PodDisruptionBudget", "PodMonitor"):
        assert _selects(find(objects, kind)["spec"]["selector"]["matchLabels"], pod)
    policy = find(objects, "NetworkPolicy")["spec"]
    assert _selects(policy["podSelector"]["matchLabels"], pod)
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == ports
    (endpoint,) = find(objects, "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in ports
    assert not _selects(
        find(objects, "Service", "evenkeel-webhook")["spec"]["selector"],
        find(objects, "Pod", "evenkeel-test"),
    )


def test_alerts_use_metrics_that_the_operator_exports(render: Render) -> None:
    rule = find(render("metrics.prometheusRule.enabled=true"), "PrometheusRule")
    (group,) = rule["spec"]["groups"]
    exported = {
        sample if metric.type != "counter" else f"{metric.name}_total"
        for metric in REGISTRY.collect()
        for sample in (metric.name,)
    }
    for alert in group["rules"]:
        used = set(re.findall(r"\bevenkeel_[a-z_]+", alert["expr"]))
        assert used, alert["alert"]
        assert used <= exported
        assert {"summary", "description"} <= set(alert["annotations"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("replica=2", "additional properties 'replica' not allowed"),
        ("log.level=verbose", "value must be one of 'debug', 'info', 'warning', 'error'"),
        ("watchNamespaces=team", "at '/watchNamespaces': got string, want array"),
        ("watchNamespaces={Team}", "at '/watchNamespaces/0'"),
        ("prometheus.url=prometheus:9090", "at '/prometheus/url'"),
        ("prometheus.url=http://user:pw@prometheus", "at '/prometheus/url'"),
        ("prometheus.allowed={mimir.example}", "at '/prometheus/allowed/0'"),
        ("prometheus.headers.A=", "at '/prometheus/headers/A'"),
        ("rbac.readByName[0].namespace=a", "at '/rbac/readByName/0'"),
        ("image.repository=evenkeel/operator:1.0", "at '/image/repository'"),
        ("image.digest=sha256:abc", "at '/image/digest'"),
        ("integrations.trainjob.enabled=true", "additional properties 'trainjob' not allowed"),
        ("integrations.trainJob.enabled=on", "at '/integrations/trainJob/enabled': got string"),
        ("workers=0", "at '/workers': minimum: got 0, want 1"),
        ("webhook.service.port=http", "at '/webhook/service/port': got string, want integer"),
        ("webhook.namespaces[0].secret=a", "at '/webhook/namespaces/0'"),
        ("webhook.grants[0].to={a/b/c}", "at '/webhook/grants/0/to/0'"),
        ("webhook.grants[0].from=a", "at '/webhook/grants/0'"),
        ("crds.keep=yes", "at '/crds/keep': got string, want boolean"),
        ("resources.limit.memory=1Gi", "additional properties 'limit' not allowed"),
        ("metrics.podMonitor.interval=15", "at '/metrics/podMonitor/interval'"),
        ("serviceAccount.create=false", "serviceAccount.name is needed"),
    ],
)
def test_wrong_values_are_refused(helm: Helm, value: str, message: str) -> None:
    done = helm("template", "evenkeel", str(CHART), f"--set={value}", check=False)
    assert done.returncode != 0
    assert message in done.stderr


def test_several_replicas_need_an_election(helm: Helm) -> None:
    sets = ("--set=replicas=2", "--set=leaderElection=false")
    done = helm("template", "evenkeel", str(CHART), *sets, check=False)
    assert "set leaderElection: true or replicas: 1" in done.stderr
