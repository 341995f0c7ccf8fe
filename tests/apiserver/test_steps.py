"""Steps with a Job, a gate outside and an approval, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.operating import B, World, model_deployment, until

JSON = dict[str, Any]
TIME = "2026-01-31T09:00:00Z"
SMOKE = "job: {podTemplate: {spec: {containers: [{name: smoke, image: smoke}]}}}"
KEY = "hush-hush"


class Gate:
    """Answers as it is told; asked: the deliveries."""

    def __init__(self) -> None:
        self.answer: JSON | None = None
        self.asked: list[str] = []
        self.signed: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers["webhook-id"])
        self.signed.append(request.headers.get("webhook-signature", ""))
        if self.answer is None:
            return web.Response(status=503)
        return web.json_response(self.answer)


@asynccontextmanager
async def serving(gate: Gate) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/confirm", gate.handle)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}/confirm"


def deployment(step: str) -> JSON:
    return model_deployment("fraud", steps=f"[{{weight: 50, analysis: false, {step}}}]")


def ends(w: World, job: JSON, *, well: bool) -> None:
    """As the Job's controller would say it."""
    kinds = ("SuccessCriteriaMet", "Complete") if well else ("FailureTarget", "Failed")
    reason = "CompletionsReached" if well else "BackoffLimitExceeded"
    conditions = [
        {"type": k, "status": "True", "reason": reason, "lastTransitionTime": TIME} for k in kinds
    ]
    status: JSON = {"startTime": TIME, "conditions": conditions}
    status |= {"succeeded": 1, "completionTime": TIME} if well else {"failed": 1}
    status["uncountedTerminatedPods"] = {}
    w.ns.patch("Job", job["metadata"]["name"], {"status": status}, "status")


def canary(w: World) -> JSON:
    return w.ns.canary("fraud") or {}


def dies_at(write: int, *, after: bool, dead: asyncio.Event) -> Callable[[str, str], Any]:
    """A fault: nothing arrives from that write on, itself included unless it dies after it."""
    seen = -1

    def fault(method: str, path: str) -> int | str | None:
        nonlocal seen
        if method not in ("POST", "PATCH", "PUT", "DELETE") or "/leases" in path:
            return None
        if "/events" in path:
            return 500 if dead.is_set() else None
        seen += 1
        if seen < write:
            return None
        dead.set()
        return "lose" if after and seen == write else 500

    return fault


async def test_whatever_dies_there_is_one_job_and_one_delivery(w: World) -> None:
    """An operator dies at each of its first writes of the trial, before or after it."""
    gate, jobs = Gate(), set[str]()
    async with serving(gate) as url:
        w.server.kubectl(
            *("-n", w.ns.name, "create", "secret", "generic", "gate"),
            f"--from-literal=signingKey={KEY}",
        )
        webhook = f"webhook: {{url: '{url}', secretName: gate, intervalSeconds: 5}}"
        w.ns.create(deployment(f"{SMOKE}, {webhook}, approval: true"))
        async with w.operator(wired=True):
            await until(lambda: w.ns.ready("fraud").get("status") == "True")
        w.ns.serve("fraud", B)
        for write in range(4):
            dead = asyncio.Event()
            w.wire.fault = dies_at(write, after=bool(write % 2), dead=dead)
            async with w.operator(wired=True):
                await asyncio.wait_for(dead.wait(), 30)
            jobs |= {job["metadata"]["uid"] for job in w.ns.all("Job")}
        w.wire.fault = lambda method, path: None
        async with w.operator(wired=True):
            await until(lambda: canary(w).get("reason") == "StepJobRunning")
            (job,) = w.ns.all("Job")
            jobs.add(job["metadata"]["uid"])
            env = job["spec"]["template"]["spec"]["containers"][0]["env"]
            told = {e["name"]: e.get("value", "") for e in env}
            revision = canary(w)["revision"]
            assert told["EVENKEEL_URL"] == f"http://{revision}.{w.ns.name}.svc"
            service = w.ns.get("Service", revision)
            assert service["spec"]["selector"]["evenkeel.dev/revision"] == revision
            ends(w, job, well=True)
            await until(lambda: canary(w).get("reason") == "GateUnavailable")
        # The next one asks again, is heard, and dies with the answer.
        gate.answer = {"allow": True}
        dead = asyncio.Event()
        w.wire.fault = dies_at(0, after=False, dead=dead)
        async with w.operator(wired=True):
            await asyncio.wait_for(dead.wait(), 30)
        w.wire.fault = lambda method, path: None
        async with w.operator(wired=True):
            await until(lambda: canary(w).get("reason") == "AwaitingApproval")
            assert (len(jobs), len(set(gate.asked))) == (1, 1)
            assert all(one.startswith("v1,") for one in gate.signed)
            wrong = {"revision": revision, "step": 2}
            w.ns.rollout("fraud", approve=wrong)
            await until(
                lambda: w.ns.condition("fraud", "SteeringAccepted").get("status") == "False"
            )
            w.ns.rollout("fraud", approve={"revision": revision, "step": 1})
            await until(lambda: w.ns.outcomes("fraud") == ["Promoted PauseOver"])
            await until(lambda: not w.ns.all("Job"))
            await until(lambda: [s["metadata"]["name"] for s in w.ns.all("Service")] == ["fraud"])


async def test_a_job_that_fails_takes_the_canary_back(w: World) -> None:
    w.ns.create(deployment(f"{SMOKE}, pauseSeconds: 3600"))
    async with w.operator():
        await until(lambda: w.ns.ready("fraud").get("status") == "True")
        w.ns.serve("fraud", B)
        await until(lambda: w.ns.all("Job"))
        ends(w, w.ns.all("Job")[0], well=False)
        await until(lambda: w.ns.outcomes("fraud") == ["RolledBack StepJobFailed"])
        await until(lambda: not w.ns.all("Job"))
