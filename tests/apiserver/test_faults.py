"""Faults between the operator, the API server and Prometheus change nothing about the end.

The oracle is the fault-free run: the same revisions serve, the same verdicts are in the history,
each alert is counted once and the training has one Job.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from tests.support.operating import A, B, C, World, model_deployment, schedule, until
from tests.support.operator_process import Process
from tests.support.restoring import events

JSON = dict[str, Any]
WRITES = ("POST", "PATCH", "PUT", "DELETE")


async def send(port: int, notification: JSON, most: int = 60) -> int:
    """Sends as Alertmanager does: again until it is taken. Returns the number of attempts."""
    url = f"http://127.0.0.1:{port}/alertmanager/v4"
    async with aiohttp.ClientSession() as session:
        for attempt in range(1, most):
            try:
                async with session.post(url, json=notification) as answer:
                    if answer.status == 200:
                        return attempt
                    assert answer.status == 503, await answer.text()
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.3)
    raise AssertionError(f"not taken after {most} attempts")


async def begin(w: World) -> None:
    """Two ModelDeployments that serve A, and a schedule."""
    w.ns.create(schedule())
    for name in ("good", "bad"):
        w.ns.create(model_deployment(name))
    for name in ("good", "bad"):
        await until(lambda name=name: w.ns.ready(name)["status"] == "True", f"{name}")  # type: ignore[misc]
    stable = w.ns.status("bad")["stable"]["revision"]
    w.counters.bad = lambda r: 0.5 if r.startswith("bad-") and r != stable else 0.0


def change(w: World) -> None:
    w.ns.serve("good", B)
    w.ns.serve("bad", C)


async def end(w: World) -> None:
    """The end of a fault-free run."""
    # Where a test takes the stable pods away, there is nothing to protect.
    passes = (["Promoted AllIndicatorsPass"], ["Promoted StableUnavailable"])
    await until(lambda: w.ns.outcomes("good") in passes, seconds=60)
    await until(lambda: w.ns.outcomes("bad") == ["RolledBack WorseThanStable"])
    await until(lambda: w.ns.all("Job"), "the run's Job")
    for name, uri in (("good", B), ("bad", A)):
        assert w.ns.stable_uri(name) == uri
        await until(
            lambda name=name: (  # type: ignore[misc]
                w.ns.revisions(name) == [w.ns.status(name)["stable"]["revision"]]
            ),
            "only the stable revision's pods are left",
        )
        only = w.ns.get("Service", name)["spec"]["selector"]["evenkeel.dev/revision"]
        await until(lambda name=name: w.ns.canary(name) is None)  # type: ignore[misc]
        assert only == w.ns.status(name)["stable"]["revision"]
    assert len(w.ns.all("TrainingRun")) == 1
    assert len(w.ns.all("Job")) == 1


def counted(w: World) -> int:
    triggers = w.ns.status("retrain", "RetrainSchedule").get("triggers", [{}])
    return int(triggers[0].get("received", 0))


def every(number: int, verdict: int | str, methods: tuple[str, ...] = WRITES) -> Callable[..., Any]:
    """A fault for every so-many-th request of these methods."""
    seen = 0

    def fault(method: str, path: str) -> int | str | None:
        nonlocal seen
        if method not in methods or "/events" in path:
            return None
        seen += 1
        return verdict if seen % number == 0 else None

    return fault


FAULTS: dict[str, Callable[[World], None]] = {
    "refused with 500": lambda w: setattr(w.wire, "fault", every(5, 500)),
    "refused with 429": lambda w: setattr(w.wire, "fault", every(6, 429)),
    "conflicts": lambda w: setattr(w.wire, "fault", every(3, 409)),
    "lost answers": lambda w: setattr(w.wire, "fault", every(3, "lose")),
    "late watches": lambda w: setattr(w.wire, "delay", 0.4),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_faults_of_the_api_change_nothing_about_the_end(w: World, fault: str) -> None:
    FAULTS[fault](w)
    async with w.operator(wired=True) as operator:
        await begin(w)
        change(w)
        await send(operator._settings.webhook_port, w.alerts(0, 7))
        await end(w)
        assert w.lost == [], "the lease is kept through passing faults"
    # What is sent again counts once.
    assert counted(w) == 7


async def test_what_happens_in_a_gap_of_the_watches_is_made_up_for(w: World) -> None:
    """Every event is withheld for a while, deletions among them; then the version has expired."""
    async with w.operator(wired=True) as operator:
        await begin(w)
        await send(operator._settings.webhook_port, w.alerts(0, 7))
        w.wire.drops = lambda event: True
        await asyncio.sleep(0.3)
        change(w)
        w.ns.server.kubectl("-n", w.ns.name, "delete", "service", "good")
        stable = w.ns.status("good")["stable"]["revision"]
        w.ns.server.kubectl("-n", w.ns.name, "delete", "deployment", stable)
        expired: set[str] = set()

        def once(method: str, path: str) -> int | None:
            if not path.endswith("?watch") or path in expired:
                return None
            expired.add(path)
            return 410

        w.wire.drops = lambda event: False
        w.wire.fault = once
        w.wire.cut_watches()
        await end(w)
    assert expired
    assert counted(w) == 7


@pytest.mark.parametrize("undecided", ["Promote", "Hold"])
async def test_without_prometheus_nothing_is_promoted(w: World, undecided: str) -> None:
    """Down, garbage, NaN, empty and errors in turn, beyond the step's deadline."""
    result: list[Any] = [{"metric": {"pod": "x"}, "value": [0, "NaN"]}]
    turns = [
        lambda: web.Response(status=503, text="down"),
        lambda: web.json_response(["garbage"]),
        lambda: web.json_response(
            {"status": "success", "data": {"resultType": "vector", "result": result}}
        ),
        lambda: web.json_response(
            {"status": "success", "data": {"resultType": "vector", "result": []}}
        ),
        lambda: web.json_response({"status": "error", "error": "query timed out"}, status=503),
    ]
    asked = 0

    def fault() -> web.Response:
        nonlocal asked
        asked += 1
        return turns[asked % len(turns)]()

    async with w.operator():
        steps = "[{weight: 25, deadlineSeconds: 2}, {weight: 50, deadlineSeconds: 2}]"
        w.ns.create(model_deployment("fraud", steps=steps))
        await until(lambda: w.ns.ready("fraud")["status"] == "True")
        analysis = {"analysis": {"onUndecided": undecided}}
        w.ns.patch("ModelDeployment", "fraud", {"spec": analysis})
        w.counters.fault = fault
        w.ns.serve("fraud", C)
        # After three failures in a row it is asked less often: this is each of them once.
        await until(lambda: asked > 2 * len(turns))
        canary = w.ns.canary("fraud")
        assert canary is not None
        assert (canary["step"], canary["weight"]) == (0, 25)
        assert w.ns.stable_uri("fraud") == A
        w.counters.fault = lambda: None
        await until(lambda: w.ns.outcomes("fraud") == ["Promoted AllIndicatorsPass"])


async def test_storm_of_alerts_is_one_run_with_every_alert_counted(w: World) -> None:
    """Ten thousand alerts, in two requests and in two hundred."""
    w.ns.create(schedule("retrain", "concurrencyPolicy: Forbid"))
    async with w.operator() as operator:
        port = operator._settings.webhook_port
        await until(lambda: w.ns.ready("retrain", "RetrainSchedule"))
        started = time.monotonic()
        await asyncio.gather(*(send(port, w.alerts(n * 2500, 2500)) for n in range(2)))
        await asyncio.gather(*(send(port, w.alerts(5000 + n * 25, 25)) for n in range(200)))
        taken = time.monotonic() - started
        runs = w.ns.all("TrainingRun")
        assert len(runs) == 1
        assert counted(w) == 10_000
        status = w.ns.status("retrain", "RetrainSchedule")
        assert status["lastRun"]["alertCount"] == 10_000
        name = runs[0]["metadata"]["name"]
        await until(lambda: w.ns.status(name, "TrainingRun")["alertCount"] == 10_000)
        await until(lambda: len(w.ns.all("Job")) == 1)
    assert taken < 15


async def test_one_of_two_leads_and_the_other_takes_over(w: World, short_lease: None) -> None:
    """First after an orderly end, then after the leader has lost the API server."""
    w.ns.create(schedule())
    async with w.operator(identity="second", wired=True) as second:
        async with w.operator(identity="first", leader_election=True) as first:
            await until(lambda: first._leads or second._leads)
            leader, other = (first, second) if first._leads else (second, first)
            async with aiohttp.ClientSession() as session:
                url = f"http://127.0.0.1:{other._settings.webhook_port}/alertmanager/v4"
                async with session.post(url, json=w.alerts(0, 1)) as answer:
                    assert answer.status == 503
            await asyncio.sleep(1)
            assert leader._leads
            assert not other._leads
            if leader is second:
                w.wire.fault = lambda method, path: 500
                await until(lambda: first._leads, seconds=10)
                assert not second._leads, "it stopped before the other began"
                assert w.lost == ["second"]
                return
        await until(lambda: second._leads, "takes over at once", 2)
        async with w.operator(identity="third") as third:
            await asyncio.sleep(0.5)
            assert not third._leads
            w.wire.fault = lambda method, path: 500
            overlap = False

            def taken_over() -> bool:
                nonlocal overlap
                overlap |= second._leads and third._leads
                return third._leads

            await until(taken_over, seconds=10)
            assert not overlap
            assert w.lost == ["second"], "the process of the one that lost it ends"


async def test_killed_before_or_after_any_write_it_goes_on_where_it_was(
    w: World, tmp_path: Path
) -> None:
    """SIGKILL at every fifth write, in turn before it is sent and after it is committed."""
    process = Process(w.environment(tmp_path, wired=True))
    writes = kills = 0
    armed = False

    def fault(method: str, path: str) -> str | int | None:
        nonlocal writes, kills
        if method not in WRITES or "/leases" in path or "/events" in path or not armed:
            return None
        writes += 1
        if writes % 5 or kills >= 6:
            return None
        kills += 1
        process.kill()
        return 500 if kills % 2 else "lose"

    w.wire.fault = fault
    port = int(process._environment["EVENKEEL_WEBHOOK_PORT"])
    weights: list[int] = []

    async def keep_running() -> None:
        while True:
            await process.start()
            await process.ended()

    running = asyncio.create_task(keep_running())
    try:
        await begin(w)
        armed = True
        change(w)
        sending = asyncio.create_task(send(port, w.alerts(0, 7), 200))

        def watch_weights() -> bool:
            canary = w.ns.canary("good")
            weights.append(canary["weight"] if canary else -1)
            return w.ns.outcomes("good") != []

        await until(watch_weights, seconds=300)
        await sending
        await end(w)
    finally:
        running.cancel()
        armed = False
        code = await process.terminate()
    assert kills >= 4
    seen = [weight for weight in weights if weight >= 0]
    assert seen == sorted(seen), "the canary's weight never goes back"
    assert counted(w) == 7
    assert code == 0, "SIGTERM is an orderly end"


async def test_a_status_that_a_policy_refuses_is_told_by_an_event(w: World) -> None:
    """No condition can tell it; once it is accepted, everything goes on by itself."""
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": f"{w.ns.name}-no-status"},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["evenkeel.dev"],
                        "apiVersions": ["*"],
                        "operations": ["UPDATE"],
                        "resources": ["modeldeployments/status"],
                    }
                ]
            },
            "matchConditions": [
                {"name": "here", "expression": f"request.namespace == '{w.ns.name}'"}
            ],
            "validations": [{"expression": "false", "message": "no status", "reason": "Invalid"}],
        },
    }
    binding = {
        **policy,
        "kind": "ValidatingAdmissionPolicyBinding",
        "spec": {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]},
    }
    stdin = yaml.safe_dump_all([policy, binding])
    w.server.kubectl("apply", "-f", "-", stdin=stdin)
    try:
        w.ns.create(model_deployment("fraud"))
        probe = {"status": {"replicas": 0}}

        def refuses() -> bool:
            name = w.ns.name
            answer = w.server.patch("ModelDeployment", name, "fraud", probe, "status")
            return answer.status_code == 422

        await until(refuses, "the policy comes into force")
        async with w.operator():
            await until(lambda: "ApplyFailed fraud" in events(w.ns))
            assert not w.ns.ready("fraud")
            w.server.kubectl("delete", "-f", "-", stdin=stdin)
            await until(lambda: w.ns.ready("fraud")["status"] == "True", seconds=90)
    finally:
        w.server.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=stdin)
