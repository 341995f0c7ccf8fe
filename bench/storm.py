"""`python -m bench.storm`: ten thousand alerts in one notification against a thousand schedules.

The webhook, the inbox and the plans are the operator's; a write takes two milliseconds and is
remembered, so that what is measured is the process and not an API server. It runs as a process of
its own, so that its memory is its own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web
from evenkeel.api import RetrainSchedule
from evenkeel.controllers.inbox import Inbox
from evenkeel.kube.queue import WorkQueue
from evenkeel.kube.store import Store
from evenkeel.meta.objects import Key
from evenkeel.process.senders import Senders
from evenkeel.process.webhook import Webhook
from evenkeel.retraining.plan import ScheduleSnapshot, plan_schedule

from bench.process import Row

ALERTS, SCHEDULES, WORKERS = 10_000, 1_000, 32
WRITE = 0.002
MIB = 2**20
BLOCKED, MEMORY, ANSWER = 0.1, 100 * MIB, 5.0

JSON = dict[str, Any]


class Storm(NamedTuple):
    """namespaces: over how many schedules and alerts are spread. reach: schedules of an alert."""

    name: str
    namespaces: int
    value: str
    reach: int


STORMS = (
    Storm("20 tenants, 10 alerts a schedule", 20, "model-{n}(-.*)?", 1),
    Storm("one tenant, 10 alerts a schedule", 1, "model-{n}(-.*)?", 1),
    Storm("20 tenants, every alert to 50 schedules", 20, "model-.*", 50),
)


def schedule(storm: Storm, n: int) -> JSON:
    """The schedule of model n."""
    matchers = [
        {"name": "alertname", "value": "Drift"},
        {"name": "model", "operator": "=~", "value": storm.value.format(n=n)},
    ]
    return {
        "metadata": {
            "name": f"model-{n}",
            "namespace": f"tenant-{n % storm.namespaces}",
            "uid": f"u{n}",
            "resourceVersion": "1",
            "generation": 1,
            "creationTimestamp": "2026-01-31T09:00:00Z",
        },
        "spec": {
            "model": f"model-{n}",
            "triggers": [{"name": "drift", "alert": {"matchers": matchers}}],
            "training": {
                "podTemplate": {"spec": {"containers": [{"name": "t", "image": "example/t:1"}]}}
            },
        },
    }


def notification(storm: Storm) -> bytes:
    """About 7 MiB, as Alertmanager writes them."""

    def alert(n: int) -> JSON:
        model = n % SCHEDULES
        labels = {
            "alertname": "Drift",
            "namespace": f"tenant-{model % storm.namespaces}",
            "model": f"model-{model}",
            "pod": f"model-{model}-5d8f7c9b6d-{n:05d}",
            **{f"label_{i}": f"value {i} of alert {n}" for i in range(8)},
        }
        return {
            "status": "firing",
            "labels": labels,
            "annotations": {
                "summary": f"inputs of model-{model} have drifted",
                "runbook": "x" * 80,
            },
            "startsAt": "2026-01-31T09:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": f"http://prometheus.test/graph?g0.expr=psi{n}",
            "fingerprint": f"{n:016x}",
        }

    whole = {"version": "4", "groupKey": "{}", "alerts": [alert(n) for n in range(ALERTS)]}
    return json.dumps(whole).encode()


class Process:
    """The parts of the operator that alerts pass through."""

    def __init__(self, storm: Storm) -> None:
        self.store, self.inbox, self.queue = Store(), Inbox(), WorkQueue()
        for n in range(SCHEDULES):
            self.store.put("RetrainSchedule", schedule(storm, n))
        self.blocked = 0.0
        self.webhook = Webhook(
            self.store,
            self.inbox,
            self.queue.add,
            lambda: True,
            Senders(lambda: "", {}, None),
        )

    async def work(self) -> None:
        """A worker of the reconcile loop."""
        while True:
            key = await self.queue.get()
            obj = self.store.get(key)
            assert obj is not None
            plan = plan_schedule(
                ScheduleSnapshot(
                    RetrainSchedule.model_validate(obj),
                    (),
                    self.inbox.take(key),
                    datetime.now(UTC),
                )
            )
            await asyncio.sleep(WRITE * (1 + len(plan.creates)))
            version = str(int(obj["metadata"]["resourceVersion"]) + 1)
            meta = {**obj["metadata"], "resourceVersion": version}
            self.store.put(key.kind, {**obj, "metadata": meta, "status": plan.status.wire()})
            self.inbox.settle(key)
            self.queue.done(key)

    async def watch(self) -> None:
        """How long the loop lets its other work wait."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.blocked = max(self.blocked, time.perf_counter() - before - 0.001)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """The webhook's port."""
        runner = web.AppRunner(self.webhook.application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        tasks = [asyncio.create_task(self.work()) for _ in range(WORKERS)]
        tasks.append(asyncio.create_task(self.watch()))
        try:
            yield int(runner.addresses[0][1])
        finally:
            for task in tasks:
                task.cancel()
            await runner.cleanup()

    def received(self, key: Key) -> int:
        """Alerts that a schedule has counted."""
        obj = self.store.get(key) or {}
        return sum(t["received"] for t in obj.get("status", {}).get("triggers", ()))


async def serve(storm: Storm) -> None:
    """The process: tells its port, and its figures once it is asked for them."""
    process = Process(storm)
    keys = process.store.keys("RetrainSchedule")
    # As the operator does once its caches are filled.
    gc.collect()
    gc.freeze()
    async with process.serving() as port:
        _forget_peak()
        before = _memory("VmRSS")
        print(port, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        figures = {
            "blocked": process.blocked,
            "memory": _memory("VmHWM") - before,
            "received": sum(process.received(key) for key in keys),
        }
        print(json.dumps(figures), flush=True)


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [one for one in lines if one.startswith(field)]
    return int(line.split()[1]) * 1024


async def _post(port: int, body: bytes) -> float:
    """Seconds until the answer, which has to be 200."""
    async with aiohttp.ClientSession() as session:
        started = time.perf_counter()
        async with session.post(f"http://127.0.0.1:{port}/alerts", data=body) as answer:
            text = await answer.text()
            assert answer.status == 200, text
        return time.perf_counter() - started


def measure(storm: Storm) -> list[Row]:
    """The figures of one storm, sent twice."""
    body = notification(storm)
    command = [sys.executable, "-m", "bench.storm", str(STORMS.index(storm))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        took, again = asyncio.run(_post(port, body)), asyncio.run(_post(port, body))
        process.stdin.write("\n")
        process.stdin.flush()
        figures = json.loads(process.stdout.readline())
    wanted = ALERTS * storm.reach
    blocked, memory, counted = figures["blocked"], figures["memory"], figures["received"]
    return [
        Row(f"{storm.name}: answer", f"{took:.2f} s", f"{ANSWER:.0f} s", took <= ANSWER),
        Row("  sent again: answer", f"{again:.2f} s", f"{ANSWER:.0f} s", again <= ANSWER),
        Row(
            "  longest block of the loop",
            f"{blocked * 1000:.0f} ms",
            f"{BLOCKED * 1000:.0f} ms",
            blocked <= BLOCKED,
        ),
        Row("  memory", f"+{memory / MIB:.0f} MiB", f"+{MEMORY // MIB} MiB", memory <= MEMORY),
        Row("  alerts counted", str(counted), str(wanted), counted == wanted),
    ]


def rows() -> list[Row]:
    """The figures of all storms against their bounds."""
    return [row for storm in STORMS for row in measure(storm)]


def main() -> int:
    if len(sys.argv) > 1:
        asyncio.run(serve(STORMS[int(sys.argv[1])]))
        return 0
    found = rows()
    for row in found:
        print(f"{row.name:<52}{row.value:>14}{row.target:>14}{'' if row.met else '   MISSED'}")
    print(f"{sum(row.met for row in found)} bounds held of {len(found)}")
    return 0 if all(row.met for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
