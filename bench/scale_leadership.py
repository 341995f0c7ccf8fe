"""Whether a leader keeps leading under bursts, and how soon one ends that cannot."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from evenkeel.controllers.kinds import MANAGED
from evenkeel.kube.client import Client
from evenkeel.meta.resources import DEPLOYMENT, LEASE, SERVICE, ResourceType

from bench import scale_models
from bench.cluster import cluster
from bench.process import OperatorProcess, Row, at_most

RENEW_DEADLINE = 10
"""Seconds without a renewal after which leadership is lost."""


def measure(short: bool) -> list[Row]:
    """All figures on leadership."""
    bursts, size, busy = (2, 100, 1) if short else (20, 500, 3)
    workers = {"EVENKEEL_WORKERS": "128"}
    with cluster() as made:
        asyncio.run(scale_models.runtime())
        with made.operator(**workers) as operator:
            quiet = sum(_lost(operator, size) for _ in range(bursts))
        with made.operator(**workers) as operator, _busy_cores():
            crowded = sum(_lost(operator, size) for _ in range(busy))
        with made.operator() as operator, made.away():
            took = operator.ended(120)
    after = 120.0 if took is None else max(0.0, took - RENEW_DEADLINE)
    return [
        at_most(f"leases lost in {bursts} bursts of {size} at 128 workers", quiet, 0, "", 0),
        at_most(f"  in {busy} bursts with all cores busy besides", crowded, 0, "", 0),
        at_most("end of the process after a lost lease, API server away", after, 15, "s"),
    ]


def _lost(operator: OperatorProcess, size: int) -> bool:
    """Whether a burst of creations cost the lease; what it made is deleted."""
    if not operator.runs():
        return True
    before = asyncio.run(_transitions())
    asyncio.run(_burst(size))
    return not operator.runs() or asyncio.run(_transitions()) != before


async def _transitions() -> tuple[str, int]:
    async with await Client.from_environment(field_manager="bench") as client:
        spec = (await client.get(LEASE, "default", "evenkeel"))["spec"]
        return spec["holderIdentity"], spec["leaseTransitions"]


async def _burst(size: int) -> None:
    async with await Client.from_environment(field_manager="bench") as client:
        served = asyncio.create_task(scale_models.until_served(0, size))
        await scale_models.create(range(size))
        done, _ = await asyncio.wait({served}, timeout=120)
        if not done:
            served.cancel()
        await _delete(client, scale_models.KIND)
        for type_ in (DEPLOYMENT, SERVICE):
            await _delete(client, type_, MANAGED)


async def _delete(client: Client, type_: ResourceType, selector: str = "") -> None:
    items, _ = await client.list(type_, namespace="default", selector=selector)
    limit = asyncio.Semaphore(50)

    async def one(name: str) -> None:
        async with limit:
            await client.delete(type_, "default", name, "")

    await asyncio.gather(*(one(i["metadata"]["name"]) for i in items))


@contextmanager
def _busy_cores() -> Iterator[None]:
    """A process that never rests on each core."""
    spin = [sys.executable, "-c", "while True: pass"]
    spinning = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in spinning:
            one.kill()
            one.wait()
