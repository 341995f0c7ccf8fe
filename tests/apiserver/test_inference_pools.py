"""A real API server with the real CRD takes InferencePools, and the operator divides by them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from evenkeel.kube.applied import covers, owned_fields
from evenkeel.meta.resources import HTTP_ROUTE, INFERENCE_POOL
from evenkeel.serving.ports import Ports
from evenkeel.traffic import Division, strategy_of

from dev.cluster import binaries
from tests.support import serving_examples
from tests.support.api_server import ApiServer
from tests.support.operating import World, model_deployment, until, world
from tests.support.resources import BY_KIND

JSON = dict[str, Any]
MODULE, LOCK = "sigs.k8s.io/gateway-api-inference-extension", "tools-inference"
POOL = "{endpointPickerRef: {name: '{{revision}}-epp', port: {number: 9002}}}"
TRAFFIC = "{traffic: {gateway: {parentRefs: [{name: gw}], inferencePool: %s}}}"


@pytest.fixture(scope="module")
def with_pools(api_server: ApiServer) -> ApiServer:
    routes = binaries.module_file_dir("sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"
    bases = binaries.module_file_dir(MODULE, LOCK) / "config" / "crd" / "bases"
    pools = bases / f"{INFERENCE_POOL.group}_{INFERENCE_POOL.plural}.yaml"
    for file, type_ in ((routes, HTTP_ROUTE), (pools, INFERENCE_POOL)):
        api_server.kubectl("apply", "--server-side", "-f", str(file))
        crd = f"crd/{type_.plural}.{type_.group}"
        api_server.kubectl("wait", "--for=condition=Established", "--timeout=60s", crd)
    return api_server


@pytest.fixture
async def w(with_pools: ApiServer, namespace: str) -> AsyncIterator[World]:
    async with world(with_pools, namespace) as made:
        yield made


@pytest.mark.parametrize("name", ["{{revision}}-epp", "{{revision}}"])
def test_all_objects_are_accepted_and_found_again(
    with_pools: ApiServer, namespace: str, name: str
) -> None:
    """Found again, so that nothing is applied again unless somebody has changed it."""
    picker = {"name": name, "port": {"number": 9002}, "failureMode": "FailOpen"}
    gateway = {"parentRefs": [{"name": "gw"}], "inferencePool": {"endpointPickerRef": picker}}
    md = serving_examples.model_deployment(traffic={"gateway": gateway})
    ports = Ports(http={"fraud-1": 8080, "fraud-2": 8081})
    made = strategy_of(md.spec.traffic).objects(md, ports, Division("fraud-1", "fraud-2", 10))
    assert [m["kind"] for m in made].count("InferencePool") == 2
    for child in made:
        meta = {**child["metadata"], "namespace": namespace}
        assert covers(_applied(with_pools, {**child, "metadata": meta}), child), child["kind"]


def _applied(server: ApiServer, manifest: JSON) -> Any:
    """The fields that are owned after a server-side apply with strict validation."""
    meta = manifest["metadata"]
    answer = server.http.patch(
        BY_KIND[manifest["kind"]].path(meta["namespace"], meta["name"]),
        params={"fieldManager": "me", "force": "true", "fieldValidation": "Strict"},
        headers={"Content-Type": "application/apply-patch+yaml"},
        content=json.dumps(manifest),
    )
    assert answer.is_success, answer.text
    return owned_fields(answer.json()["metadata"], "me")


async def test_weights_follow_ready_pods_from_pool_to_pool(w: World) -> None:
    async with w.operator():
        w.ns.create(model_deployment("chat", more=TRAFFIC % POOL))
        await until(lambda: w.ns.all("InferencePool"))
        (pool,) = w.ns.all("InferencePool")
        revision = w.ns.status("chat")["stable"]["revision"]
        assert pool["metadata"]["name"] == revision
        assert pool["spec"]["selector"]["matchLabels"]["evenkeel.dev/revision"] == revision
        assert pool["spec"]["endpointPickerRef"]["name"] == f"{revision}-epp"
        (rule,) = w.ns.get("HTTPRoute", "chat")["spec"]["rules"]
        (backend,) = rule["backendRefs"]
        assert (backend["kind"], backend["name"], backend["weight"]) == (
            "InferencePool",
            revision,
            100,
        )
        w.ns.patch("ModelDeployment", "chat", {"spec": {"traffic": {"gateway": None}}})
        await until(lambda: not w.ns.all("InferencePool"))
        await until(lambda: not w.ns.all("HTTPRoute"))
