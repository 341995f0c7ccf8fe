"""What makes a new revision, and what does not."""

import re
from typing import Any

import pytest
from evenkeel.api.common import ModelFormat
from evenkeel.api.modeldeploymentstatus import ResolvedModel
from evenkeel.serving.model_source import Target
from evenkeel.serving.revision import revision_name
from hypothesis import given
from hypothesis import strategies as st

from tests.support.serving_examples import TARGET, model_deployment, runtime_spec


def name(runtime: Any = None, target: Any = TARGET, deployment: str = "fraud", **spec: Any) -> str:
    return revision_name(
        deployment, target, runtime or runtime_spec(), model_deployment(**spec).spec
    )


def test_equal_inputs_give_equal_names() -> None:
    assert name() == name()
    assert re.fullmatch(r"fraud-[0-9a-f]{10}", name())


def test_a_name_does_not_change_with_the_operators_version() -> None:
    """Whoever changes this digest rolls out every model of every user."""
    assert name() == "fraud-59c7bd2142"


@pytest.mark.parametrize(
    "change",
    [
        {"podTemplate": {"spec": {"priorityClassName": "high"}}},
        {"podTemplate": {"metadata": {"annotations": {"a": "b"}}}},
        {"podTemplate": {"remove": ["spec.affinity"]}},
        {"resources": {"limits": {"cpu": "2"}}},
        {"env": [{"name": "A", "value": "1"}]},
        {"serviceAccountName": "reader"},
        {"nodeSelector": {"gpu": "yes"}},
        {"tolerations": [{"operator": "Exists"}]},
        {"affinity": {"nodeAffinity": {}}},
        {"model": {"uri": TARGET.uri, "storage": {"secretName": "s3"}}},
    ],
)
def test_what_changes_the_pods_makes_a_new_revision(change: dict[str, Any]) -> None:
    assert name(**change) != name()


@pytest.mark.parametrize(
    "change",
    [
        {"replicas": 7},
        {"autoscaling": {"maxReplicas": 3}},
        {"disruptionBudget": {"minAvailable": 1}},
        {"traffic": {"gateway": {"parentRefs": [{"name": "gw"}]}}},
        {"rollout": {"steps": [{"weight": 10, "analysis": False}]}},
        {"rollout": {"maxSurge": 0, "maxUnavailable": 1, "progressDeadlineSeconds": 5}},
        {"analysis": {"indicators": [{"name": "errors"}]}},
    ],
)
def test_what_leaves_the_pods_alone_does_not(change: dict[str, Any]) -> None:
    assert name(**change) == name()


@pytest.mark.parametrize(
    "change",
    [
        {"uri": "s3://models/fraud/8"},
        {"version": "fraud-8"},
        {"digest": "sha256:" + "0" * 64},
        {"format": ModelFormat(name="sklearn", version="2")},
    ],
)
def test_another_model_is_another_revision(change: dict[str, Any]) -> None:
    assert name(target=TARGET._replace(**change)) != name()


@pytest.mark.parametrize(
    ("change", "new"),
    [
        ({"modelMountPath": "/models"}, True),
        ({"podSpec": {"hostname": "x"}}, True),
        ({"labels": {"team": "a"}}, True),
        ({"supportedModelFormats": [{"name": "sklearn"}]}, False),
        ({"disabled": True}, False),
        ({"metrics": {"port": "http"}}, False),
    ],
)
def test_only_the_runtimes_pods_matter(change: dict[str, Any], new: bool) -> None:
    assert (name(runtime=runtime_spec(**change)) != name()) is new


def test_a_default_that_is_spelt_out_makes_no_difference() -> None:
    assert name(runtime=runtime_spec(modelMountPath="/mnt/models", volumes=[])) == name()


@given(st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True))
def test_pod_names_keep_the_whole_revision(deployment: str) -> None:
    revision = name(deployment=deployment)
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", revision)
    before_the_random_part = f"{revision}-{'x' * 10}-"
    assert len(before_the_random_part) <= 58


def test_long_names_with_the_same_beginning_are_told_apart() -> None:
    assert name(deployment="a" * 60 + "b") != name(deployment="a" * 60 + "c")


def registered(uri: str = "s3://m/3", **more: str) -> Target:
    found = {
        "registry": "mlflow",
        "name": "fraud",
        "version": "3",
        "uri": uri,
        "format": {"name": "mlflow"},
        "time": "2026-01-31T09:00:00Z",
        **more,
    }
    return Target(uri, registered=ResolvedModel.model_validate(found))


@pytest.mark.parametrize(
    ("change", "new"),
    [
        ({"version": "4"}, True),
        ({"alias": "champion"}, False),
        ({"time": "2026-02-01T09:00:00Z"}, False),
        ({"secretName": "other"}, False),
        ({"workspace": "team-a"}, False),
    ],
)
def test_what_of_a_registered_model_makes_a_new_revision(change: dict[str, str], new: bool) -> None:
    assert (name(target=registered(**change)) != name(target=registered())) is new


@pytest.mark.parametrize("change", [{"secretName": "other"}, {"workspace": "team-a"}])
def test_how_a_registry_hands_artefacts_out_does_too(change: dict[str, str]) -> None:
    uri = "mlflow+http://mlflow/api/2.0/mlflow-artifacts/artifacts/1"
    assert name(target=registered(uri, **change)) != name(target=registered(uri))


def test_the_time_that_a_download_may_take_begins_no_revision() -> None:
    storage = {"secretName": "s3"}
    model = {"uri": TARGET.uri, "storage": storage}
    longer = {"uri": TARGET.uri, "storage": {**storage, "downloadSeconds": 3000}}
    assert name(model=model) == name(model=longer)
