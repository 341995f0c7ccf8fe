"""Very many ModelDeployments: a burst of them, a restart with them, and their memory."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

from evenkeel.api.labels import DEPLOYMENT as OWNER
from evenkeel.api.resources import OWN
from evenkeel.kube.client import Client
from evenkeel.meta.resources import DEPLOYMENT, EVENT, SERVICE

from bench import deployments
from bench.cluster import Cluster, Written, cluster
from bench.process import MEBIBYTE, OperatorProcess, Row, at_most, until

JSON = dict[str, Any]
KIND = OWN["ModelDeployment"]
ROUNDS = 2
WRITTEN = (DEPLOYMENT.plural, SERVICE.plural, f"{KIND.plural}/status", EVENT.plural)


def measure(short: bool) -> list[Row]:
    """All figures on models."""
    burst, many = (50, 300) if short else (500, 10_000)
    held = ROUNDS * burst
    with cluster() as made:
        rows = _burst(made, burst)
        rows += _restart(made, held)
        with made.operator() as operator:
            asyncio.run(_serve(held + 1, many))
            settled(operator)
            created = operator.peak_rss()
        with made.operator() as operator:
            settled(operator)
            restarted = operator.peak_rss()
    name = f"memory with {many} models"
    return [
        *rows,
        at_most(f"{name} after their creation", created / MEBIBYTE, 512, "MiB", 0),
        at_most(f"{name} after a restart", restarted / MEBIBYTE, 512, "MiB", 0),
    ]


def _burst(made: Cluster, size: int) -> list[Row]:
    """The best of some rounds each, since others may use the machine as well."""
    asyncio.run(runtime())
    bare: list[float] = []
    taken: list[float] = []
    written: Counter[str] = Counter()
    for part in range(ROUNDS):
        bare.append(asyncio.run(deployments.raw_writes(size)))
        with made.operator() as operator:
            before = made.writes()
            taken.append(asyncio.run(_serve(part * size, (part + 1) * size)))
            settled(operator)
            written += _of_operator(made.writes() - before)
    count = ROUNDS * size
    each = sum(written.values()) / count
    said = ", ".join(f"{n / count:.1f} {name}" for name, n in sorted(written.items()))
    return [
        at_most(f"{size} models at once to bare writes", min(taken) / min(bare), 1.3, "", 2),
        at_most("  writes for each", each, 4, "", 1),
        Row(f"    of these {said}", "", "", True),
    ]


def _restart(made: Cluster, held: int) -> list[Row]:
    """A new one waits while the operator is away."""
    asyncio.run(create(range(held, held + 1)))
    before = made.writes()
    refused = 0
    with made.operator() as operator:
        served = asyncio.run(until_served(held, held + 1))
        while operator.metric("evenkeel_queue_depth") > 0:
            refused += not operator.alive()
            time.sleep(0.1)
        time.sleep(5)
        written = _of_operator(made.writes() - before)
    # The new one's own.
    needless = sum(written.values()) - 4
    return [
        at_most(f"restart with {held} models: the first new one is served after", served, 5, "s"),
        at_most("  needless writes", max(0, needless), 0, "", 0),
        at_most("  refusals of /healthz", refused, 0, "", 0),
    ]


def _of_operator(written: Counter[Written]) -> Counter[str]:
    """By plural, what only the operator writes here."""
    found: Counter[str] = Counter()
    for write, number in written.items():
        if write.resource in WRITTEN:
            found[write.resource] += number
    return found


def settled(operator: OperatorProcess) -> None:
    """With nothing left to do, and the last Events sent."""
    until(lambda: operator.metric("evenkeel_queue_depth") == 0, 900)
    time.sleep(10)
    until(lambda: operator.metric("evenkeel_queue_depth") == 0, 900)


async def runtime() -> None:
    async with await Client.from_environment(field_manager="bench") as client:
        made = deployments.runtime()
        await client.apply(OWN["ClusterServingRuntime"], "", "bench", made)


async def _serve(first: int, end: int) -> float:
    """Seconds until new models have their children and a status."""
    started = time.perf_counter()
    served = asyncio.create_task(until_served(first, end))
    await create(range(first, end))
    await served
    return time.perf_counter() - started


async def create(numbers: range) -> None:
    limit = asyncio.Semaphore(deployments.PARALLEL)
    async with await Client.from_environment(field_manager="bench") as client:

        async def one(number: int) -> None:
            async with limit:
                await client.create(KIND, "default", deployments.deployment(number))

        await asyncio.gather(*(one(n) for n in numbers))


async def until_served(first: int, end: int) -> float:
    """Seconds until they have a Deployment, a Service and a status."""
    started = time.perf_counter()
    names = {f"bench-{n}" for n in range(first, end)}
    async with await Client.from_environment(field_manager="bench") as client, asyncio.timeout(900):
        for type_ in (KIND, DEPLOYMENT, SERVICE):
            waiting = set(names)
            async for event in client.watch(type_, namespace="default", resource_version="0"):
                obj = event["object"]
                labels = obj["metadata"].get("labels") or {}
                if type_ != KIND:
                    waiting.discard(labels.get(OWNER))
                elif obj.get("status", {}).get("conditions"):
                    waiting.discard(obj["metadata"]["name"])
                if not waiting:
                    break
    return time.perf_counter() - started
