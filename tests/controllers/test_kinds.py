"""What follows from the table of kinds: watches, rights, indices, and whom a change concerns."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.api import KINDS
from evenkeel.api.labels import DEPLOYMENT, FEEDBACK, PERFORMANCE, RUN, SCHEDULE, STEP_JOB
from evenkeel.controllers import kinds, rights
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.meta.resources import READ
from evenkeel.serving.observed import deployment_pods
from evenkeel.training.engines.trainjob import JOB_SET

JSON = dict[str, Any]
MADE_ONCE = (*READ, "create", "delete")


def made(kind: str, name: str, labels: JSON | None = None, **spec: Any) -> JSON:
    meta = {"name": name, "namespace": "shop", "uid": f"{kind}-{name}", "resourceVersion": "1"}
    return {"kind": kind, "metadata": {**meta, "labels": labels or {}}, "spec": spec, "status": {}}


def store(*objects: JSON) -> Store:
    filled = Store(
        indexed=kinds.indexed(), indices=kinds.indices(), kept=kinds.kept(), slims=kinds.slims()
    )
    for obj in objects:
        filled.put(obj["kind"], obj)
    return filled


def concerned(obj: JSON, *known: JSON) -> set[tuple[str, str]]:
    keys = kinds.concerned(kinds.by_name(), store(*known), obj["kind"], obj)
    return {(key.kind, key.name) for key in keys if key == Key(key.kind, "shop", key.name)}


def test_what_is_read_of_a_deployment_is_kept_of_it() -> None:
    spec = {"replicas": 3, "progressDeadlineSeconds": 2105}
    known = store(made("Deployment", "fraud-1", template={}, **spec)).get(
        Key("Deployment", "shop", "fraud-1")
    )
    assert known is not None
    pods = deployment_pods(known)
    assert (pods.wanted, pods.deadline) == (3, 2105)


FOLLOWER = made("ModelDeployment", "follower", model={"follow": "fraud"})
PINNED = made("ModelDeployment", "pinned", model={"version": "fraud-1"})
REGISTERED = made(
    "ModelDeployment",
    "registered",
    model={"registry": {"registry": "mlflow", "name": "fraud", "alias": "champion"}},
)
TEMPLATED = made(
    "ModelDeployment",
    "templated",
    analysis={"indicators": [{"name": "errors", "templateRef": {"name": "slow"}}]},
    model={"uri": "s3://m/a"},
)
ON_PROBATION = made(
    "ModelDeployment",
    "on-probation",
    rollout={
        "probation": {
            "indicators": [
                {"name": "l", "templateRef": {"kind": "ClusterIndicatorTemplate", "name": "slow"}}
            ]
        }
    },
    model={"uri": "s3://m/a"},
)
OTHER = made("ModelDeployment", "other", model={"uri": "s3://m/a"})


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (OTHER, {("ModelDeployment", "other")}),
        (
            made("ModelVersion", "fraud-1", model="fraud", trainingRun="run-1"),
            {
                ("ModelVersion", "fraud-1"),
                ("ModelDeployment", "follower"),
                ("ModelDeployment", "pinned"),
                ("TrainingRun", "run-1"),
            },
        ),
        (
            made("TrainingRun", "run-2", schedule="nightly", replaces=["run-1"]),
            {("TrainingRun", "run-2"), ("RetrainSchedule", "nightly"), ("TrainingRun", "run-1")},
        ),
        (
            {
                **made("RetrainSchedule", "nightly"),
                "status": {"active": ["run-2"], "lastRun": {"name": "run-3"}},
            },
            {("RetrainSchedule", "nightly"), ("TrainingRun", "run-2"), ("TrainingRun", "run-3")},
        ),
        (
            made("ServingRuntime", "sklearn"),
            {
                ("ModelDeployment", name)
                for name in (
                    *("follower", "pinned", "registered", "other"),
                    *("templated", "on-probation"),
                )
            },
        ),
        (made("IndicatorTemplate", "slow"), {("ModelDeployment", "templated")}),
        (made("IndicatorTemplate", "errors"), set()),
        (
            {"kind": "ClusterIndicatorTemplate", "metadata": {"name": "slow"}, "spec": {}},
            {("ModelDeployment", "on-probation")},
        ),
        (
            made("ModelRegistry", "mlflow", mlflow={"url": "http://mlflow"}),
            {("ModelRegistry", "mlflow"), ("ModelDeployment", "registered")},
        ),
        (made("Deployment", "d", {DEPLOYMENT: "other"}), {("ModelDeployment", "other")}),
        (made("Job", "run-1", {RUN: "run-1", SCHEDULE: "nightly"}), {("TrainingRun", "run-1")}),
        (made("Pod", "p", {RUN: "run-1"}), {("TrainingRun", "run-1")}),
        (made("Pod", "p", {DEPLOYMENT: "other"}), {("ModelDeployment", "other")}),
        (made("TrainJob", "run-1", {RUN: "run-1"}), {("TrainingRun", "run-1")}),
        (made("JobSetPod", "p", {JOB_SET: "run-1"}), {("TrainingRun", "run-1")}),
        (made("Workflow", "run-1", {RUN: "run-1"}), {("TrainingRun", "run-1")}),
        (made("RayJob", "run-1", {RUN: "run-1"}), {("TrainingRun", "run-1")}),
        (made("Service", "somebody-elses"), set()),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_whom_a_change_concerns(obj: JSON, expected: set[tuple[str, str]]) -> None:
    assert concerned(obj, FOLLOWER, PINNED, REGISTERED, OTHER, TEMPLATED, ON_PROBATION) == expected


def test_every_kind_of_the_api_has_an_entry() -> None:
    assert [kind.model for kind in kinds.KINDS] == list(KINDS)


def test_a_type_is_watched_once_and_what_is_watched_may_be_read() -> None:
    watched = [watch.type for watch in kinds.watches()]
    assert len(watched) == len(set(watched))
    of_integrations = [rule for rules in rights.of_integrations().values() for rule in rules]
    readable = {
        (rule["apiGroups"][0], resource)
        for rule in (*rights.namespaced(), *rights.clusterwide(), *of_integrations)
        for resource in rule["resources"]
        if {"get", "list", "watch"} <= set(rule["verbs"])
    }
    assert {(type_.group, type_.plural) for type_ in watched} <= readable


def test_reconciles_find_objects_by_indexed_labels() -> None:
    known = {DEPLOYMENT, FEEDBACK, PERFORMANCE, STEP_JOB, SCHEDULE, RUN, JOB_SET}
    assert set(kinds.indexed()) == known


@pytest.mark.parametrize(
    ("name", "resource", "verbs"),
    [
        ("trainJob", "trainjobs", MADE_ONCE),
        ("workflow", "workflows", MADE_ONCE),
        ("rayJob", "rayjobs", MADE_ONCE),
    ],
)
def test_what_is_switched_on_adds_no_right_that_is_there(
    name: str, resource: str, verbs: tuple[str, ...]
) -> None:
    rules = {tuple(rule["resources"]): rule["verbs"] for rule in rights.of_integrations()[name]}
    assert rules == {(resource,): list(verbs)}


def test_without_an_integration_nothing_of_it_is_watched() -> None:
    off = {watch.type.kind for watch in kinds.watches() if not watch.wanted(())}
    assert off == {"TrainJob", "JobSetPod", "Workflow", "RayJob"}
