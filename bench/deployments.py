"""Many ModelDeployments at once, then none: reconcile time, idle writes, memory."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from evenkeel.api.resources import OWN
from evenkeel.kube.client import Client
from evenkeel.meta.resources import DEPLOYMENT, SERVICE, ResourceType

from bench.process import MEBIBYTE, OperatorProcess, Row

IDLE_SECONDS = 60
PARALLEL = 50
STATUS = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": type_,
            "status": "True",
            "reason": "Measured",
            "message": "as long as a usual one",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for type_ in ("Ready", "ModelResolved", "Available", "RolloutHealthy")
    ],
    "stable": {"revision": "raw", "uri": "pvc://models/raw"},
}


def runtime() -> dict[str, Any]:
    return {
        "apiVersion": "evenkeel.dev/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": "bench"},
        "spec": {
            "supportedModelFormats": [{"name": "sklearn", "autoSelect": True}],
            "containers": [
                {
                    "name": "model",
                    "image": "example/model:1",
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
                }
            ],
        },
    }


def deployment(index: int) -> dict[str, Any]:
    return {
        "apiVersion": "evenkeel.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": f"bench-{index}", "namespace": "default"},
        "spec": {"model": {"uri": f"pvc://models/{index}", "format": {"name": "sklearn"}}},
    }


def _raw_children(index: int) -> list[tuple[ResourceType, dict[str, Any]]]:
    name, labels = f"raw-{index}", {"app": f"raw-{index}"}
    container = {"name": "model", "image": "example/model:1"}
    return [
        (
            DEPLOYMENT,
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"containers": [container]},
                    },
                },
            },
        ),
        (
            SERVICE,
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"selector": labels, "ports": [{"port": 80}]},
            },
        ),
    ]


async def raw_writes(count: int) -> float:
    """Seconds that the same objects take when they are simply written, without an operator."""
    limit = asyncio.Semaphore(PARALLEL)
    async with await Client.from_environment(field_manager="bench") as client:
        kind = OWN["ModelDeployment"]

        async def one(index: int) -> None:
            async with limit:
                body = deployment(index) | {"status": STATUS}
                body["metadata"]["name"] = name = f"raw-{index}"
                await client.create(kind, "default", body)
                await client.apply(kind, "default", name, body, subresource="status")
                for type_, manifest in _raw_children(index):
                    await client.apply(type_, "default", name, manifest)

        started = time.perf_counter()
        await asyncio.gather(*(one(i) for i in range(count)))
        taken = time.perf_counter() - started
        for type_ in (kind, DEPLOYMENT, SERVICE):
            for item in (await client.list(type_, namespace="default"))[0]:
                if item["metadata"]["name"].startswith("raw-"):
                    await client.delete(type_, "default", item["metadata"]["name"], "")
        return taken


async def measure(operator: OperatorProcess, count: int, raw: float) -> list[Row]:
    """Creates `count` ModelDeployments and waits for their children and status."""
    kind = OWN["ModelDeployment"]
    empty = operator.rss()
    limit = asyncio.Semaphore(PARALLEL)
    async with await Client.from_environment(field_manager="bench") as client:
        await client.apply(OWN["ClusterServingRuntime"], "", "bench", runtime())

        async def create(index: int) -> None:
            async with limit:
                await client.create(kind, "default", deployment(index))

        cpu = operator.cpu_seconds()
        started = time.perf_counter()
        served = asyncio.create_task(_until_served(client, count))
        await asyncio.gather(*(create(i) for i in range(count)))
        posted = time.perf_counter() - started
        await served
        taken = time.perf_counter() - started
        cpu = operator.cpu_seconds() - cpu
        await asyncio.sleep(2)
        before = await _versions(client)
        await asyncio.sleep(IDLE_SECONDS)
        after = await _versions(client)
    writes = sum(before.get(key) != version for key, version in after.items())
    rss = operator.rss()
    allowed = 120 * MEBIBYTE + 20 * 1024 * count * 3
    return [
        Row(f"{count} ModelDeployments posted", f"{posted:.1f} s", "", True),
        Row("  children exist and status written", f"{taken:.1f} s", "5.0 s", taken <= 5.0),
        Row("  ratio to the bare writes", f"{taken / raw:.2f}", "1.50 (goal)", True),
        Row("  processor time of the operator", f"{cpu:.1f} s", "", True),
        Row(f"writes while idle for {IDLE_SECONDS} s", str(writes), "0", writes == 0),
        Row("memory (RSS) before", f"{empty / MEBIBYTE:.0f} MiB", "", True),
        Row(
            "memory (RSS) after",
            f"{rss / MEBIBYTE:.0f} MiB",
            f"{allowed / MEBIBYTE:.0f} MiB",
            rss <= allowed,
        ),
    ]


async def _until_served(client: Client, count: int) -> None:
    """Until every status and child is there; a watch and bare counts disturb least."""
    async with asyncio.timeout(300):
        waiting = {f"bench-{i}" for i in range(count)}
        kind = OWN["ModelDeployment"]
        async for event in client.watch(kind, namespace="default", resource_version="0"):
            if event["object"].get("status", {}).get("conditions"):
                waiting.discard(event["object"]["metadata"]["name"])
            if not waiting:
                break
        # The API server's own Service is one more.
        for type_, number in ((SERVICE, count + 1), (DEPLOYMENT, count)):
            while await _count(client, type_) < number:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.05)


async def _count(client: Client, type_: ResourceType) -> int:
    page = await client.request("GET", type_.path("default"), query={"limit": "1"})
    return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))


async def _versions(client: Client) -> dict[str, str]:
    """The resourceVersion of all that the operator could write, but for its own Lease."""
    found = {}
    for type_ in (DEPLOYMENT, SERVICE, *OWN.values()):
        items, _ = await client.list(type_)
        for item in items:
            meta = item["metadata"]
            key = f"{type_.kind}/{meta.get('namespace', '')}/{meta['name']}"
            found[key] = meta["resourceVersion"]
    return found
