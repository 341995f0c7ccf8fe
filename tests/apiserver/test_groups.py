"""Groups on a real API server: together or not at all, whenever the operator dies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver.test_faults import WRITES
from tests.support.operating import A, B, World, model_deployment, until
from tests.support.operator_process import Process

JSON = dict[str, Any]
NAMES = ("fraud", "geo", "price")


def group(release: str) -> JSON:
    return {"name": "checkout", "members": list(NAMES), "release": release}


async def begin(w: World) -> None:
    """Three members that serve A."""
    for name in NAMES:
        made = model_deployment(name, steps="[{weight: 50}]")
        made["spec"]["rollout"]["group"] = group("1")
        w.ns.create(made)
    for name in NAMES:
        await until(lambda name=name: w.ns.ready(name)["status"] == "True")  # type: ignore[misc]
        complete = w.ns.condition(name, "GroupComplete")
        assert (complete["status"], complete["reason"]) == ("True", "MembersAgree")


def release(w: World) -> None:
    for name in NAMES:
        w.ns.rollout(name, group=group("2"))
        w.ns.serve(name, B)


def ended(w: World) -> set[str]:
    """How the members' trials have ended so far; each of them at most once."""
    found = [w.ns.outcomes(name) for name in NAMES]
    assert all(len(one) <= 1 for one in found), found
    return {one[0].split()[0] if one else "" for one in found}


async def test_members_are_promoted_together(w: World) -> None:
    async with w.operator():
        await begin(w)
        w.ns.rollout("geo", paused=True)
        release(w)
        for name in ("fraud", "price"):
            await until(lambda name=name: w.ns.status(name)["group"]["standing"] == "Ready")  # type: ignore[misc]
        healthy = w.ns.condition("fraud", "RolloutHealthy")
        assert healthy["reason"] == "AwaitingGroup"
        assert "geo is on trial" in healthy["message"]
        assert {w.ns.stable_uri(name) for name in NAMES} == {A}
        w.ns.rollout("geo", paused=False)
        await until(lambda: {w.ns.stable_uri(name) for name in NAMES} == {B})
        await until(lambda: {w.ns.status(n)["group"]["standing"] for n in NAMES} == {"Serving"})


async def test_a_member_that_is_deleted_is_told_and_awaited(w: World) -> None:
    async with w.operator():
        await begin(w)
        w.server.kubectl("-n", w.ns.name, "delete", "modeldeployment", "geo")
        await until(lambda: w.ns.condition("price", "GroupComplete")["reason"] == "MemberMissing")
        w.ns.rollout("fraud", group=group("2"))
        w.ns.serve("fraud", B)
        await until(lambda: w.ns.condition("fraud", "RolloutHealthy")["reason"] == "AwaitingGroup")
        assert w.ns.stable_uri("fraud") == A


@pytest.mark.parametrize("spoiled", ["", "geo"])
async def test_killed_before_or_after_any_write_a_group_is_never_half(
    w: World, tmp_path: Path, spoiled: str
) -> None:
    """SIGKILL at every third write, in turn before it is sent and after it is committed."""
    process = Process(w.environment(tmp_path, wired=True))
    writes = kills = 0
    armed = False

    def fault(method: str, path: str) -> str | int | None:
        nonlocal writes, kills
        if method not in WRITES or "/leases" in path or "/events" in path or not armed:
            return None
        writes += 1
        if writes % 3 or kills >= 6:
            return None
        kills += 1
        process.kill()
        return 500 if kills % 2 else "lose"

    w.wire.fault = fault

    async def keep_running() -> None:
        while True:
            await process.start()
            await process.ended()

    seen: list[set[str]] = []

    def over() -> bool:
        seen.append(ended(w))
        return "" not in seen[-1]

    running = asyncio.create_task(keep_running())
    try:
        await begin(w)
        stable = {w.ns.status(name)["stable"]["revision"] for name in NAMES}
        w.counters.bad = lambda r: (
            0.5 if spoiled and r.startswith(spoiled) and r not in stable else 0.0
        )
        armed = True
        release(w)
        await until(over, seconds=300)
        assert not any({"Promoted", "RolledBack"} <= ends for ends in seen), "half"
        expected = {A} if spoiled else {B}
        assert {w.ns.stable_uri(name) for name in NAMES} == expected
    finally:
        armed = False
        running.cancel()
        await process.terminate()
    assert kills >= 3
