"""From an alert at the webhook until its TrainingRun is there.

`python -m bench.conditions.alerting WEBHOOK NAMESPACE NUMBER`, with KUBECONFIG: a process of its
own, which the simulated servers do not slow down. It prints the times in seconds as a JSON list.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from statistics import median
from typing import NamedTuple

import httpx
from evenkeel.api.resources import OWN
from evenkeel.kube.client import Client

from bench.alerts import notification, schedule

RUN = OWN["TrainingRun"]
FIRST = 3
"""Alerts that are not counted: the process meets its first one."""
BETWEEN = 0.4
"""Seconds from one alert to the next."""


class Measured(NamedTuple):
    """Of one operator under one condition. memory: MiB at most; delays: seconds, in order."""

    memory: float
    delays: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.delays)

    @property
    def p99(self) -> float:
        """Of fewer than 100 it is the longest."""
        return self.delays[int(0.99 * len(self.delays))]


async def delays(webhook: str, namespace: str, number: int) -> list[float]:
    """Seconds from each request to the TrainingRun, each of a schedule of its own."""
    found: list[float] = []
    client = await Client.from_environment(field_manager="bench")
    async with client, httpx.AsyncClient(timeout=30) as http:
        for index in range(FIRST + number):
            await client.create(OWN["RetrainSchedule"], namespace, schedule(index, namespace))
        await asyncio.sleep(3)
        for index in range(FIRST + number):
            await asyncio.sleep(BETWEEN)
            _, version = await client.list(RUN, namespace=namespace)
            watch = client.watch(RUN, namespace=namespace, resource_version=version)
            began = time.perf_counter()
            post = asyncio.create_task(http.post(webhook, json=notification(index, namespace)))
            async for event in watch:
                spec = event["object"].get("spec") or {}
                if event["type"] == "ADDED" and spec.get("model") == f"bench-{index}":
                    break
            found.append(time.perf_counter() - began)
            (await post).raise_for_status()
            await watch.aclose()  # type: ignore[attr-defined]
    return sorted(found[FIRST:])


async def beside(kubeconfig: str, webhook: str, namespace: str, number: int) -> tuple[float, ...]:
    """The same, measured by a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.conditions.alerting",
        webhook,
        namespace,
        str(number),
        env={**os.environ, "KUBECONFIG": kubeconfig},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    return tuple(json.loads(said))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(delays(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
