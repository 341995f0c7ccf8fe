"""A reference that pods have learned is one for all of them, whatever dies in between."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from evenkeel.adapters.access import Access
from evenkeel.adapters.prometheus import Prometheus

from tests.support.controllers import controllers
from tests.support.operating import B, World, model_deployment, until
from tests.support.real_prometheus import RealPrometheus, prometheus

MORE = "{monitoring: {profile: {learn: {rows: 500, seconds: 0}}}}"


def profile(rows: int) -> str:
    """With characters that exposition, PromQL and JSON write in ways of their own."""
    variable = {
        "name": 'a "b" \\ é',
        "type": "categorical",
        "categories": ["x" * 200, "y\n" * 100, "{z}"],
        "counts": [rows, 0, 0],
        "other": 0,
        "missing": 0,
    }
    document = {"schema": "evenkeel.dev/profile/v1", "features": [variable], "predictions": []}
    return json.dumps({**document, "rows": rows, "source": "learned"})


def quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def exposed(ratio: float, text: str = "") -> str:
    """As the meter of a pod without a profile exposes it."""
    info = (
        'evenkeel_model_profile_info{digest="",source="",state="Absent",why="there is no file"} 1'
    )
    lines = [info, f"evenkeel_model_learning_ratio {ratio}"]
    parts = [text[i : i + 100] for i in range(0, len(text), 100)]
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    for number, part in enumerate(parts):
        labels = f'digest="{digest}",part="{number:04d}",text="{quoted(part)}"'
        lines.append(f"evenkeel_model_learned_profile{{{labels}}} {len(parts)}")
    return "\n".join(lines) + "\n"


async def scraped(server: RealPrometheus, targets: dict[str, str], promql: str) -> None:
    """Exposes it until Prometheus says so."""
    server.targets = dict(targets)
    adapter = Prometheus()
    try:
        deadline = time.monotonic() + 30
        while True:
            found = await adapter.ask(Access(server.url, guarded=False), promql)
            if found.samples and found.samples[0].value == 1:
                return
            assert time.monotonic() < deadline, promql
            await asyncio.sleep(0.2)
    finally:
        await adapter.close()


def config_maps(w: World) -> dict[str, dict[str, Any]]:
    found = w.ns.all("ConfigMap")
    return {o["metadata"]["name"]: o for o in found if "data" in o and o.get("immutable")}


async def test_it_is_made_once_stays_over_restarts_and_goes_with_its_revision(
    w: World, tmp_path: Path
) -> None:
    async with w.operator():
        w.ns.create(model_deployment("fraud", more=MORE))
        await until(lambda: w.ns.ready("fraud").get("status") == "True")
    (revision,) = w.ns.revisions("fraud")
    first, second = (f"{revision}-7d9f-{end}" for end in ("abcde", "bcdef"))
    one, other = profile(500), profile(501)

    async with prometheus(tmp_path, first, second, namespace=w.ns.name) as server:

        def monitored() -> str:
            return str(w.ns.condition("fraud", "Monitored").get("message"))

        learning = {first: exposed(0.45), second: exposed(0.2)}
        await scraped(server, learning, "max(evenkeel_model_learning_ratio) == bool 0.45")
        async with w.operator(prometheus_url=server.url):
            await until(lambda: "40 % of 500 rows" in monitored())
            assert w.ns.condition("fraud", "Monitored")["reason"] == "LearningReference"
            assert config_maps(w) == {}

        whole = {first: exposed(1, one), second: exposed(1, other)}
        await scraped(
            server, whole, "count(count by (digest) (evenkeel_model_learned_profile)) == bool 2"
        )
        async with w.operator(prometheus_url=server.url):
            await until(lambda: revision in config_maps(w))
            await until(lambda: "a reference was learned" in monitored())
        made = config_maps(w)[revision]
        assert made["data"]["evenkeel-profile.json"] in (one, other)
        assert made["metadata"]["ownerReferences"][0]["name"] == revision

        # Only pods that have learned something else are there, and a process that knows nothing.
        rest = {first: exposed(0.3), second: exposed(0.3)}
        await scraped(server, rest, "max(evenkeel_model_learning_ratio) == bool 0.3")
        async with w.operator(prometheus_url=server.url):
            await until(lambda: "30 % of 500 rows" in monitored())
        again = {first: exposed(1, profile(502)), second: exposed(1, profile(503))}
        await scraped(server, again, "min(evenkeel_model_learning_ratio) == bool 1")
        async with w.operator(prometheus_url=server.url):
            await until(lambda: "a reference was learned" in monitored())
        assert config_maps(w) == {revision: made}

    with controllers(w.server, tmp_path, "garbage-collector-controller"):
        async with w.operator():
            w.ns.serve("fraud", B)
            await until(lambda: w.ns.stable_uri("fraud") == B)
            await until(lambda: config_maps(w) == {})
    assert revision not in w.ns.revisions("fraud")
