"""From the webhook's request to the training Job, one schedule after the other."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import httpx
from evenkeel.api.resources import OWN
from evenkeel.kube.client import Client
from evenkeel.meta.resources import JOB

from bench.process import OperatorProcess, Row

RUNS = 100
STORM = 10_000


def schedule(index: int, namespace: str = "default") -> dict[str, Any]:
    """One that an alert with bench=INDEX of its namespace starts."""
    return {
        "apiVersion": "evenkeel.dev/v1alpha1",
        "kind": "RetrainSchedule",
        "metadata": {"name": f"bench-{index}", "namespace": namespace},
        "spec": {
            "model": f"bench-{index}",
            "triggers": [
                {
                    "name": "drift",
                    "alert": {"matchers": [{"name": "bench", "value": str(index)}]},
                }
            ],
            "training": {
                "podTemplate": {
                    "spec": {"containers": [{"name": "train", "image": "example/train:1"}]}
                }
            },
        },
    }


def notification(index: int, namespace: str = "default", count: int = 1) -> dict[str, Any]:
    """Alertmanager's body for the schedule of that number."""
    now = datetime.now(UTC).isoformat()
    return {
        "version": "4",
        "groupKey": "{}",
        "status": "firing",
        "receiver": "evenkeel",
        "alerts": [
            {
                "status": "firing",
                "labels": {
                    "alertname": "Drift",
                    "bench": str(index),
                    "namespace": namespace,
                    "instance": str(n),
                },
                "annotations": {"summary": "drift"},
                "startsAt": now,
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "",
                "fingerprint": f"{index:08x}{n:08x}",
            }
            for n in range(count)
        ],
    }


async def measure(operator: OperatorProcess) -> list[Row]:
    """p50 and p99 of the time until the Job exists, and what a storm of alerts makes."""
    url = f"http://127.0.0.1:{operator.webhook_port}/alertmanager/v4"
    delays: list[float] = []
    client = await Client.from_environment(field_manager="bench")
    async with client, httpx.AsyncClient(timeout=30) as http:
        for index in range(RUNS + 1):
            await client.create(OWN["RetrainSchedule"], "default", schedule(index))
        await asyncio.sleep(2)
        _, version = await client.list(JOB, namespace="default")
        for index in range(RUNS):
            watch = client.watch(JOB, namespace="default", resource_version=version)
            started = time.perf_counter()
            answer, event = await asyncio.gather(
                http.post(url, json=notification(index)), anext(watch)
            )
            delays.append(time.perf_counter() - started)
            answer.raise_for_status()
            version = event["object"]["metadata"]["resourceVersion"]
            await watch.aclose()  # type: ignore[attr-defined]
        started = time.perf_counter()
        answers = await asyncio.gather(
            *(http.post(url, json=notification(RUNS, count=500)) for _ in range(STORM // 500))
        )
        storm = time.perf_counter() - started
        for answer in answers:
            answer.raise_for_status()
        await asyncio.sleep(1)
        found = await client.get(OWN["RetrainSchedule"], "default", f"bench-{RUNS}")
        runs, _ = await client.list(
            OWN["TrainingRun"],
            namespace="default",
            selector=f"evenkeel.dev/schedule=bench-{RUNS}",
        )
    delays.sort()
    p50, p99 = delays[len(delays) // 2], delays[int(len(delays) * 0.99) - 1]
    counted = found["status"]["lastRun"]["alertCount"]
    return [
        Row("alert to Job, median", f"{p50 * 1000:.0f} ms", "", True),
        Row("alert to Job, p99", f"{p99 * 1000:.0f} ms", "250 ms", p99 <= 0.25),
        Row(f"storm of {STORM} alerts answered", f"{storm:.1f} s", "", True),
        Row(
            "  TrainingRuns / alerts counted",
            f"{len(runs)} / {counted}",
            f"1 / {STORM}",
            len(runs) == 1 and counted == STORM,
        ),
    ]
