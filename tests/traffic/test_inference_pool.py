"""InferencePools behind the route, one a revision."""

from __future__ import annotations

from typing import Any

import pytest
from evenkeel.serving.ports import Ports
from evenkeel.traffic import Division, diagnosis, strategy_of
from evenkeel.traffic.inference_pool import POOLS, pool_diagnosis, pool_port

from tests.support.rollout_world import World
from tests.support.serving_examples import REVISION, assert_owned, model_deployment

JSON = dict[str, Any]
PICKER: JSON = {"name": "{{revision}}-epp", "port": {"number": 9002}}
PORTS = Ports(http={REVISION: 8080, "fraud-2": 9080})
MODEL = {"uri": "s3://m/a", "format": {"name": "sklearn"}}
STEPS = {"steps": [{"weight": 25, "analysis": False, "pauseSeconds": 600}]}


def traffic(picker: JSON = PICKER, **gateway: Any) -> JSON:
    pool = {"endpointPickerRef": picker}
    return {"gateway": {"parentRefs": [{"name": "gw"}], "inferencePool": pool, **gateway}}


def made(*, ports: Ports = PORTS, weight: int = 10, **given: Any) -> dict[tuple[str, str], JSON]:
    md = model_deployment(traffic=traffic(**given))
    strategy = strategy_of(md.spec.traffic)
    assert strategy is POOLS
    objects = strategy.objects(md, ports, Division(REVISION, "fraud-2", weight))
    return {(o["kind"], o["metadata"]["name"]): o for o in objects}


def backends(found: dict[tuple[str, str], JSON]) -> list[JSON]:
    (rule,) = found["HTTPRoute", "fraud"]["spec"]["rules"]
    return list(rule["backendRefs"])


def test_each_revision_has_a_pool_of_its_pods_with_its_own_port_and_picker() -> None:
    found = made()
    for revision, number in PORTS.http.items():
        pool = found["InferencePool", revision]
        assert pool["apiVersion"] == "inference.networking.k8s.io/v1"
        assert pool["spec"] == {
            "selector": {
                "matchLabels": {
                    "evenkeel.dev/deployment": "fraud",
                    "evenkeel.dev/revision": revision,
                }
            },
            "targetPorts": [{"number": number}],
            "endpointPickerRef": {
                "name": f"{revision}-epp",
                "port": {"number": 9002},
                "failureMode": "FailClose",
            },
        }
        assert POOLS.keeps("InferencePool", revision)
        assert pool_port(pool) == number
    assert_owned(found["InferencePool", REVISION])
    assert not POOLS.keeps("InferencePool", "")


def test_the_route_divides_between_pools() -> None:
    of_pool = {"group": "inference.networking.k8s.io", "kind": "InferencePool"}
    assert backends(made()) == [
        {**of_pool, "name": REVISION, "weight": 90},
        {**of_pool, "name": "fraud-2", "weight": 10},
    ]


@pytest.mark.parametrize(("weight", "left"), [(0, [REVISION]), (100, ["fraud-2"])])
def test_a_pool_without_a_share_is_left_out(weight: int, left: list[str]) -> None:
    assert [b["name"] for b in backends(made(weight=weight))] == left


def test_answers_tell_their_revision_with_pools_too() -> None:
    assert all(b["filters"] for b in backends(made(revisionHeaders=True)))


def test_a_revision_whose_port_is_unknown_has_its_service_behind_the_route() -> None:
    found = made(ports=Ports(http={"fraud-2": 9080}))
    stable, canary = backends(found)
    assert stable == {"name": REVISION, "port": 80, "weight": 90}
    assert canary["kind"] == "InferencePool"
    assert ("InferencePool", REVISION) not in found


def test_a_picker_in_the_pods_is_reached_by_the_revisions_service() -> None:
    picker = {"name": "{{revision}}", "port": {"number": 9002}, "failureMode": "FailOpen"}
    found = made(picker=picker)
    pool = found["InferencePool", "fraud-2"]["spec"]["endpointPickerRef"]
    assert pool == {**picker, "name": "fraud-2"}
    assert found["Service", "fraud-2"]["spec"]["ports"][-1] == {
        "name": "picker",
        "port": 9002,
        "targetPort": 9002,
        "protocol": "TCP",
        "appProtocol": "kubernetes.io/h2c",
    }
    assert [p["name"] for p in found["Service", "fraud"]["spec"]["ports"]] == ["http"]


def test_without_pools_none_is_kept() -> None:
    gateway = traffic(inferencePool=None)
    strategy = strategy_of(model_deployment(traffic=gateway).spec.traffic)
    assert strategy is not POOLS
    assert not strategy.keeps("InferencePool", REVISION)


def pool(*conditions: JSON) -> JSON:
    return {"metadata": {"name": "fraud-2"}, "status": {"parents": [{"conditions": conditions}]}}


@pytest.mark.parametrize("type_", ["Accepted", "ResolvedRefs"])
def test_a_pool_that_a_gateway_refuses_says_why(type_: str) -> None:
    refused = pool(
        {"type": type_, "status": "False", "reason": "InvalidExtensionRef", "message": "no Service"}
    )
    assert "fraud-2 (InvalidExtensionRef: no Service)" in pool_diagnosis(refused)
    assert diagnosis("InferencePool", refused) == pool_diagnosis(refused)


@pytest.mark.parametrize(
    "silent",
    [
        {"metadata": {"name": "fraud-2"}},
        pool(),
        pool({"type": "Accepted", "status": "True"}, {"type": "Other", "status": "False"}),
    ],
)
def test_a_pool_of_which_nobody_complains_is_fine(silent: JSON) -> None:
    assert pool_diagnosis(silent) == ""


def test_a_canary_has_no_weight_before_its_pods_are_ready() -> None:
    """And its port stays known when its template is not: pools tell their own."""
    w = World({"model": MODEL, "replicas": 1, "traffic": traffic()})
    w.settle()
    w.pods_ready()
    w.settle()
    (stable,) = w.pods
    w.edit(model={**MODEL, "uri": "s3://m/b"}, rollout=STEPS)
    w.settle()
    (canary,) = set(w.pods) - {stable}
    (rule,) = w.others["HTTPRoute", "fraud"]["spec"]["rules"]
    assert [(b["kind"], b["name"]) for b in rule["backendRefs"]] == [("InferencePool", stable)]
    w.pods_ready()
    w.settle()
    (rule,) = w.others["HTTPRoute", "fraud"]["spec"]["rules"]
    assert {b["name"]: (b["kind"], b["weight"]) for b in rule["backendRefs"]} == {
        stable: ("InferencePool", 75),
        canary: ("InferencePool", 25),
    }
    w.edit(traffic={"gateway": {"parentRefs": [{"name": "gw"}]}})
    w.settle()
    assert not [kind for kind, _ in w.others if kind == "InferencePool"]
    (rule,) = w.others["HTTPRoute", "fraud"]["spec"]["rules"]
    assert {b["name"] for b in rule["backendRefs"]} == {stable, canary}
    assert all("kind" not in b for b in rule["backendRefs"])
