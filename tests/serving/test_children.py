"""The objects that serve a ModelDeployment."""

from typing import Any

import pytest
from evenkeel.serving import children

from tests.support.serving_examples import REVISION, built, model_deployment, runtime_spec

TEMPLATE = built()
GATEWAY = {"gateway": {"parentRefs": [{"name": "gw", "sectionName": "web"}]}}


def all_children() -> list[dict[str, Any]]:
    md = model_deployment(
        traffic=GATEWAY, autoscaling={"maxReplicas": 3}, disruptionBudget={"minAvailable": 1}
    )
    made = [
        children.deployment(md, REVISION, TEMPLATE, 2),
        children.service(md, TEMPLATE, REVISION),
        children.revision_service(md, REVISION, TEMPLATE),
        children.hpa(md, REVISION),
        children.pdb(md),
        children.http_route(md, REVISION),
    ]
    return [child for child in made if child is not None]


@pytest.mark.parametrize("child", all_children(), ids=lambda child: str(child["kind"]))
def test_every_child_is_owned_and_labelled(child: dict[str, Any]) -> None:
    metadata = child["metadata"]
    assert metadata["namespace"] == "shop"
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "evenkeel"
    assert metadata["labels"]["evenkeel.dev/deployment"] == "fraud"
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == (
        "ModelDeployment",
        "fraud",
        "0-1-2",
        True,
    )


class TestDeployment:
    def test_it_selects_the_pods_of_its_revision(self) -> None:
        made = children.deployment(model_deployment(), REVISION, TEMPLATE, 2)
        selector = made["spec"]["selector"]["matchLabels"]
        assert made["metadata"]["name"] == REVISION
        assert selector == {"evenkeel.dev/deployment": "fraud", "evenkeel.dev/revision": REVISION}
        assert selector.items() <= TEMPLATE["metadata"]["labels"].items()

    def test_no_pod_goes_before_its_successor_is_ready(self) -> None:
        made = children.deployment(model_deployment(), REVISION, TEMPLATE, 2)
        assert made["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0

    def test_an_autoscaler_owns_the_replicas(self) -> None:
        assert (
            "replicas"
            not in children.deployment(model_deployment(), REVISION, TEMPLATE, None)["spec"]
        )
        stopped = children.deployment(model_deployment(), REVISION, TEMPLATE, 0)
        assert stopped["spec"]["replicas"] == 0

    def test_the_progress_deadline_is_the_rollouts(self) -> None:
        md = model_deployment(rollout={"progressDeadlineSeconds": 77})
        made = children.deployment(md, REVISION, TEMPLATE, 1)
        assert made["spec"]["progressDeadlineSeconds"] == 77


class TestService:
    def test_it_reaches_all_revisions_or_one(self) -> None:
        md = model_deployment()
        everyone = children.service(md, TEMPLATE, None)["spec"]["selector"]
        one = children.service(md, TEMPLATE, REVISION)["spec"]["selector"]
        assert everyone == {"evenkeel.dev/deployment": "fraud"}
        assert one == {"evenkeel.dev/deployment": "fraud", "evenkeel.dev/revision": REVISION}

    def test_it_is_named_as_the_model_deployment_and_a_revisions_as_the_revision(self) -> None:
        md = model_deployment()
        assert children.service(md, TEMPLATE, REVISION)["metadata"]["name"] == "fraud"
        own = children.revision_service(md, REVISION, TEMPLATE)
        assert own["metadata"]["name"] == REVISION
        assert own["spec"]["selector"]["evenkeel.dev/revision"] == REVISION

    def test_grpc_is_offered_where_the_runtime_has_it(self) -> None:
        ports = [{"name": "http", "containerPort": 80}, {"name": "grpc", "containerPort": 9000}]
        runtime = runtime_spec(containers=[{"name": "server", "ports": ports}])
        with_grpc = children.service(model_deployment(), built(runtime=runtime), None)
        assert [(p["name"], p["port"], p["targetPort"]) for p in with_grpc["spec"]["ports"]] == [
            ("http", 80, "http"),
            ("grpc", 9000, "grpc"),
        ]
        without = children.service(model_deployment(), TEMPLATE, None)
        assert [port["name"] for port in without["spec"]["ports"]] == ["http"]


class TestAutoscaler:
    def test_there_is_none_unless_wanted(self) -> None:
        assert children.hpa(model_deployment(), REVISION) is None

    def test_it_scales_the_stable_revision_by_cpu(self) -> None:
        md = model_deployment(
            autoscaling={
                "minReplicas": 2,
                "maxReplicas": 9,
                "targetCPUUtilizationPercentage": 60,
            }
        )
        made = children.hpa(md, REVISION)
        assert made is not None
        assert made["spec"]["scaleTargetRef"]["name"] == REVISION
        assert (made["spec"]["minReplicas"], made["spec"]["maxReplicas"]) == (2, 9)
        (metric,) = made["spec"]["metrics"]
        assert metric["resource"]["target"]["averageUtilization"] == 60

    def test_the_users_metrics_and_behavior_replace_it(self) -> None:
        metric = {"type": "Pods", "pods": {}}
        md = model_deployment(
            autoscaling={"maxReplicas": 9, "metrics": [metric], "behavior": {"scaleUp": {}}}
        )
        made = children.hpa(md, REVISION)
        assert made is not None
        assert made["spec"]["metrics"] == [metric]
        assert made["spec"]["behavior"] == {"scaleUp": {}}


def test_a_disruption_budget_covers_all_revisions() -> None:
    assert children.pdb(model_deployment()) is None
    made = children.pdb(model_deployment(disruptionBudget={"maxUnavailable": "20%"}))
    assert made is not None
    assert made["spec"] == {
        "maxUnavailable": "20%",
        "selector": {"matchLabels": {"evenkeel.dev/deployment": "fraud"}},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


class TestRoute:
    def weights(self, canary: str | None, weight: int) -> dict[str, int]:
        made = children.http_route(model_deployment(traffic=GATEWAY), "stable", canary, weight)
        assert made is not None
        (rule,) = made["spec"]["rules"]
        return {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}

    @pytest.mark.parametrize(
        ("canary", "weight", "expected"),
        [
            (None, 0, {"stable": 100}),
            ("canary", 0, {"stable": 100}),
            ("canary", 1, {"stable": 99, "canary": 1}),
            ("canary", 100, {"canary": 100}),
        ],
    )
    def test_a_revision_without_a_share_is_left_out(
        self, canary: str | None, weight: int, expected: dict[str, int]
    ) -> None:
        assert self.weights(canary, weight) == expected

    def test_it_attaches_to_the_gateways(self) -> None:
        gateway = {**GATEWAY["gateway"], "hostnames": ["fraud.example.test"]}
        made = children.http_route(model_deployment(traffic={"gateway": gateway}), "stable")
        assert made is not None
        assert made["spec"]["parentRefs"] == [{"name": "gw", "sectionName": "web"}]
        assert made["spec"]["hostnames"] == ["fraud.example.test"]

    def test_without_a_gateway_there_is_none(self) -> None:
        assert children.http_route(model_deployment(), "stable") is None
