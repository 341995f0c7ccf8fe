"""A model of a registry as its user meets it, with a registry that has MLflow's answers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from evenkeel.adapters.access import basic

from dev.cluster.ports import free_port
from tests.support.api_server import ApiServer
from tests.support.mlflow_loop import model_registry
from tests.support.mlflow_registry import Registry, Version, notification
from tests.support.operating import World, model_deployment, until

JSON = dict[str, Any]
PROXIED = "mlflow-artifacts:/1/models/m-3/artifacts"


@pytest.fixture
def mlflow(mlflow: Registry) -> Registry:
    mlflow.versions["fraud"] = {
        "1": Version("s3://m/1", source="models:/m-1"),
        "2": Version("s3://m/2", source="models:/m-2"),
        "3": Version(PROXIED, source="models:/m-3"),
    }
    mlflow.aliases["fraud"] = {"champion": "1"}
    return mlflow


def registered(w: World, mlflow: Registry, **spec: Any) -> None:
    """The ModelRegistry and a ModelDeployment that follows the alias."""
    model_registry(w, mlflow.url, **{"writeTags": False, **spec})
    served = model_deployment("fraud")
    words = {"registry": "mlflow", "name": "fraud", "alias": "champion"}
    served["spec"]["model"] = {"registry": words}
    w.ns.create(served)


def condition(w: World, type_: str) -> JSON:
    return w.ns.condition("fraud", type_)


def serves(w: World, version: str) -> bool:
    found = w.ns.status("fraud").get("stable", {}).get("registered", {}).get("version")
    return bool(found == version and w.ns.canary("fraud") is None)


def initializer(w: World, revision: str) -> JSON:
    spec = w.ns.get("Deployment", revision)["spec"]["template"]["spec"]
    (found,) = spec["initContainers"]
    return dict(found)


async def test_the_alias_is_served_and_its_moves_are_canaries(w: World, mlflow: Registry) -> None:
    # The runtime offers the format "test"; the registry's models are of "mlflow".
    w.ns.patch("ServingRuntime", "test", {"spec": {"supportedModelFormats": [{"name": "mlflow"}]}})
    async with w.operator():
        registered(w, mlflow)
        await until(lambda: w.ns.ready("fraud").get("status") == "True", "the first version")
        assert w.ns.ready("mlflow", "ModelRegistry")["reason"] == "Reachable"
        status = w.ns.status("fraud")
        told = status["registry"]
        assert (told["version"], told["source"], told["runID"], told["format"]) == (
            "1",
            "models:/m-1",
            "48693ee5",
            {"name": "mlflow"},
        )
        first = status["stable"]["revision"]
        assert "s3://m/1" in initializer(w, first)["args"]

        mlflow.aliases["fraud"]["champion"] = "2"
        await until(lambda: (w.ns.canary("fraud") or {})["registered"]["version"] == "2")
        await until(lambda: serves(w, "2"))
        assert w.ns.outcomes("fraud")[0].startswith("Promoted")

        mlflow.aliases["fraud"]["champion"] = "3"
        await until(lambda: serves(w, "3"))
        found = initializer(w, w.ns.status("fraud")["stable"]["revision"])
        assert found["command"] == ["python3", "-m", "evenkeel.sidecars.mlflow_download"]
        key = f"evenkeel.dev/rollout.{w.ns.name}.fraud"
        tags = {number: found.tags for number, found in mlflow.versions["fraud"].items()}
        assert not any(tags.values()), "the registry is written to where it is asked for alone"
        w.ns.patch("ModelRegistry", "mlflow", {"spec": {"writeTags": True}})
        await until(lambda: condition(w, "RegistryTold").get("reason") == "VersionsTagged")
        assert {number for number, found in tags.items() if key in found} == {"2", "3"}
        assert tags["3"][key].startswith("Promoted at ")
        generation = w.ns.get("ModelDeployment", "fraud")["metadata"]["generation"]
        assert generation == 1, "the spec is never written"


async def test_a_notification_spares_the_wait(
    w: World, mlflow: Registry, api_server: ApiServer
) -> None:
    api_server.kubectl(
        *("-n", w.ns.name, "create", "secret", "generic", "mlflow"),
        "--from-literal=webhook=geheim",
    )
    port = free_port()
    url = f"http://127.0.0.1:{port}/registries/{w.ns.name}/mlflow"
    async with w.operator(webhook_port=port), aiohttp.ClientSession() as http:
        registered(w, mlflow, secretName="mlflow", intervalSeconds=86400)
        await until(lambda: w.ns.status("fraud").get("registry"))
        mlflow.aliases["fraud"]["champion"] = "2"
        body, headers = notification("geheim", "fraud", time.time())
        async with http.post(url, data=body, headers=headers) as answer:
            assert await answer.json() == {"asked": 1}
        await until(lambda: w.ns.status("fraud")["registry"]["version"] == "2")
        body, headers = notification("wrong", "fraud", time.time())
        async with http.post(url, data=body, headers=headers) as answer:
            assert answer.status == 401


async def test_what_the_registry_loses_takes_nothing_away(
    w: World, mlflow: Registry, api_server: ApiServer
) -> None:
    w.ns.patch("ServingRuntime", "test", {"spec": {"supportedModelFormats": [{"name": "mlflow"}]}})
    async with w.operator():
        registered(w, mlflow)
        await until(lambda: serves(w, "1") and w.ns.ready("fraud").get("status") == "True")
        del mlflow.aliases["fraud"]["champion"]
        await until(lambda: condition(w, "RegistryRead").get("reason") == "AliasNotFound")
        said = condition(w, "RegistryRead")["message"]
        assert "Registered model alias champion not found.; set the alias" in said
        assert said.endswith("version 1 of fraud by alias champion stays")

        mlflow.fault = lambda request: web.Response(
            status=503, text="<html>down", content_type="text/html"
        )
        await until(lambda: condition(w, "RegistryRead").get("reason") == "SourceUnavailable")
        await until(lambda: w.ns.ready("mlflow", "ModelRegistry")["status"] == "Unknown")
        assert (
            "answered 503: Service Unavailable" in w.ns.ready("mlflow", "ModelRegistry")["message"]
        )
        assert serves(w, "1")
        assert w.ns.ready("fraud")["reason"] == "Serving"
        before = w.ns.versions()
    # A new leader, and the registry still down.
    async with w.operator():
        count = len(mlflow.requests)
        await until(lambda: len(mlflow.requests) > count + 1)
        await asyncio.sleep(1)
        assert serves(w, "1")
        assert w.ns.versions() == before, "nothing is written for what is as it was"
        api_server.kubectl("-n", w.ns.name, "delete", "modelregistry", "mlflow")
        await until(lambda: condition(w, "RegistryRead").get("reason") == "RegistryNotFound")
        assert w.ns.ready("fraud")["reason"] == "Serving"
        assert w.ns.outcomes("fraud") == []


async def test_credentials_by_secret(w: World, mlflow: Registry, api_server: ApiServer) -> None:
    mlflow.authorization = basic("ada", "geheim")
    async with w.operator():
        registered(w, mlflow, secretName="mlflow")
        says = f"there is no Secret 'mlflow' of namespace {w.ns.name}; create it"
        await until(lambda: says in w.ns.ready("mlflow", "ModelRegistry").get("message", ""))
        assert w.ns.ready("mlflow", "ModelRegistry")["reason"] == "SourceAccessDenied"
        await until(lambda: w.ns.ready("fraud").get("reason") == "SourceAccessDenied")
        api_server.kubectl(
            *("-n", w.ns.name, "create", "secret", "generic", "mlflow"),
            *("--from-literal=username=ada", "--from-literal=password=geheim"),
        )
        await until(
            lambda: w.ns.ready("mlflow", "ModelRegistry")["reason"] == "Reachable", seconds=60
        )
        await until(lambda: w.ns.status("fraud").get("registry"), seconds=60)
    assert "geheim" not in str(w.ns.all("ModelRegistry") + w.ns.all("ModelDeployment"))
