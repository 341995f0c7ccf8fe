"""Drift by a real Prometheus, from the meters' counts to the one run that it causes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from evenkeel.controllers.modeldeployment import drifts

from tests.support.metered import (
    MOVED,
    SAME,
    Metered,
    Rows,
    begin,
    day_text,
    days_ago,
    drifted,
    monitoring,
    of,
    set_back,
    watched,
)
from tests.support.operating import World, until
from tests.support.operator_process import Process
from tests.support.restoring import events

JSON = dict[str, Any]
WEEK: list[Rows] = [SAME, SAME, MOVED, MOVED, MOVED]
WRITES = ("POST", "PATCH", "PUT", "DELETE")


async def straight(w: World, m: Metered, name: str = "plain") -> JSON:
    """What a run without faults knows after the days of WEEK, without its revision."""
    w.ns.create(watched(name))
    async with w.operator():
        await until(lambda: monitoring(w, name), "the evidence")
    await m.have(w.ns.name, of(w, name, WEEK))
    set_back(w, name, days_ago(len(WEEK)))
    async with w.operator():
        await until(lambda: monitoring(w, name)["blocks"] == len(WEEK))
    return evidence(w, name)


def evidence(w: World, name: str) -> JSON:
    return {key: value for key, value in monitoring(w, name).items() if key != "revision"}


async def test_days_that_drift_are_one_run_that_tells_what_drifted(w: World, m: Metered) -> None:
    """The operator was down for all of them."""
    async with w.operator():
        begin(w)
        await until(lambda: drifted(w)["reason"] == "AwaitingBlocks")
        assert monitoring(w)["blocks"] == 0
    await m.have(w.ns.name, of(w, "elec", WEEK))
    set_back(w, "elec", days_ago(5))
    async with w.operator():
        await until(lambda: monitoring(w)["blocks"] == 5, "each day is asked about")
        await until(lambda: w.ns.all("Job"), "the training")
        await until(lambda: "Drifted elec" in events(w.ns))
        seen, found = monitoring(w), drifted(w)
    assert sorted(set(m.asked)) == [days_ago(n) for n in (4, 3, 2, 1, 0)]
    assert (found["status"], found["reason"]) == ("True", "Data")
    assert (seen["void"], seen["until"]) == (0, day_text(0))
    groups = {group["name"]: group for group in seen["groups"]}
    assert {name for name, one in groups.items() if "driftedSince" in one} == {"Data", "Unseen"}
    (load,) = groups["Data"]["features"]
    assert (load["name"], load["kind"], load["distance"]) == ("load", "Feature", "0.301")
    assert load["bins"] == [
        {"range": "bin 0", "before": "0.5", "now": "0.199"},
        {"range": "bin 1", "before": "0.5", "now": "0.801"},
    ]
    (color,) = groups["Unseen"]["features"]
    assert (color["name"], color["distance"]) == ("color", "0.452")
    since = groups["Data"]["driftedSince"]
    assert since == day_text(1), "one odd day is no alarm, the second is"
    (run,) = w.ns.all("TrainingRun")
    cause = run["spec"]["cause"]
    assert (cause["type"], cause["champion"]["name"], cause["time"]) == ("Drift", "v1", since)
    assert cause["champion"]["evidence"] == (
        f"Data of elec since {since}, load; Unseen of elec since {since}, color"
    )
    assert events(w.ns).count("Drifted elec") == 2
    before = w.ns.versions()
    async with w.operator() as operator:
        await until(lambda: operator._leads and operator._controller.queue.depth() == 0)
    assert w.ns.versions() == before, "a restart writes nothing"


async def test_restarts_and_lost_answers_leave_the_very_same_evidence(
    w: World, m: Metered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drifts, "AGAIN", 0.2)
    plain = await straight(w, m)
    async with w.operator():
        begin(w)
        await until(lambda: monitoring(w), "the evidence")
    await m.have(w.ns.name, of(w, "elec", WEEK))
    set_back(w, "elec", days_ago(5))
    number = 0

    def every_third(query: str, at: int | None) -> str | None:
        nonlocal number
        number += at is not None
        return "lose" if at is not None and number % 3 == 0 else None

    m.fault = every_third
    for blocks in range(1, 6):
        async with w.operator():
            await until(lambda: monitoring(w)["blocks"] >= blocks, seconds=180)  # noqa: B023
    assert evidence(w, "elec") == plain
    async with w.operator():
        await until(lambda: w.ns.all("TrainingRun"))
    assert len(w.ns.all("TrainingRun")) == 1


async def test_killed_before_or_after_any_write_no_block_is_lost_and_no_run_is_twice(
    w: World, m: Metered, tmp_path: Path
) -> None:
    """SIGKILL at every write, in turn before it is sent and after it is committed."""
    plain = await straight(w, m)
    async with w.operator():
        begin(w)
        await until(lambda: drifted(w)["reason"] == "AwaitingBlocks")
    await m.have(w.ns.name, of(w, "elec", WEEK))
    set_back(w, "elec", days_ago(5))
    process = Process(w.environment(tmp_path, wired=True))
    writes: list[str] = []
    armed = True

    def fault(method: str, path: str) -> str | int | None:
        if method not in WRITES or "/leases" in path or "/events" in path or not armed:
            return None
        # Each is killed before it, then after it; its repetition is not.
        writes.append(f"{method} {path}")
        if len(writes) % 3 == 0:
            return None
        process.kill()
        return 500 if len(writes) % 3 == 1 else "lose"

    w.wire.fault = fault

    async def keep_running() -> None:
        while True:
            await process.start()
            await process.ended()

    running = asyncio.create_task(keep_running())
    try:
        await until(lambda: monitoring(w)["blocks"] == 5, seconds=600)
        await until(lambda: w.ns.all("Job"), "the training", 600)
        armed = False
        await until(lambda: w.ns.status("retrain", "RetrainSchedule").get("active"), seconds=600)
    finally:
        running.cancel()
        armed = False
        await process.terminate()
    assert process.starts > 5
    assert evidence(w, "elec") == plain
    assert len(w.ns.all("TrainingRun")) == len(w.ns.all("Job")) == 1
