"""The objects that serve a ModelDeployment."""

from typing import Any

import pytest
from evenkeel.api import ModelDeployment
from evenkeel.serving import children
from evenkeel.serving.ports import Ports
from evenkeel.traffic import Division, strategy_of

from tests.support.serving_examples import REVISION, assert_owned, built, model_deployment

TEMPLATE = built()


def all_children() -> list[dict[str, Any]]:
    md = model_deployment(autoscaling={"maxReplicas": 3}, disruptionBudget={"minAvailable": 1})
    made = [
        children.deployment(md, REVISION, TEMPLATE, 2),
        children.hpa(md, REVISION),
        children.pdb(md),
    ]
    return [child for child in made if child is not None]


@pytest.mark.parametrize("child", all_children(), ids=lambda child: str(child["kind"]))
def test_every_child_is_owned_and_labelled(child: dict[str, Any]) -> None:
    assert_owned(child)


GIVEN = {
    "Deployment": "deployment",
    "HorizontalPodAutoscaler": "autoscaler",
    "PodDisruptionBudget": "disruptionBudget",
    "Service": "service",
    "HTTPRoute": "route",
}
"""By kind the field that gives labels and annotations to its objects."""


@pytest.mark.parametrize("kind", GIVEN)
def test_each_kind_has_the_labels_and_annotations_that_are_given_for_it(kind: str) -> None:
    given = {"labels": {"team": "risk"}, "annotations": {"example.com/note": "a b"}}
    spec = {
        "autoscaling": {"maxReplicas": 3},
        "disruptionBudget": {"minAvailable": 1},
        "traffic": {"gateway": {"parentRefs": [{"name": "gw"}]}},
    }
    before = by_kind(model_deployment(**spec))
    after = by_kind(model_deployment(**spec, childMetadata={GIVEN[kind]: given}))
    changed = after[kind]["metadata"]
    assert changed["labels"] == before[kind]["metadata"]["labels"] | given["labels"]
    assert changed["annotations"] == given["annotations"]
    assert after == {**before, kind: after[kind]}


def test_the_operators_own_labels_win() -> None:
    """Where the CRD is older than its rule."""
    own = {"evenkeel.dev/deployment": "other", "app.kubernetes.io/managed-by": "Helm"}
    md = model_deployment(
        disruptionBudget={"minAvailable": 1}, childMetadata={"disruptionBudget": {"labels": own}}
    )
    made = children.pdb(md)
    assert made is not None
    assert_owned(made)


def by_kind(md: ModelDeployment) -> dict[str, dict[str, Any]]:
    routed = strategy_of(md.spec.traffic).objects(md, Ports(), Division(REVISION))
    others = [children.hpa(md, REVISION), children.pdb(md)]
    made = [children.deployment(md, REVISION, TEMPLATE, 2), *routed, *filter(None, others)]
    return {child["kind"]: child for child in made}


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

    def test_a_user_without_spare_room_may_say_so(self) -> None:
        md = model_deployment(rollout={"maxSurge": 0, "maxUnavailable": "50%"})
        made = children.deployment(md, REVISION, TEMPLATE, 2)
        assert made["spec"]["strategy"]["rollingUpdate"] == {
            "maxSurge": 0,
            "maxUnavailable": "50%",
        }

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
