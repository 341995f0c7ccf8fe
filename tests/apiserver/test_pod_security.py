"""A real API server takes the pods that Evenkeel fills up to Pod Security's level "restricted"."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from evenkeel.api.trainingrun import TrainingRun
from evenkeel.pods.security import restricted
from evenkeel.training.plan import plan_run
from evenkeel.training.snapshot import RunSnapshot

from tests.support.api_server import ApiServer
from tests.support.retraining import NOW, TRAINING
from tests.support.serving_examples import built, model_deployment

Json = dict[str, Any]
LINUX, WINDOWS = {"os": {"name": "linux"}}, {"os": {"name": "windows"}}
CONTEXTS: list[Json] = [
    {
        **({"runAsUser": user} if user is not None else {}),
        **({"privileged": privileged} if privileged is not None else {}),
        **({"capabilities": {"add": [added]}} if added else {}),
    }
    for user, privileged, added in product(
        (None, 0, 1000),
        (None, True, False),
        (None, "NET_BIND_SERVICE", "SYS_ADMIN", "CAP_SYS_ADMIN", "ALL"),
    )
]


@pytest.fixture
def account(api_server: ApiServer, namespace: str) -> str:
    """A namespace whose pods may be created: one that allows everything."""
    api_server.kubectl("create", "serviceaccount", "default", "-n", namespace)
    return namespace


@pytest.fixture
def strict(api_server: ApiServer, account: str) -> str:
    """A namespace that takes only pods of Pod Security's level "restricted"."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    api_server.kubectl("label", "namespace", account, label)
    return account


DATA = [
    {
        "name": "train",
        "mountPath": "/data/train",
        "dvc": {
            "repo": "https://git.example/r",
            "path": "data",
            "secretName": "git",
            "remoteSecretName": "store",
        },
    },
    {"name": "labels", "mountPath": "/data/labels", "s3": {"uri": "s3://labels/1"}},
]


def training(data: tuple[Json, ...] = (), **context: Any) -> Json:
    """The pod template of a run, with the trainer's security context."""
    (container,) = TRAINING["podTemplate"]["spec"]["containers"]  # type: ignore[call-overload, index]
    containers = [{**container, "securityContext": context}, {"name": "sidecar", "image": "x"}]
    run = TrainingRun.model_validate(
        {
            "metadata": {
                "name": "elec-1",
                "namespace": "ml",
                "uid": "u",
                "creationTimestamp": NOW.isoformat(),
            },
            "spec": {
                "model": "elec",
                "training": {"podTemplate": {"spec": {"containers": containers}}, "data": data},
            },
        }
    )
    (job,) = plan_run(RunSnapshot(run=run, now=NOW, data_image="data:1")).creates
    template: Json = job["spec"]["template"]
    return template


def answer(server: ApiServer, namespace: str, template: Json) -> tuple[int, str]:
    """Status and words of the API server for a pod of that template."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": template["spec"]}
    found = server.create(pod, namespace, dry_run=True)
    return found.status_code, "" if found.status_code == 201 else found.json()["message"]


@pytest.mark.parametrize(
    "template",
    [
        built(),
        built(model_deployment(podTemplate={"spec": LINUX})),
        built(model_deployment(warmUp={"path": "/", "body": "{}"})),
        training(runAsUser=1000),
        training(data=(*DATA,)),
    ],
    ids=["serving", "serving-linux", "warmed-up", "training", "data"],
)
def test_pods_that_ask_for_no_privilege_are_admitted(
    api_server: ApiServer, strict: str, template: Json
) -> None:
    assert answer(api_server, strict, template) == (201, "")


def test_a_windows_pod_is_admitted(api_server: ApiServer, strict: str) -> None:
    spec = restricted({**WINDOWS, "containers": [{"name": "a", "image": "x"}]})
    assert answer(api_server, strict, {"spec": spec}) == (201, "")


def test_a_strict_namespace_refuses_a_privileged_trainer(
    api_server: ApiServer, strict: str
) -> None:
    status, message = answer(api_server, strict, training(privileged=True))
    assert (status, "violates PodSecurity" in message) == (403, True)


def test_trainers_with_privilege_are_taken_where_the_namespace_allows_them(
    api_server: ApiServer, account: str
) -> None:
    refused = {
        str(context): words
        for context in CONTEXTS
        if (words := answer(api_server, account, training(**context))[1])
    }
    assert refused == {}


def test_servers_with_privilege_are_taken_where_the_namespace_allows_them(
    api_server: ApiServer, account: str
) -> None:
    refused = {}
    for context in CONTEXTS:
        overlay = {"containers": [{"name": "server", "securityContext": context}]}
        template = built(model_deployment(podTemplate={"spec": overlay}))
        if words := answer(api_server, account, template)[1]:
            refused[str(context)] = words
    assert refused == {}


@pytest.mark.parametrize("os", [{}, LINUX, WINDOWS], ids=["any", "linux", "windows"])
def test_no_pod_is_refused_for_what_is_filled_in(
    api_server: ApiServer, account: str, os: Json
) -> None:
    more: list[Json] = [
        {"allowPrivilegeEscalation": False, "capabilities": {"add": ["SYS_ADMIN"]}},
        {"seccompProfile": {"type": "Unconfined"}},
        {"runAsNonRoot": False, "runAsUser": 0},
        {"windowsOptions": {"runAsUserName": "ContainerAdministrator"}},
        {"windowsOptions": {"hostProcess": True}},
    ]
    harmed = {}
    for pod, context in product(({}, {"runAsUser": 0}), [*CONTEXTS, *more]):
        host = {"hostNetwork": True} if "hostProcess" in str(context) else {}
        spec = {
            **os,
            **host,
            "securityContext": pod,
            "containers": [{"name": "a", "image": "x", "securityContext": context}],
        }
        taken = answer(api_server, account, {"spec": spec})[0] == 201
        status, words = answer(api_server, account, {"spec": restricted(spec)})
        if taken and status != 201:
            harmed[str((pod, context))] = words
    assert harmed == {}
