"""Alerts of tenants who share an operator: one at its quota, one with a token of its own."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import aiohttp
import pytest

from tests.support.api_server import ApiServer
from tests.support.operating import Namespace, World, alerts, schedule, until

JSON = dict[str, Any]
QUOTA = "count/trainingruns.evenkeel.dev"


@pytest.fixture
def other(api_server: ApiServer) -> Namespace:
    """A second tenant with a schedule alike."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    api_server.kubectl("create", "namespace", name)
    made = Namespace(api_server, name)
    made.create(schedule())
    return made


def limit(namespace: Namespace, runs: int) -> None:
    """Lets the namespace have so many TrainingRuns; enforced at once."""
    quota = f"/api/v1/namespaces/{namespace.name}/resourcequotas"
    hard = {"hard": {QUOTA: str(runs)}}
    made = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "runs"}, "spec": hard}
    http = namespace.server.http
    http.post(quota, json=made)
    headers = {"Content-Type": "application/merge-patch+json"}
    http.patch(f"{quota}/runs", json={"spec": hard}, headers=headers).raise_for_status()
    status = {"status": {**hard, "used": {QUOTA: "0"}}}
    http.patch(f"{quota}/runs/status", json=status, headers=headers).raise_for_status()


def received(namespace: Namespace) -> int:
    triggers = namespace.status("retrain", "RetrainSchedule").get("triggers", [{}])
    return int(triggers[0].get("received", 0))


async def post(port: int, body: JSON, path: str = "/alerts", token: str = "") -> tuple[int, JSON]:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.post(url, json=body, headers=headers) as answer:
                found = answer.status, await answer.json()
            if "does not lead" not in str(found):
                return found
            await asyncio.sleep(0.1)


async def test_a_tenant_at_its_quota_fails_nobody_and_loses_nothing(
    w: World, other: Namespace
) -> None:
    w.ns.create(schedule())
    limit(other, 0)
    mixed = w.alerts(0, 4)
    mixed["alerts"] += alerts(100, 3, other.name)["alerts"]
    async with w.operator(watch_namespaces=(w.ns.name, other.name)) as operator:
        port = operator._settings.webhook_port
        for _ in range(6):
            assert await post(port, mixed) == (200, {"received": 7, "matched": 7})
        assert (received(w.ns), received(other)) == (4, 3)
        assert len(w.ns.all("TrainingRun")) == 1
        assert other.all("TrainingRun") == []
        assert other.status("retrain", "RetrainSchedule")["pending"]["alertCount"] == 3
        ready = other.ready("retrain", "RetrainSchedule")
        assert (ready["status"], ready["reason"]) == ("False", "ApplyFailed")
        assert "exceeded quota: runs" in ready["message"]
        limit(other, 5)
        await until(lambda: other.all("TrainingRun"), "the run, once there is room", 90)
        (run,) = other.all("TrainingRun")
        assert run["spec"]["cause"]["alertCount"] == 3
        assert (received(w.ns), received(other)) == (4, 3)


async def test_a_tenants_own_token_opens_its_own_path_only(w: World, other: Namespace) -> None:
    w.ns.create(schedule())
    w.server.kubectl(
        *("-n", other.name, "create", "secret", "generic", "evenkeel-alerts"),
        "--from-literal=token=geheim",
    )
    async with w.operator(
        watch_namespaces=(w.ns.name, other.name),
        webhook_secrets=(f"{other.name}=evenkeel-alerts",),
    ) as operator:
        port, faked = operator._settings.webhook_port, w.alerts(0, 1)
        path = f"/alerts/{other.name}"
        assert (await post(port, faked, path, "wrong"))[0] == 401
        assert await post(port, faked, path, "geheim") == (200, {"received": 1, "matched": 1})
        assert (received(w.ns), received(other)) == (0, 1)


async def test_an_alert_without_a_namespace_is_told_to_whom_it_may_concern(w: World) -> None:
    w.ns.create(schedule())
    lost = alerts(0, 1, "")
    async with w.operator() as operator:
        await until(lambda: w.ns.ready("retrain", "RetrainSchedule"))
        status, answer = await post(operator._settings.webhook_port, lost)
        assert (status, answer["matched"], answer["withoutNamespace"]) == (200, 0, 1)
        await until(lambda: "AlertWithoutNamespace" in {e["reason"] for e in w.ns.all("Event")})
    assert received(w.ns) == 0
    async with w.operator(webhook_grants=(f"-={w.ns.name}/retrain",)) as operator:
        assert (await post(operator._settings.webhook_port, lost))[1]["matched"] == 1
        assert received(w.ns) == 1
