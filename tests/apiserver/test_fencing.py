"""Who leads no longer writes nothing, even if it does not know yet."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.support.operating import B, C, World, model_deployment, until
from tests.support.operator_process import Process
from tests.support.resources import BY_KIND

WRITES = ("POST", "PUT", "PATCH", "DELETE")


async def canary_at_its_step(w: World, uri: str) -> None:
    w.ns.rollout("fraud", paused=True)
    w.ns.serve("fraud", uri)
    await until(lambda: (w.ns.canary("fraud") or {}).get("weight") == 25, f"canary of {uri}")
    await until(
        lambda: "evenkeel.dev/revision" not in w.ns.get("Service", "fraud")["spec"]["selector"],
        "the Service leads to both",
    )


async def at_rest(w: World) -> None:
    """Nothing is left to be told of what happened so far."""
    seen = ""
    while seen != (now := w.ns.get("ModelDeployment", "fraud")["metadata"]["resourceVersion"]):
        seen = now
        await asyncio.sleep(2)


async def serves(w: World) -> None:
    # Without requests there is no evidence to be written.
    w.counters.rate = 0
    w.ns.create(model_deployment("fraud"))
    await until(lambda: w.ns.ready("fraud")["status"] == "True")


async def test_a_leader_that_was_paused_writes_nothing_when_it_wakes_up(
    w: World, tmp_path: Path
) -> None:
    """Its decision is durable; the children, which it has not come to, are the next leader's."""
    process = Process(w.environment(tmp_path, wired=True))
    status = BY_KIND["ModelDeployment"].path(w.ns.name, "fraud", "status")
    paused = asyncio.Event()
    armed = False

    def pause(method: str, path: str) -> None:
        if armed and (method, path) == ("PATCH", status) and not paused.is_set():
            process.signal(signal.SIGSTOP)
            paused.set()

    w.wire.fault = pause
    await process.start()
    try:
        await serves(w)
        await canary_at_its_step(w, B)
        tried = (w.ns.canary("fraud") or {})["revision"]
        await at_rest(w)
        armed = True
        w.ns.rollout("fraud", abort=tried)
        await until(paused.is_set)
        await until(lambda: w.ns.outcomes("fraud") == ["RolledBack Aborted"])
        async with w.operator(leader_election=True) as second:
            await until(lambda: second._leads)
            w.ns.rollout("fraud", abort=None)
            await canary_at_its_step(w, C)
            before = w.ns.get("Service", "fraud")["metadata"]["resourceVersion"]
            w.wire.requests.clear()
            process.signal(signal.SIGCONT)
            async with asyncio.timeout(30):
                assert await process.ended() != 0
            sent = [r for r in w.wire.requests if r.startswith(WRITES)]
            # An Event tells of what is durable.
            assert [r for r in sent if "/leases" not in r and "/events" not in r] == []
            assert w.ns.get("Service", "fraud")["metadata"]["resourceVersion"] == before
    finally:
        process.kill()


async def test_a_write_that_comes_late_undoes_nothing(w: World, short_lease: None) -> None:
    """It was sent while its process led, and was long on its way."""
    service = BY_KIND["Service"].path(w.ns.name, "fraud")
    gate, waits = asyncio.Event(), asyncio.Event()
    armed = lost = False

    def hold(method: str, path: str) -> asyncio.Event | None:
        nonlocal lost
        if not armed or (method, path) != ("PATCH", service):
            return None
        lost = True
        waits.set()
        return gate

    w.wire.holds = hold
    w.wire.fault = lambda method, path: 500 if lost and "/leases" in path else None
    async with w.operator(wired=True, identity="first", leader_election=True):
        await serves(w)
        await canary_at_its_step(w, B)
        armed = True
        w.ns.rollout("fraud", abort=(w.ns.canary("fraud") or {})["revision"])
        await until(waits.is_set)
        async with w.operator(identity="second", leader_election=True) as second:
            await until(lambda: second._leads)
            w.ns.rollout("fraud", abort=None)
            await canary_at_its_step(w, C)
            before = w.ns.get("Service", "fraud")
            gate.set()
            assert w.wire.late is not None
            answer = await w.wire.late
            assert answer.status == 409
            assert w.ns.get("Service", "fraud") == before
