"""Drift of requests that real meters count and a real Prometheus scrapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from evenkeel.adapters.access import Access
from evenkeel.adapters.meters import Meters as Adapter
from evenkeel.adapters.prometheus import Prometheus as Connections
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.monitoringstatus import MonitoringStatus
from evenkeel.controllers import windows
from evenkeel.controllers.modeldeployment import drifts
from evenkeel.meta.times import parse
from evenkeel.outside.meters import BLOCK, BlockQuestion
from evenkeel.outside.poll import Sighting
from evenkeel.verdict.indicators import pods

from dev.cluster.processes import Processes
from dev.prometheus import Prometheus
from tests.support.meter_processes import Meters, compiled, moved
from tests.support.metered import begin, drifted, monitoring
from tests.support.operating import World, until

JSON = dict[str, Any]
SECONDS = 10
DETECTION = {"blockSeconds": SECONDS, "minRows": 50, "tolerance": "0.1"}
FIELDS = ("until", "blocks", "void", "groups", "evidence", "reference")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("meter"))


async def test_requests_that_drift_are_one_run(
    w: World, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One meter is killed meanwhile, and the operator is away for some blocks."""
    monkeypatch.setattr(windows, "LAG", 10)
    monkeypatch.setattr(drifts, "AGAIN", 1.0)
    server = Prometheus(Processes(tmp_path, die_with_parent=True), tmp_path, "prometheus")
    w.counters.url = server.url
    async with w.operator():
        begin(w, detection=DETECTION, spacingMilliseconds=0)
        await until(lambda: monitoring(w))
    revision, first = monitoring(w)["revision"], w.ns.get("ModelDeployment", "elec")
    meters = Meters(program, tmp_path, revision, w.ns.name)
    names = [f"{revision}-7d9f-{random}" for random in ("abcde", "bcdef", "cdefg")]
    async with meters.open(*names):
        jobs = [{"job_name": "meters", "static_configs": meters.targets()}]
        scraped = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        await server.start({"global": scraped, "scrape_configs": jobs})
        async with w.operator():
            await until(lambda: w.ns.condition("elec", "Monitored")["reason"] == "Counting")
            await until(lambda: told(w) >= 2, "blocks that tell something", 180)
            assert drifted(w)["reason"] == "NoDrift"
            assert monitoring(w)["reference"]["rows"] == 10_000
        before = meters.asked
        meters.rows = moved
        meters.kill(names[0])
        meters.start(names[0])
        await until(lambda: meters.asked > before + 3000, seconds=180)
        async with w.operator():
            await until(lambda: w.ns.all("Job"), "the training", 240)
            found = drifted(w)
            assert (found["status"], found["reason"]) == ("True", "Data")
            assert "load" in found["message"]
            assert "temperature" not in found["message"]
        known = monitoring(w)
        (run,) = w.ns.all("TrainingRun")
        assert run["spec"]["cause"]["champion"]["name"] == "v1"
        assert {k: known[k] for k in FIELDS} == await straight(server.url, first, known)
    server.stop()


def told(w: World) -> int:
    seen = monitoring(w)
    return int(seen["blocks"]) - int(seen["void"])


async def straight(url: str, first: JSON, last: JSON) -> JSON:
    """What one process that lives through all of it knows, asked today of the same Prometheus."""
    md = ModelDeployment.model_validate(first)
    known = md.status.monitoring
    assert known is not None
    assert known.blocks == 0
    connections, of = Connections(), pods(known.revision)
    adapter, access = Adapter(connections), Access(url, guarded=False)
    while parse(known.until) < parse(last["until"]):
        end = windows.end_after(known.until, SECONDS)
        question = BlockQuestion(None, md.metadata.namespace, of, SECONDS, end)
        answer = await adapter.block(question, access, None)
        known = drifts.folded(md, known, {BLOCK: Sighting(answer)})
        assert isinstance(known, MonitoringStatus)
    await connections.close()
    found = known.wire()
    return {name: found[name] for name in FIELDS}
