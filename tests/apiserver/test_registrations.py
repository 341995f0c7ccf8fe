"""Versions that a registry is to have, as their team meets them."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from evenkeel.outside.mlflow import Enrolment

from tests.support.manifests import manifest
from tests.support.mlflow_loop import model_registry
from tests.support.mlflow_registry import Registry
from tests.support.operating import World, until

JSON = dict[str, Any]
KEY = "evenkeel.dev/model-version"


def version(w: World, name: str = "fraud-1", **spec: Any) -> JSON:
    made = manifest("ModelVersion", name=name)
    made["spec"] |= {"registration": {"registry": "mlflow", "name": "Fraud"}, **spec}
    return w.ns.create(made)


def condition(w: World, type_: str) -> JSON:
    return w.ns.condition("fraud-1", type_, "ModelVersion")


def registered(w: World, name: str = "fraud-1") -> str:
    found = w.ns.status(name, "ModelVersion").get("registered", {})
    return str(found.get("version", ""))


async def test_a_version_waits_for_no_registry_and_is_registered_once(
    w: World, mlflow: Registry
) -> None:
    async with w.operator():
        version(w)
        await until(lambda: condition(w, "Registered").get("reason") == "RegistryNotFound")
        assert condition(w, "Approved")["status"] == "True"
        mlflow.fault = lambda request: web.Response(
            status=502, text="<html>bad gateway", content_type="text/html"
        )
        model_registry(w, mlflow.url, writeTags=False)
        await until(lambda: condition(w, "Registered").get("reason") == "SourceUnavailable")
        assert "answered 502: Bad Gateway" in condition(w, "Registered")["message"]
        # The version comes to be, and nobody hears of it.
        mlflow.fault = lambda request: None
        mlflow.versions["Fraud"] = {}
        mlflow.lost = lambda request: web.Response(status=504, text="time-out")
        await until(lambda: mlflow.created, seconds=60)
    mlflow.lost = lambda request: None
    # A new leader.
    async with w.operator() as operator:
        await until(lambda: registered(w) == "1", seconds=60)
        asked = operator._polls._inquiries
        await until(lambda: not any(isinstance(p.question, Enrolment) for _, p in asked))
        assert condition(w, "Registered")["status"] == "True"
        await until(
            lambda: (
                "ModelRegistry mlflow: version 1 of Fraud"
                in w.ns.status("fraud-1", "ModelVersion")["lineage"]
            )
        )
    assert {n: v.tags[KEY] for n, v in mlflow.versions["Fraud"].items()} == {
        "1": f"{w.ns.name}/fraud-1"
    }


async def test_a_restored_version_is_not_registered_again(w: World, mlflow: Registry) -> None:
    """Not even where somebody has deleted it from the registry."""
    async with w.operator():
        model_registry(w, mlflow.url, writeTags=False)
        version(w)
        await until(lambda: registered(w) == "1")
        await until(
            lambda: (
                "registered"
                in w.ns.get("ModelVersion", "fraud-1")["metadata"]["annotations"][
                    "evenkeel.dev/record"
                ]
            )
        )
        kept = w.ns.get("ModelVersion", "fraud-1")
    w.server.kubectl("-n", w.ns.name, "delete", "modelversion", "fraud-1")
    mlflow.versions["Fraud"].clear()
    kept["metadata"] = {k: kept["metadata"][k] for k in ("name", "annotations")}
    del kept["status"]
    w.ns.create(kept)
    async with w.operator():
        await until(lambda: condition(w, "Registered").get("status") == "True")
        version(w, "fraud-2", uri="s3://models/fraud/2")
        await until(lambda: registered(w, "fraud-2"))
    assert registered(w) == "1"
    assert [v.tags[KEY] for v in mlflow.versions["Fraud"].values()] == [f"{w.ns.name}/fraud-2"]


async def test_a_registration_is_for_good(w: World) -> None:
    version(w)
    answer = w.server.patch(
        "ModelVersion",
        w.ns.name,
        "fraud-1",
        {"spec": {"registration": {"registry": "mlflow", "name": "Other"}}},
    )
    assert answer.status_code == 422
    assert "create another ModelVersion" in answer.text


@pytest.mark.parametrize("name", ["a/b", "a:b", 'a"b', "a'b", "", "x" * 257])
async def test_names_that_are_none(w: World, name: str) -> None:
    made = manifest("ModelVersion")
    made["spec"]["registration"] = {"registry": "mlflow", "name": name}
    assert w.server.create(made, w.ns.name).status_code == 422
