"""Pods that the API server refuses: whose fault it is, and what it is called."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.api import ModelDeployment
from evenkeel.rollout.causes import late, of_pods
from evenkeel.serving.observed import Pods, deployment_pods

from tests.rollout.test_rollout import B, model, outcome, world

JSON = dict[str, Any]
PRIVILEGED = (
    'pods "m-1" is forbidden: violates PodSecurity "restricted:latest": privileged (container '
    '"model" must not set securityContext.privileged=true), hostPath volumes (volume "cache")'
)
ROOT = (
    'pods "m-1" is forbidden: violates PodSecurity "restricted:latest": runAsUser=0 (pod must not '
    "set runAsUser=0)"
)
WEBHOOK = 'admission webhook "policy.example" denied the request: image r.example/m:1 not signed'
DOWN = 'Internal error occurred: failed calling webhook "x": Post "https://x": dial tcp: refused'
LIMIT = 'pods "m-1" is forbidden: maximum memory usage per Container is 1Gi, but limit is 8Gi'
QUOTA = 'pods "m-1" is forbidden: exceeded quota: gpus, requested: limits.memory=1Gi'
ACCOUNT = 'pods "m-1" is forbidden: error looking up service account a/b: serviceaccount not found'


def context(**fields: Any) -> JSON:
    container = {"name": "model", "securityContext": fields}
    return {"podTemplate": {"spec": {"containers": [container]}}}


@pytest.mark.parametrize(
    ("refused", "spec", "cause"),
    [
        (PRIVILEGED, {}, "Infrastructure"),
        (PRIVILEGED, context(privileged=True), "Model"),
        (PRIVILEGED, {"podTemplate": {"spec": {"nodeName": "a"}}}, "Infrastructure"),
        (ROOT, {"podTemplate": {"spec": {"securityContext": {"runAsUser": 0}}}}, "Model"),
        (ROOT, context(readOnlyRootFilesystem=True), "Infrastructure"),
        (WEBHOOK, {}, "Infrastructure"),
        (
            WEBHOOK,
            {"podTemplate": {"spec": {"containers": [{"name": "a", "image": "r.example/m:1"}]}}},
            "Model",
        ),
        (DOWN, context(privileged=True), "Infrastructure"),
        (LIMIT, {}, "Infrastructure"),
        (LIMIT, {"resources": {"limits": {"memory": "8Gi"}}}, "Model"),
        (QUOTA, {"resources": {"limits": {"memory": "1Gi"}}}, "Infrastructure"),
        (ACCOUNT, {"serviceAccountName": "b"}, "Infrastructure"),
    ],
)
def test_a_refusal_is_the_models_fault_only_where_it_asks_for_what_is_refused(
    refused: str, spec: JSON, cause: str
) -> None:
    source = {"uri": B, "format": {"name": "sklearn"}}
    md = ModelDeployment.model_validate(
        {"metadata": {"name": "m"}, "spec": {"model": source, **spec}}
    )
    failure = {"type": "ReplicaFailure", "status": "True", "message": refused}
    pods = deployment_pods({"spec": {}, "status": {"conditions": [failure]}})
    assert of_pods(pods, md.spec) == cause
    named = "ProgressDeadlineExceeded" if refused == QUOTA else "PodsForbidden"
    assert late(pods) == named


def test_pods_that_are_taken_and_crash_are_the_models() -> None:
    md = ModelDeployment.model_validate({"metadata": {"name": "m"}, "spec": {"model": {"uri": B}}})
    words = 'CrashLoopBackOff: container model: exit code 1: "PUT /x" is forbidden'
    pods = Pods(1, diagnosis=words)
    assert (of_pods(pods, md.spec), late(pods)) == ("Model", "ProgressDeadlineExceeded")


def test_a_refusal_is_named_in_the_history() -> None:
    w = world()
    w.edit_rollout(progressDeadlineSeconds=60)
    w.edit(model=model(B))
    w.settle()
    w.pods[w.wanted()].refused = w.pods[w.wanted()].diagnosis = PRIVILEGED
    w.pass_time(61)
    w.settle()
    last = w.status["history"][0]
    assert outcome(w) == "RolledBack"
    assert (last["reason"], last["cause"]) == ("PodsForbidden", "Infrastructure")
    assert "PodSecurity" in last["message"]
