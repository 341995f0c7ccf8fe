"""What the meters of a revision have counted, as a real Prometheus has it, and a wire before that.

Days pass by what a target exposes with times of the past, so that no test waits for them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from evenkeel.meta.times import timestamp

from tests.support.manifests import manifest
from tests.support.operating import World
from tests.support.real_prometheus import RealPrometheus, prometheus

JSON = dict[str, Any]
METERS = "meters"
DAY = 86400
PARTS = 8
"""Samples of a block."""

Rows = Mapping[tuple[str, str], Mapping[str, int]]
"""By kind and name how many of a block are in each bin."""
SAME: Rows = {
    ("feature", "load"): {"0": 480, "1": 480, "missing": 0},
    ("feature", "color"): {"0": 640, "1": 320, "other": 0, "missing": 0},
    ("prediction", "label"): {"0": 480, "1": 480, "other": 0, "missing": 0},
}
MOVED: Rows = {
    **SAME,
    ("feature", "load"): {"0": 160, "1": 800, "missing": 0},
    ("feature", "color"): {"0": 320, "1": 160, "other": 480, "missing": 0},
}
"""Data and Unseen drift: the loads are higher, and half of the colors are new."""


@dataclass(frozen=True)
class Pod:
    """A pod's meter. blocks: what it counted, the newest last. end: of them, Unix seconds."""

    name: str
    blocks: Sequence[Rows]
    end: int
    reference: Rows
    digest: str = "d1"
    state: str = "Used"
    why: str = ""
    bodies: str = "counted"


def labelled(**labels: str) -> str:
    """Labels as an exposition has them, whatever is in them."""
    escape = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    texts = {k: "".join(escape.get(c, c) for c in v) for k, v in labels.items()}
    return "{" + ",".join(f'{k}="{v}"' for k, v in texts.items()) + "}"


def history(namespace: str, pod: Pod) -> Iterator[str]:
    """What its meter exposed in the past, day by day."""
    of = {"namespace": namespace, "pod": pod.name}
    info = labelled(**of, digest=pod.digest, state=pod.state, why=pod.why)
    total: dict[tuple[str, str, str], int] = {}
    begin = pod.end - DAY * len(pod.blocks)
    for number, rows in enumerate(pod.blocks):
        for part in range(1, PARTS + 1):
            at = (begin + DAY * number + DAY * part // PARTS) * 1000
            yield f"evenkeel_model_profile_info{info} 1 {at}"
            for (kind, name), bins in rows.items():
                for label, count in bins.items():
                    cell = (kind, name, label)
                    total[cell] = total.get(cell, 0) + count // PARTS
                    mine = labelled(**of, kind=kind, name=name, bin=label)
                    yield f"evenkeel_model_values_total{mine} {total[cell]} {at}"
            yield from _reference(pod, of, at)


def _reference(pod: Pod, of: Mapping[str, str], at: int) -> Iterator[str]:
    for (kind, name), bins in pod.reference.items():
        for label, count in bins.items():
            mine = labelled(**of, kind=kind, name=name, bin=label, range=f"bin {label}")
            yield f"evenkeel_model_reference_values{mine} {count} {at}"


def now(namespace: str, pod: Pod) -> Iterator[str]:
    """What its meter exposes now: each scrape finds more rows."""
    of, at = {"namespace": namespace, "pod": pod.name}, int(time.time() * 1000)
    info = labelled(**of, digest=pod.digest, state=pod.state, why=pod.why)
    yield f"evenkeel_model_profile_info{info} 1 {at}"
    for result in ("counted", "mismatched"):
        grown = at // 1000 if pod.state == "Used" and result == pod.bodies else 0
        yield f"evenkeel_model_bodies_total{labelled(**of, result=result)} {grown} {at}"


@dataclass
class Metered:
    """A Prometheus with the meters' counts, and what its queries meet on their way.

    fault: what a query is answered with instead, None: what Prometheus says. asked: the times of
    queries about the past, Unix seconds.
    """

    real: RealPrometheus
    fault: Callable[[str, int | None], web.Response | str | None] = lambda query, at: None
    asked: list[int] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """A query: the wire's part."""
        form = dict(await request.post())
        at = int(str(form["time"])) if "time" in form else None
        wrong = self.fault(str(form["query"]), at)
        if isinstance(wrong, web.Response):
            return wrong
        if at is not None:
            self.asked.append(at)
        url = f"{self.real.url}/api/v1/query"
        async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
            text = await answer.read()
        if wrong == "lose":
            assert request.transport is not None
            request.transport.abort()
        return web.Response(body=text, status=answer.status, content_type="application/json")

    async def have(self, namespace: str, *pods: Pod) -> None:
        """Prometheus has all of it from now on, and scrapes the meters further on."""
        lines = [line for pod in pods for line in history(namespace, pod)]
        await self._scraped("\n".join([*lines, ""]))
        await self._scraped(
            lambda: "\n".join([*[line for pod in pods for line in now(namespace, pod)], ""])
        )

    async def _scraped(self, text: str | Callable[[], str]) -> None:
        self.real.targets[METERS] = text
        since = self.real.scraped[METERS]
        while self.real.scraped[METERS] < since + 3:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)


@asynccontextmanager
async def metered(w: World, folder: Path) -> AsyncIterator[Metered]:
    """The world's operators ask it from now on."""
    async with prometheus(folder, METERS) as real:
        made = Metered(real)
        app = web.Application()
        app.router.add_post("/api/v1/query", made.handle)
        async with TestServer(app) as wire:
            w.counters.url = f"http://127.0.0.1:{wire.port}"
            yield made


def days_ago(number: int) -> int:
    """Midnight of that day, Unix seconds."""
    return (int(time.time()) // DAY - number) * DAY


def set_back(w: World, name: str, until: int) -> None:
    """As if no block after that time, Unix seconds, had been asked about yet."""
    patch = {"status": {"monitoring": {"until": timestamp(datetime.fromtimestamp(until, UTC))}}}
    w.ns.patch("ModelDeployment", name, patch, "status")


def vector(*samples: tuple[Mapping[str, str], str]) -> web.Response:
    """An answer of Prometheus."""
    result = [{"metric": dict(labels), "value": [time.time(), text]} for labels, text in samples]
    data = {"resultType": "vector", "result": result}
    return web.Response(
        text=json.dumps({"status": "success", "data": data}), content_type="application/json"
    )


def watched(
    name: str, model: str = "{uri: 's3://m/a', format: {name: test}}", **fields: Any
) -> JSON:
    """A ModelDeployment with monitoring; what it serves takes over when it is ready."""
    return manifest(
        "ModelDeployment",
        f"""
        model: {model}
        runtime: {{kind: ServingRuntime, name: test}}
        replicas: 2
        monitoring: {json.dumps(fields)}
        """,
        name,
    )


def begin(w: World, **fields: Any) -> None:
    """A version in production, watched, with a schedule that trains anew when it drifts."""
    version = "{model: elec, uri: 's3://m/v1', format: {name: test}}"
    triggers = "{model: elec, triggers: [{name: drifted, drift: {reasons: [Data, Unseen]}}]}"
    w.ns.create(manifest("ModelVersion", version, "v1"))
    w.ns.create(manifest("RetrainSchedule", triggers, "retrain"))
    w.ns.create(watched("elec", "{follow: elec}", **fields))


def monitoring(w: World, name: str = "elec") -> JSON:
    """Its evidence; {} before there is some."""
    found: JSON = w.ns.status(name).get("monitoring", {})
    return found


def drifted(w: World, name: str = "elec") -> JSON:
    """Its condition Drifted."""
    return w.ns.condition(name, "Drifted")


def of(w: World, name: str, blocks: Sequence[Rows], pod: str = "abcde", **more: Any) -> Pod:
    """A pod of the revision whose evidence the status has, up to today."""
    named = f"{monitoring(w, name)['revision']}-7d9f-{pod}"
    return Pod(named, blocks, **{"end": days_ago(0), "reference": SAME, **more})


def day_text(ago: int) -> str:
    """Midnight of that day, as a status has it."""
    return timestamp(datetime.fromtimestamp(days_ago(ago), UTC))
